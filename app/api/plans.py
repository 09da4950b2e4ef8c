"""Plans over REST: what to do and by when to come back, files to fill in, a calendar entry, ticks."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from studio import db, plans, reminder, sheets
from studio.errors import NotFound
from studio.models import now
from studio.plans import Followed

router = APIRouter(prefix="/api/plans", tags=["plans"])

ADVICE = Query(None, ge=1, description="The recommendation it follows; the guide's usual numbers without.")
SHEET = Query("", max_length=40, description="Which of the plan's files; the most fitting when left out.")


class Kept(BaseModel):
    """A tick at `step` (`done` false takes it away), or `pace`: how many a week."""

    step: str = Field("", max_length=40)
    done: bool = True
    pace: int | None = None


@router.get("/{technique}")
def show(technique: str, recommendation: int | None = ADVICE) -> dict[str, Any]:
    """Steps, what is missing, and the day to come back."""
    with db.reading() as session:
        found = followed(plans.follow(session, technique, recommendation))
        return {
            "plan": found.name,
            "title": found.plan.title,
            "steps": [asdict(step) | {"done": step.id in found.done} for step in found.steps],
            "goals": [asdict(goal) | {"missing": goal.missing} for goal in found.goals],
            "pace": found.pace,
            "come_back": asdict(found.returning),
            "files": found.sheets,
            "url": address(found),
        }


@router.post("/{technique}/kept")
def keep(technique: str, given: Kept, recommendation: int | None = ADVICE) -> dict[str, Any]:
    """Remembers a tick or the pace."""
    with db.transaction() as session:
        plans.keep(session, technique, recommendation, step=given.step, done=given.done, pace=given.pace)
    return {}


@router.get("/{technique}/come-back.ics")
def calendar(technique: str, request: Request, recommendation: int | None = ADVICE) -> Response:
    """The day to come back, for a calendar."""
    with db.reading() as session:
        found = followed(plans.follow(session, technique, recommendation))
        uid = f"{plans.key_of(found.name, recommendation)}@tunesmith"
        body = reminder.write(
            uid,
            found.returning.day,
            f"Ask the guide again: {found.plan.title.lower()}",
            f"{found.returning.why}.\n{found.next_step}",
            f"{str(request.base_url).rstrip('/')}{address(found)}",
            now(),
        )
    return download(body, "text/calendar", "come-back.ics")


@router.get("/{technique}/template.{ending}")
def template(
    technique: str,
    ending: str,
    recommendation: int | None = ADVICE,
    sheet: str = SHEET,
    prompts: int = Query(0, ge=0, le=sheets.MOST_FILLED, description="Rows with prompts filled in."),
) -> Response:
    """A file to fill in, as `csv` or `jsonl`, with examples of the use case; `md` says how."""
    if ending not in ("csv", "jsonl", "md"):
        raise NotFound(f"There is no template.{ending}.", hint="There are csv, jsonl and md.")
    with db.reading() as session:
        found = followed(plans.follow(session, technique, recommendation))
        name = sheet or found.sheets[0]
        sheets.get(name)
        material = sheets.material(session, found.project)
        if ending == "md":
            text = sheets.as_markdown(name, material, found.steps)
            return download(text.encode(), "text/markdown", f"{name}.md")
        is_extraction = found.task_type == "structured_extraction"
        rows = sheets.rows(name, material, fill=prompts, extraction=is_extraction)
    if ending == "csv":
        return download(sheets.as_csv(rows), "text/csv", f"{name}.csv")
    return download(sheets.as_jsonl(rows), "application/jsonl", f"{name}.jsonl")


def followed(found: Followed | None) -> Followed:
    if found is None:
        raise NotFound("Nothing is left to collect.", hint="Go on with what the guide recommends.")
    return found


def address(found: Followed) -> str:
    """The plan's page."""
    return f"/plan?recommendation={found.advice.id}" if found.advice else f"/plan?for={found.name}"


def download(body: bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=f"{kind}; charset=utf-8", headers=headers)
