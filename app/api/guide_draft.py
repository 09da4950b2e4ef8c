"""The guide's page as it is filled in: answers kept one by one, the recommendation made of them, its card.

Programs that have all answers at once use `POST /api/guide`.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.people import who
from studio import db, drafts, recommendations
from studio.errors import StudioError
from studio.guide import card, questions

router = APIRouter(prefix="/api", tags=["guide"])


class Given(BaseModel):
    """Answers by field; null says “I don't know”. `recommendation` starts from answers given before."""

    draft: str = Field("", max_length=60, description="Empty starts a new one.")
    answers: dict[str, Any] = Field(default_factory=dict)
    recommendation: int | None = None


class Decision(BaseModel):
    accepted: bool


@router.post("/guide/drafts")
def keep(given: Given) -> dict[str, str]:
    """Adds answers to a draft. Each is checked; a wrong one is refused by name and nothing is kept."""
    read = {name: read_answer(name, value) for name, value in given.answers.items()}
    key = given.draft or drafts.new_key("guide")
    with db.transaction() as session:
        before: dict[str, Any] = drafts.get(session, key).get("answers", {})
        if given.recommendation is not None:
            before = recommendations.get(session, given.recommendation).answers
        drafts.put(session, key, {"answers": before | read})
    return {"draft": key}


@router.post("/guide/drafts/{key}/finish", status_code=201)
def finish(key: str, request: Request) -> dict[str, Any]:
    """Makes the recommendation. The draft stays, so that going back in the browser finds it."""
    with db.transaction() as session:
        made = recommendations.save(session, known_answers(session, key), who(request))
        return {"id": made.id, "url": f"/guide?recommendation={made.id}"}


@router.post("/recommendations/{recommendation_id}/decision")
def decide(recommendation_id: int, decision: Decision, request: Request) -> dict[str, Any]:
    """Remembers whether the advice is followed."""
    with db.transaction() as session:
        found = recommendations.decide(session, recommendation_id, decision.accepted, who(request))
        return {"id": found.id, "accepted": found.accepted}


@router.get("/recommendations/{recommendation_id}/card.md")
def download(recommendation_id: int) -> Response:
    """The answer card as Markdown."""
    with db.reading() as session:
        found = recommendations.get(session, recommendation_id)
        shown = recommendations.card_of(found)
    name = f"recommendation-{found.id}-{shown.technique}.md"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(card.to_markdown(shown), media_type="text/markdown; charset=utf-8", headers=headers)


def known_answers(session: Any, key: str) -> dict[str, Any]:
    """What the studio counts itself, under what the person said."""
    counted = {name: count.value for name, count in recommendations.counts(session).items()}
    return counted | drafts.get(session, key).get("answers", {})


def read_answer(name: str, value: Any) -> Any:
    """One answer as it comes from a form: a text of the question's kind, or None for “I don't know”."""
    question = questions.get_question(name)
    if isinstance(value, str):
        value = parse(question.kind, value.strip(), [option.value for option in question.options])
        if value is NOTHING:
            raise StudioError(
                f"{question.title} needs another answer.", hint=questions.describe_allowed(name), field=name
            )
    questions.read_answers({name: value})
    return value


NOTHING = object()


def parse(kind: str, text: str, options: list[str | int]) -> Any:
    if kind == "choice":
        return next((option for option in options if str(option) == text), NOTHING)
    if kind == "yes_no":
        return {"true": True, "false": False}.get(text, NOTHING)
    try:
        return int(text) if kind == "whole" else float(text)
    except ValueError:
        return NOTHING
