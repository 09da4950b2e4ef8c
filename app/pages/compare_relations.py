"""Settings against what came of them, on /compare: parallel coordinates, a scatter, a table behind both.

The address says which metric (`figure`) and which of its values (`how`) stand for a run, and what the scatter
shows: `x`, `y` and their scales (`scale_x`, `scale_y`: even or log). `static/relations.js` draws.
"""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.pages.compare_choice import Asked, calm
from app.parts import Paced, Query, fragment, live, render
from studio import metrics
from studio.comparison import relations
from studio.comparison.relations import Axis
from studio.models import Run

SCALES = {"": "automatic", "even": "linear", "log": "log"}
LOG = {"even": False, "log": True}


@fragment("compare-relations")
def compare_relations(query: Query) -> Paced:
    return calm(query, show)


def show(session: Session, asked: Asked, query: Query) -> Markup:
    chosen = asked.shown
    offered = relations.offered(chosen)
    known = {each["key"] for each in offered}
    key = taken(query, "figure", known, relations.usual(chosen))
    how = taken(query, "how", relations.HOW, "newest")
    axes = relations.settings(chosen)
    figure = relations.metric(session, chosen, key, how) if key else None
    plane = scatter(session, asked, query, axes, figure, how) if figure else None
    return render(
        "compare_relations.html",
        runs=chosen,
        offered=offered,
        key=key,
        how=how,
        hows=relations.HOW,
        scales=SCALES,
        axes=axes,
        figure=figure,
        parallel=parallel(asked, axes, figure) if figure and axes else None,
        plane=plane,
        choices=[(f"setting:{axis.key}", axis.title) for axis in axes],
    )


def taken(query: Query, name: str, allowed: Any, usual: str) -> str:
    """What the address says, where it is one of those allowed."""
    said = query.text(name)
    return said if said in allowed else usual


def parallel(asked: Asked, axes: Sequence[Axis], figure: Axis) -> dict[str, Any]:
    """What `data-relations` holds: the axes, the metric last."""
    return {
        "axes": [axis.as_json() for axis in (*axes, figure)],
        "runs": named(asked),
        "better": metrics.better(asked.shown, figure.key),
    }


def named(asked: Asked) -> list[dict[str, Any]]:
    return [{"id": run.id, "name": run.name, "place": asked.places[run.id]} for run in asked.shown]


def scatter(
    session: Session, asked: Asked, query: Query, axes: Sequence[Axis], figure: Axis, how: str
) -> dict[str, Any]:
    """What the scatter shows: its two axes as chosen, and which runs differ only in their seed."""
    chosen = asked.shown
    known = {each["key"] for each in relations.offered(chosen)}
    names = {f"setting:{axis.key}" for axis in axes} | known
    numbers = [axis for axis in axes if axis.scale.kind != "words" and axis.key not in ("seed", "gpus")]
    usual = f"setting:{(numbers or axes)[0].key}" if axes else figure.key
    x = taken(query, "x", names, usual)
    y = taken(query, "y", known, figure.key)
    across = axis_of(session, chosen, axes, x, how, LOG.get(query.text("scale_x")))
    up = axis_of(session, chosen, axes, y, how, LOG.get(query.text("scale_y")))
    return {
        "x": x,
        "y": y,
        "scale_x": taken(query, "scale_x", SCALES, ""),
        "scale_y": taken(query, "scale_y", SCALES, ""),
        "across": across,
        "up": up,
        "drawn": {
            "x": across.as_json(),
            "y": up.as_json(),
            "runs": named(asked),
            "together": relations.apart_by_seed(chosen),
        },
        "left_out": sum(None in pair for pair in zip(across.places, up.places, strict=True)),
    }


def axis_of(
    session: Session, chosen: Sequence[Run], axes: Sequence[Axis], name: str, how: str, log: bool | None
) -> Axis:
    """The axis of a setting (`setting:learning_rate`) or of a metric."""
    for axis in axes:
        if f"setting:{axis.key}" == name:
            return relations.axis(axis.key, axis.title, axis.values, log=log)
    return relations.metric(session, chosen, name, how, log=log)


def place() -> str:
    return live("compare-relations", every=0, rows=1)
