"""The guide's page as it is filled in: answers kept one by one, the recommendation made of them, its card.

Programs that have all answers at once use `POST /api/guide`.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.people import who
from app.setup import forecast
from studio import db, drafts, interview, recommendations
from studio.errors import StudioError
from studio.guide import card, questions
from studio.models import Project

router = APIRouter(prefix="/api", tags=["guide"])


class Given(BaseModel):
    """Answers by field; null says “I don't know”. A new draft may begin for a use case (`project`), or with
    the answers of a `recommendation`."""

    draft: str = Field("", max_length=60, description="Empty starts a new one.")
    answers: dict[str, Any] = Field(default_factory=dict)
    project: int | None = None
    recommendation: int | None = None


class Decided(BaseModel):
    """`chosen` is the technique taken instead, where the advice was changed; `reason` in one's own words."""

    decision: recommendations.Decision
    chosen: str = Field("", max_length=40)
    reason: str = Field("", max_length=2000)


@router.post("/guide/drafts")
def keep(given: Given) -> dict[str, str]:
    """Adds answers to a draft. Each is checked; a wrong one is refused by name and nothing is kept."""
    read = {name: read_answer(name, value) for name, value in given.answers.items()}
    key = given.draft or drafts.new_key("guide")
    with db.transaction() as session:
        if given.recommendation is not None:
            interview.begin_with(session, key, given.recommendation)
        interview.answer(session, key, read, given.project)
    return {"draft": key}


@router.post("/guide/drafts/{key}/finish", status_code=201)
def finish(key: str, request: Request) -> dict[str, Any]:
    """Makes the recommendation. The draft stays, so that going back in the browser finds it."""
    with db.transaction() as session:
        said = interview.get(session, key)
        project = said.project.id if said.project else None
        made = recommendations.save(session, said.completed, who(request), project_id=project)
        return {"id": made.id, "url": f"/guide?recommendation={made.id}"}


@router.post("/recommendations/{recommendation_id}/decision")
def decide(recommendation_id: int, given: Decided, request: Request) -> dict[str, Any]:
    """Remembers what was made of the advice."""
    with db.transaction() as session:
        found = recommendations.decide(
            session,
            recommendation_id,
            given.decision,
            who(request),
            chosen=given.chosen,
            reason=given.reason,
        )
        return {"id": found.id, "decision": found.decision, "chosen": found.chosen}


@router.get("/recommendations/{recommendation_id}/card.md")
def as_markdown(recommendation_id: int) -> Response:
    """The answer card as Markdown."""
    shown, own, _ = to_keep(recommendation_id)
    text = card.to_markdown(shown, own)
    return download(text, "text/markdown; charset=utf-8", f"{recommendation_id}-{shown.technique}.md")


@router.get("/recommendations/{recommendation_id}/card.pdf")
def as_pdf(recommendation_id: int) -> Response:
    """The answer card as a PDF."""
    from studio.guide import pdf  # its library takes half a second to import

    shown, own, about = to_keep(recommendation_id)
    made = pdf.to_pdf(shown, own, about)
    return download(made, "application/pdf", f"{recommendation_id}-{shown.technique}.pdf")


def to_keep(recommendation_id: int) -> tuple[card.Card, list[card.Fact], str]:
    """A card, this studio's estimate beside it, and what it is about."""
    with db.reading() as session:
        found = recommendations.get(session, recommendation_id)
        shown = recommendations.card_of(found)
        first = recommendations.first_run(shown)
        own = forecast.of_advice(session, found, first)[1].facts() if first else []
        project = session.get(Project, found.project_id) if found.project_id else None
        about = f"Advice {found.id}, {found.created:%Y-%m-%d}" + (f", {project.name}" if project else "")
        return shown, own, about


def download(content: str | bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="advice-{name}"'}
    return Response(content, media_type=kind, headers=headers)


def read_answer(name: str, value: Any) -> Any:
    """One answer as it comes from a form: a text of the question's kind, or None for “I don't know”."""
    question = questions.get_question(name)
    if isinstance(value, str):
        value = parse(question.kind, value.strip(), [option.value for option in question.options])
    try:
        questions.read_answers({name: value})
    except StudioError as problem:
        hint = questions.describe_allowed(name) + " Or choose “I don't know”."
        raise StudioError(problem.message, hint=hint, field=name) from problem
    return value


def parse(kind: str, text: str, options: list[str | int]) -> Any:
    """The text as the kind's type; a text that is none of it comes back as it is, to be refused by name."""
    if kind == "choice":
        return next((option for option in options if str(option) == text), text)
    if kind == "yes_no":
        return {"true": True, "false": False}.get(text, text)
    try:
        return int(text) if kind == "whole" else float(text)
    except ValueError:
        return text
