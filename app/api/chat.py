"""Chat over REST: ask several models the same thing, read their answers as they grow."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.plain import plain
from studio import chats, db, queue
from studio.models import Answer

router = APIRouter(prefix="/api", tags=["chat"])


class Question(BaseModel):
    models: list[int] = Field(description="Ids of one to four models.")
    message: str = Field(max_length=100_000)
    chat: str = Field("", max_length=40, description="The chat to go on with; empty starts one.")
    system: str = Field("", max_length=20_000)
    options: dict[str, float] = Field(default_factory=dict)


def as_json(answer: Answer) -> dict[str, Any]:
    names = "id turn model_id text state seconds tokens"
    return plain(answer, names) | {"question": answer.messages[-1]["content"]}


@router.post("/chat", status_code=201)
def ask(question: Question) -> dict[str, Any]:
    with db.transaction() as session:
        made = chats.ask(
            session,
            question.models,
            question.message,
            chat=question.chat,
            system=question.system,
            options=dict(question.options),
        )
        answer = {"chat": made[0].chat, "turn": made[0].turn}
    queue.wake_workers()
    return answer


@router.get("/chat/{chat}")
def read(chat: str) -> dict[str, Any]:
    """All turns so far; `activity` says what the models are doing."""
    with db.reading() as session:
        run = chats.serving(session, chat)
        return {
            "answers": [as_json(answer) for answer in chats.list_answers(session, chat)],
            "state": run.state if run else None,
            "activity": run.activity if run else "",
        }
