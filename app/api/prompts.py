"""The prompt lab over REST: versions of a use case's prompt, examples for them, what they are worth."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.api.plain import plain
from app.api.runs import as_json
from app.people import who
from studio import db, prompts, queue, use_cases
from studio.datasets import library
from studio.errors import StudioError
from studio.models import Prompt
from studio.prompting import Example
from studio.prompts import differences, examples, measuring, trying
from studio.prompts.examples import Way
from studio.prompts.measuring import Measured, Measurement

router = APIRouter(prefix="/api/prompts", tags=["prompts"])


class New(BaseModel):
    """The next version. `prompting` is its instruction (`system`), `template` and solved `examples`."""

    project: int
    name: str = Field("", max_length=200)
    prompting: dict[str, Any] = Field(default_factory=dict)
    parent: int | None = None


class Named(BaseModel):
    name: str = Field(max_length=200)


class Chosen(BaseModel):
    """`prompt` is the version a use case asks with; null: its rows as they are."""

    project: int
    prompt: int | None = None


class Asked(BaseModel):
    """A draft, and the row (from 0) of the held-out set that it would be asked about."""

    project: int
    prompting: dict[str, Any] = Field(default_factory=dict)
    row: int = Field(0, ge=0)


class Wanted(BaseModel):
    """Rows of a dataset version by their numbers (from 0), or else `count` taken at random or as different as
    can be."""

    project: int
    version: int
    rows: list[int] = Field(default_factory=list, max_length=64)
    count: int = Field(3, ge=1, le=64)
    way: Way = Way.RANDOM
    seed: int = Field(0, ge=0, le=2**31 - 1)


@router.get("")
def listed(project: int) -> list[dict[str, Any]]:
    """The versions of a use case, the newest first, each with what was measured of it."""
    with db.reading() as session:
        measured = measuring.of(session, use_cases.get(session, project))
        return [
            prompt_json(each) | {"measured": [told(one) for one in measured if one.prompt_id == each.id]}
            for each in prompts.of(session, project)
        ]


@router.post("", status_code=201)
def create(new: New, request: Request) -> dict[str, Any]:
    with db.transaction() as session:
        made = prompts.create(
            session,
            new.project,
            prompts.read(new.prompting),
            name=new.name,
            parent_id=new.parent,
            who=who(request),
        )
        return prompt_json(made)


@router.post("/choose")
def choose(chosen: Chosen, request: Request) -> dict[str, Any]:
    """Says how a use case asks."""
    with db.transaction() as session:
        project = use_cases.get(session, chosen.project)
        prompts.choose(session, project, chosen.prompt, who(request))
        return {"project": project.id, "prompt": project.prompt_id}


@router.post("/preview")
def preview(asked: Asked) -> dict[str, Any]:
    """The messages a model would get."""
    with db.reading() as session:
        project = use_cases.get(session, asked.project)
        found = trying.asked(session, project, prompts.read(asked.prompting), asked.row)
        if found is None:
            raise StudioError("There are no rows to ask about yet.", field="project")
        about = {"source": found.source.title, "rows": found.source.rows}
        return {"messages": found.messages, "reference": found.reference} | about


@router.post("/examples")
def find(wanted: Wanted) -> list[Example]:
    """Solved examples from training rows. Held-out ones are refused."""
    with db.reading() as session:
        project = use_cases.get(session, wanted.project)
        version = library.get_version(session, wanted.version)
        if wanted.rows:
            return examples.pick(session, project, version, wanted.rows)
        return examples.take(session, project, version, wanted.count, wanted.way, seed=wanted.seed)


@router.post("/measure", status_code=201)
def measure(wanted: Measurement, request: Request) -> dict[str, Any]:
    """Queues an evaluation of models × versions; every model also answers as it is."""
    with db.transaction() as session:
        run = measuring.launch(session, wanted, who(request))
        answer = as_json(run) | {"url": f"/evaluate?id={run.id}"}
    queue.wake_workers()
    return answer


@router.get("/{prompt_id}")
def show(prompt_id: int) -> dict[str, Any]:
    with db.reading() as session:
        return prompt_json(prompts.get(session, prompt_id))


@router.get("/{prompt_id}/differences")
def differ(prompt_id: int, before: int) -> dict[str, Any]:
    """What this version changed since the version `before`, and what the change was worth where both answered
    the same questions."""
    with db.reading() as session:
        first, second = prompts.get(session, before), prompts.get(session, prompt_id)
        found = measuring.compared(session, first, second)
        return {
            "changes": differences.between(prompts.prompting_of(first), prompts.prompting_of(second)),
            "evaluation": found[0].id if found else None,
            "measured": [{"model": model} | asdict(each) for model, each in found[1]] if found else [],
        }


@router.patch("/{prompt_id}")
def rename(prompt_id: int, named: Named, request: Request) -> dict[str, Any]:
    """Changes a version's name, which is all that may change."""
    with db.transaction() as session:
        return prompt_json(prompts.rename(session, prompt_id, named.name, who(request)))


@router.delete("/{prompt_id}", status_code=204)
def remove(prompt_id: int, request: Request) -> Response:
    """Removes a version that nothing used."""
    with db.transaction() as session:
        prompts.remove(session, prompt_id, who(request))
    return Response(status_code=204)


def prompt_json(prompt: Prompt) -> dict[str, Any]:
    about = plain(prompt, "id number name prompting parent_id created")
    return about | {"project": prompt.project_id, "title": prompts.title(prompt)}


def told(measured: Measured) -> dict[str, Any]:
    about = {"model": measured.model, "evaluation": measured.run.id, "beside": measured.plain}
    return about | asdict(measured.told)
