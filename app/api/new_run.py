"""The page of a new run as it is filled in: each edit kept, what it leads to, and Start.

Programs that know what they want use `POST /api/runs`.
"""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from app import setup as setups
from app.pages.new_run_parts import drawn
from app.pages.new_run_sheet import Sheet
from app.people import who
from app.setup import Setup, beginning, edits, tracing, verdict
from app.setup.plan import Plan
from studio import chains, db, drafts, queue, runs, sweeps
from studio.errors import StudioError
from studio.graders.choice import GraderChoice

router = APIRouter(prefix="/api", tags=["runs"])


class Where(BaseModel):
    """The draft, or what the page's address asked for while there is none."""

    draft: str = Field("", max_length=60, description="Empty starts a new one.")
    asked: dict[str, str] = Field(default_factory=dict, description="The query of the page's address.")

    def begin(self, session: Session) -> tuple[str, Setup]:
        key = self.draft or drafts.new_key("run")
        return key, beginning.current(session, self.asked | {"draft": key})


class Edit(Where):
    """What changed: texts by path (`parameters:learning_rate`), then what was reset, then what buttons did,
    as (verb, on what): ("add-grader", "exact_match")."""

    set: dict[str, str] = Field(default_factory=dict)
    reset: list[str] = Field(default_factory=list)
    act: list[tuple[str, str]] = Field(default_factory=list)
    graders: list[GraderChoice] = Field(default_factory=list, description="Added as they are.")
    known: dict[str, str] | None = Field(None, description="The page's own: tags of the parts it shows.")


@router.post("/new-run/drafts")
def keep(edit: Edit) -> dict[str, Any]:
    """Changes the draft and says what that leads to. What is typed is kept, right or wrong; `wrong` names the
    first field that is."""
    with db.transaction() as session:
        key, setup = edit.begin(session)
        for path, text in edit.set.items():
            edits.write(session, setup, path, text)
        for path in edit.reset:
            edits.reset(session, setup, path)
        for verb, on in edit.act:
            edits.act(session, setup, verb, on)
        edits.add_choices(setup, edit.graders)
        setup.problem = {}
        setups.put(session, key, setup)
        sheet = Sheet(session, setup, key)
        parts, tags = drawn(sheet, edit.known) if edit.known is not None else ({}, {})
        return {
            "draft": key,
            "button": sheet.verdict.button,
            "is_ready": sheet.verdict.is_ready,
            "wrong": sheet.verdict.wrong,
            "changed": changed(sheet.plan),
            "parts": parts,
            "tags": tags,
        }


def changed(plan: Plan) -> list[str]:
    """The paths of the settings that are not the recommended ones."""
    of_technique = [f"parameters:{name}" for name in plan.changed.technique]
    return of_technique + [f"adapter_parameters:{name}" for name in plan.changed.adapter]


@router.post("/new-run/start", status_code=201)
def start(where: Where, request: Request) -> dict[str, Any]:
    """Launches the draft: a run, a sweep or a chain. A refusal is kept in the draft, which stays."""
    try:
        with db.transaction() as session:
            key, setup = where.begin(session)
            url = launch(session, Plan(session, setup), who(request))
            drafts.drop(session, key)
    except StudioError as refusal:
        raise refused(where, refusal) from refusal
    queue.wake_workers()
    return {"url": url}


def launch(session: Session, plan: Plan, by: str) -> str:
    """Launches the plan; returns the address of what was started, of a chain that of its first run."""
    if steps := verdict.chain(plan):
        return f"/run?id={chains.launch(session, steps, by)[0].id}"
    config, fields = verdict.config(plan), verdict.sweep_fields(plan)
    if not fields:
        return f"/run?id={runs.launch(session, config, by).id}"
    made = sweeps.launch(
        session,
        config,
        name=config.name,
        fields=fields,
        method=verdict.method(plan),
        count=verdict.draws(plan),
        who=by,
    )
    return f"/runs?sweep={made.id}"


@router.post("/new-run/trace")
def trace(where: Where) -> dict[str, Any]:
    """Traces the memory of the draft with its own trainer, in a process of its own; takes some ten seconds.
    The draft keeps the result, and shows it until something is changed."""
    with db.reading() as session:
        asked = tracing.asked(Plan(session, where.begin(session)[1]))
    found = tracing.trace(asked)
    with db.transaction() as session:
        key, setup = where.begin(session)
        tracing.keep(setup, asked, found)
        setups.put(session, key, setup)
    return asdict(found)


def refused(where: Where, refusal: StudioError) -> StudioError:
    """The refusal with the path of its field, kept for the page to show."""
    with db.transaction() as session:
        key, setup = where.begin(session)
        field = refusal.field
        if ":" not in field:
            field = verdict.path_of(Plan(session, setup), field)
        told = StudioError(refusal.message, refusal.hint, field, refusal.lines)
        setup.problem = {"error": told.message, "hint": told.hint, "field": field}
        setups.put(session, key, setup)
    return told
