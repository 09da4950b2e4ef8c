"""The loop over REST: what an evaluation says, and going on as it says."""

from typing import Any

from fastapi import APIRouter, Request

from app import setup
from app.people import who
from app.setup import beginning
from studio import db, drafts, evaluations, loop, queue, runs
from studio.errors import NotFound
from studio.loop import Look

router = APIRouter(prefix="/api", tags=["evaluations"])


@router.get("/evaluations/{run_id}/says")
def says(run_id: int) -> dict[str, Any]:
    """What the numbers say: the rule, the figures it looked at, and the words."""
    with db.reading() as session:
        seen = find(session, run_id)
        return {**seen.advice.model_dump(), "facts": seen.facts.model_dump()}


@router.post("/evaluations/{run_id}/next", status_code=201)
def go_on(run_id: int, request: Request) -> dict[str, str]:
    """Sets up what the numbers say: a filled form, a further evaluation that starts at once, or the guide
    with what was measured. Answers with its address."""
    with db.transaction() as session:
        seen = find(session, run_id)
        address = GO_ON[seen.advice.do](session, seen, who(request))
    queue.wake_workers()
    return {"url": address}


def find(session: Any, run_id: int) -> Look:
    seen = loop.look(session, runs.get(session, run_id))
    if seen is None:
        raise NotFound(
            f"Evaluation {run_id} says nothing about a use case.",
            hint="It has to be done, belong to one, and be scored by its first criterion.",
        )
    return seen


def _train(session: Any, seen: Look, _who: str) -> str:
    return _filled(session, beginning.of_config(session, loop.training(session, seen, seen.advice.technique)))


def _measure(session: Any, seen: Look, by: str) -> str:
    return f"/evaluate?id={evaluations.launch(session, loop.measuring(seen), by).id}"


def _change(_session: Any, seen: Look, _who: str) -> str:
    """The step that lost, as it was set up; the prompt where it was no training."""
    made_by = seen.subject.run_id
    return f"/new-run?clone={made_by}" if made_by else f"/prompts?project={seen.project.id}"


def _ask(session: Any, seen: Look, _who: str) -> str:
    key = drafts.new_key("guide")
    drafts.put(session, key, {"answers": loop.answers(seen), "project": seen.project.id})
    return f"/guide?draft={key}"


def _filled(session: Any, setting: setup.Setup) -> str:
    key = drafts.new_key("run")
    setup.put(session, key, setting)
    return f"/new-run?draft={key}"


GO_ON = {
    "train": _train,
    "measure": _measure,
    "sample": _measure,
    "keep": _change,
    "guide": _ask,
    "stop": lambda _session, seen, _who: f"/ladder?project={seen.project.id}",
    "collect": lambda _session, _seen, _who: "/datasets",
}
