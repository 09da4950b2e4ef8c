"""Letting a use case climb its ladder by itself, and watching it."""

import time
from typing import Any

import click

from app.cli.speech import answer, pairs, table
from studio.errors import NotFound


@click.command()
@click.argument("project")
@click.option("--until", "until_phase", default=4, show_default=True, help="The phase to climb up to.")
@click.option("--hours", type=float, help="Stop after so many hours.")
@click.option(
    "--budget", type=float, help="Stop when so much was spent, by the price of an hour in the settings."
)
@click.option("--wait", is_flag=True, help="Return when it has ended.")
@answer(lambda data: _speak(data))
def climb(
    project: str, until_phase: int, hours: float | None, budget: float | None, wait: bool
) -> dict[str, Any]:
    """Let a use case, by its number or name, climb by itself: measure, train what the guide's rules say comes
    next, measure again, up to a phase or a limit."""
    from studio import climbs, db, queue

    seconds = hours * 3600 if hours is not None else None
    with db.transaction() as session:
        started = climbs.start(
            session, _find(session, project), until_phase, budget=budget, seconds=seconds, who="command line"
        )
        data = _as_json(started)
    queue.wake_workers().result()
    while wait and data["state"] == climbs.GOING:
        time.sleep(0.5)
        with db.reading() as session:
            data = _as_json(climbs.get(session, data["id"]))
    return data


def _find(session: Any, reference: str) -> int:
    from sqlalchemy import select

    from studio.models import Project

    if reference.isdigit():
        return int(reference)
    found = session.scalar(select(Project.id).where(Project.name == reference))
    if found is None:
        raise NotFound(f"There is no use case “{reference}”.", hint="The Use cases page lists them.")
    return int(found)


def _as_json(found: Any) -> dict[str, Any]:
    return {
        "id": found.id,
        "state": found.state,
        "until_phase": found.until_phase,
        "reason": found.reason,
        "steps": found.steps,
    }


def _speak(data: dict[str, Any]) -> str:
    figures = {name: value for name, value in data.items() if name != "steps"}
    steps = [
        {"phase": step["phase"], "step": step["title"], "run": step["run"], "rule": step.get("found", "")}
        for step in data["steps"]
    ]
    parts = [pairs(figures), *([table("phase", "step", "run", "rule")(steps)] if steps else [])]
    return "\n\n".join(parts)


COMMANDS = (climb,)
