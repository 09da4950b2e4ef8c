"""Chats: questions put to one or several models at once, answered by a serving run."""

import secrets
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio import runs, weights
from studio.errors import Refused, StudioError
from studio.models import Answer, Model, Run

MOST_MODELS = 4
WAITING = ("asked", "sent")  # states of an answer that still comes
OPTIONS = {"temperature": (0.0, 2.0), "max_new_tokens": (1, 4096)}


def ask(
    session: Session,
    models: list[int],
    message: str,
    *,
    chat: str = "",
    system: str = "",
    options: dict[str, Any] | None = None,
) -> list[Answer]:
    """Puts `message` to each model, with what was said before in this chat.

    Wake the workers after the commit."""
    if not message.strip():
        raise StudioError("Write a message first.", field="message")
    if not 1 <= len(models) <= MOST_MODELS:
        raise StudioError(f"Choose one to {MOST_MODELS} models.", field="models")
    found = [weights.find(session, model_id) for model_id in dict.fromkeys(models)]
    chat = chat or secrets.token_urlsafe(9)
    earlier = list_answers(session, chat)
    if any(answer.state in WAITING for answer in earlier):
        raise Refused("The models are still answering.", hint="Wait for them, or start a new chat.")
    turn = 1 + max((answer.turn for answer in earlier), default=0)
    run = runs.serve(session)
    made = []
    for model in found:
        said = [{"role": "system", "content": system.strip()}] if system.strip() else []
        for answer in earlier:
            if answer.model_id == model.id and answer.state == "done":
                said += [answer.messages[-1], {"role": "assistant", "content": answer.text}]
        messages = [*said, {"role": "user", "content": message}]
        made.append(_asked(run, model, chat, messages, options, turn))
    session.add_all(made)
    session.flush()
    return made


def put(
    session: Session, model_id: int, messages: list[dict[str, Any]], options: dict[str, Any] | None = None
) -> Answer:
    """Puts a whole conversation to one model, in a chat of its own; the last turn is what it answers.

    Wake the workers after the commit."""
    model = weights.find(session, model_id)
    if model.kind != "language":
        raise StudioError(f"“{model.name}” does not answer.", hint="Choose a language model.", field="model")
    made = _asked(runs.serve(session), model, secrets.token_urlsafe(9), messages, options)
    session.add(made)
    session.flush()
    return made


def _asked(
    run: Run,
    model: Model,
    chat: str,
    messages: list[dict[str, Any]],
    options: dict[str, Any] | None,
    turn: int = 1,
) -> Answer:
    return Answer(
        chat=chat,
        turn=turn,
        model_id=model.id,
        run_id=run.id,
        messages=messages,
        options=_checked(options or {}),
    )


def list_answers(session: Session, chat: str) -> list[Answer]:
    return list(session.scalars(select(Answer).where(Answer.chat == chat).order_by(Answer.turn, Answer.id)))


def name_of(session: Session, answer: Answer) -> str:
    """The model that was asked."""
    model = session.get(Model, answer.model_id)
    return model.name if model else "A model since removed"


def serving(session: Session, chat: str) -> Run | None:
    """The run that answers in this chat: its activity tells what is being loaded."""
    newest = select(func.max(Answer.run_id)).where(Answer.chat == chat).scalar_subquery()
    return session.scalar(select(Run).where(Run.id == newest))


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    for name, value in options.items():
        if name not in OPTIONS:
            raise StudioError(
                f"There is no option “{name}”.", hint=f"Options: {', '.join(OPTIONS)}.", field=name
            )
        low, high = OPTIONS[name]
        if not isinstance(value, int | float) or not low <= value <= high:
            raise StudioError(f"{name} must be between {low} and {high}.", field=name)
    return options
