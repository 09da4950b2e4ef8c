"""The prompt lab's failures: the answers that fell short, tagged with the kinds that people name, and how
often each kind is. A helper of /prompts, no page.
"""

from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.parts import Query, fragment, render
from studio import db, evaluations, failures, use_cases
from studio.errors import NotFound
from studio.models import FailureKind, Project, Run

SHOWN = 20
KEYS = 9  # kinds that a number key gives


def listing(session: Session, project: Project, query: Query) -> dict[str, Any]:
    runs = failures.evaluations_of(session, project)
    run = evaluation(runs, query.maybe("run")) or next(iter(runs), None)
    if run is None:
        return {"run": None}
    names = evaluations.names(run)
    who = query.maybe("contestant", len(names) - 1)
    who = who if who is not None and who < len(names) else len(names) - 1
    kinds = failures.kinds_of(session, project.id)
    kind = wanted(query.text("kind"), kinds)
    start = query.maybe("first", 0) or 0
    found, total = failures.of(session, run, who, kind=kind, start=start, count=SHOWN)
    base = f"/prompts?project={project.id}&tab=failures&run={run.id}"
    return {
        "run": run,
        "runs": runs,
        "names": names,
        "who": who,
        "metric": evaluations.deciding(run),
        "kinds": kinds,
        "given": {each.id: failures.times_given(session, each.id) for each in kinds},
        "kind": kind,
        "unnamed": failures.UNNAMED,
        "found": found,
        "total": total,
        "start": start,
        "base": base,
        "link": f"{base}&contestant={who}" + (f"&kind={kind}" if kind else ""),
        "before": max(0, start - SHOWN) if start else None,
        "after": start + SHOWN if start + SHOWN < total else None,
        "keys": KEYS,
    }


def evaluation(runs: list[Run], number: int | None) -> Run | None:
    return next((each for each in runs if each.id == number), None)


def wanted(given: str, kinds: list[FailureKind]) -> int | str | None:
    if given == failures.UNNAMED:
        return given
    return next((each.id for each in kinds if str(each.id) == given), None)


@fragment("failure-counts")
def counts(query: Query) -> Markup:
    """How often each contestant failed in each way."""
    with db.reading() as session:
        project = use_cases.get(session, query.number("project"))
        run = evaluation(failures.evaluations_of(session, project), query.number("run"))
        if run is None:
            raise NotFound("This use case has no such evaluation.", hint="Choose one from the list.")
        kinds = failures.kinds_of(session, project.id)
        told = failures.counts(session, run, kinds)
        return render(
            "prompts_counts.html",
            told=told,
            names=evaluations.names(run),
            link=f"/prompts?project={project.id}&tab=failures&run={run.id}",
            unnamed=failures.UNNAMED,
        )
