"""Runs side by side at /compare?runs=7,8: curves over one another, figures, settings that differ, samples.

The address carries the runs (`runs`), whether all settings are listed (`all=1`) and the search for more
runs (`find`).
"""

from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from app import diagnosis
from app.navigation import Page
from app.pages import compare_relations, compare_samples, run_settings, run_words
from app.pages.compare_choice import MOST, chosen_of, gone
from app.pages.runs import is_wanted
from app.parts import Paced, Query, fragment, live, render
from app.toolkit import html
from studio import comparison, db, metrics, runs
from studio.models import Run

OFFERED = 60
CALM = 5.0
LEAST_IS_BEST = {"loss", "eval_loss"}


@fragment("compare")
def compare(query: Query) -> Paced:
    with db.reading() as session:
        chosen = chosen_of(session, query)
        all_settings = bool(query.text("all"))
        body = render(
            "compare.html",
            say=run_words,
            runs=chosen,
            marks=diagnosis.marks(session, chosen),
            gone=gone(session, query),
            most=MOST,
            others=offered(session, chosen, query.text("find")),
            find=query.text("find"),
            all_settings=all_settings,
            columns=columns(chosen),
            settings=settings(chosen, differences_only=not all_settings),
            link=lambda wanted, everything=all_settings: address(wanted, everything),
        )
    return Paced(body, 1 if any(run_words.is_active(run) for run in chosen) else CALM)


def offered(session: Session, chosen: list[Run], search: str) -> list[Run]:
    """Runs that could be added: those of the first chosen one's dataset first, then the newest. Older runs
    are found by searching: this is looked up every second."""
    every = runs.listed(session) if search else runs.listed(session, limit=OFFERED)
    data = chosen[0].dataset_version_id if chosen else None
    others = [run for run in every if run not in chosen and is_wanted(run, search, "")]
    return sorted(others, key=lambda run: (run.dataset_version_id != data, -run.id))[:OFFERED]


def address(wanted: list[Run], all_settings: bool) -> str:
    parts = {"runs": ",".join(str(run.id) for run in wanted)} | ({"all": "1"} if all_settings else {})
    return f"/compare?{urlencode(parts, safe=',')}"


def columns(chosen: list[Run]) -> list[dict[str, Any]]:
    """One column a headline metric: `{"title", "help", "key", "best"}`; `best` holds the ids of the runs that
    are best, and is empty where runs were not measured on the same held-out data."""
    if not chosen:
        return []
    wanted = ["loss", "eval_loss"]
    for run in chosen:
        technique = run_words.technique_of(run)
        groups = [(m.key, m.group) for m in technique.metrics] if technique else []
        wanted += [key for key, group in groups if group not in {"Loss", "Optimiser", "Throughput"}]
    present = [key for key in dict.fromkeys(wanted) if any(key in run.latest for run in chosen)]
    comparable = len({run.held_out_id for run in chosen}) == 1 and chosen[0].held_out_id is not None
    return [
        chart | {"best": best(chosen, chart["key"]) if comparable else set()}
        for chart in metrics.describe(chosen, present)
        if chart["key"] != "entropy"
    ]


def best(chosen: list[Run], key: str) -> set[int]:
    """Only figures on held-out data say which run is better."""
    values = {run.id: value for run in chosen if (value := run_words.value(run, key)) is not None}
    if not key.startswith("eval_") or len(values) < 2 or len(set(values.values())) == 1:
        return set()
    winner = (min if key in LEAST_IS_BEST else max)(values.values())
    return {run_id for run_id, value in values.items() if value == winner}


def settings(chosen: list[Run], *, differences_only: bool) -> list[dict[str, Any]]:
    """`comparison.table` with titles and worded values."""
    rows = comparison.table(chosen, differences_only=differences_only) if chosen else []
    titles = comparison.titles(chosen)
    return [
        {
            "name": row["setting"],
            "title": titles.get(row["setting"], row["setting"].capitalize()),
            "values": [
                run_settings.worded(value) if value not in (None, "") else "–" for value in row["values"]
            ],
            "differs": row["differs"],
        }
        for row in rows
    ]


def build() -> None:
    html(live("compare", every=1, rows=5), elem_id="compare")
    html(compare_relations.place(), elem_id="compare-relations")
    html(compare_samples.place(), elem_id="compare-samples")


PAGE = Page(path="/compare", title="Compare", build=build, icon="compare", order=210)
