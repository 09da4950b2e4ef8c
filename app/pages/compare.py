"""Runs side by side at /compare?runs=7,8: curves over one another, figures, settings that differ, samples.

The address carries the runs (`runs`), whether all settings are listed (`all=1`) and the search for more
runs (`find`).
"""

from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from sqlalchemy.orm import Session

from app import diagnosis
from app.navigation import Page
from app.pages import run_samples, run_settings, run_words
from app.pages.runs import is_wanted
from app.parts import Paced, Query, fragment, live, render
from app.toolkit import html
from studio import comparison, db, metrics, runs
from studio.models import Run, Sample

MOST = 8  # as many as there are colours for lines
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


@fragment("compare-samples")
def compare_samples(query: Query) -> Paced:
    with db.reading() as session:
        chosen = chosen_of(session, query)
        if len(chosen) < 2:
            return Paced(Markup(""), 0)
        body = render("compare_samples.html", runs=chosen, prompts=prompts(session, chosen))
    return Paced(body, CALM if any(run_words.is_active(run) for run in chosen) else 0)


def chosen_of(session: Session, query: Query) -> list[Run]:
    """The runs of the address, in its order."""
    found = (session.get(Run, number) for number in query.numbers("runs")[: 2 * MOST])
    return [run for run in found if run and run.kind in runs.CHARTED][:MOST]


def gone(session: Session, query: Query) -> list[int]:
    """Runs of the address that are no longer there."""
    return [number for number in query.numbers("runs")[: 2 * MOST] if session.get(Run, number) is None]


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
    titles = titles_of(chosen)
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


def titles_of(chosen: list[Run]) -> dict[str, str]:
    """Setting name, as `comparison` calls it, to its title."""
    titles = {"gpus": "Devices"}
    for run in chosen:
        if technique := run_words.technique_of(run):
            fields = technique.parameters.model_fields.items()
            titles |= {name: field.title or name for name, field in fields}
        if adapter := run_words.adapter_of(run):
            fields = adapter.parameters.model_fields.items()
            titles |= {
                f"{run.adapter}.{key}": f"{adapter.title}: {field.title or key}" for key, field in fields
            }
    return titles


def prompts(session: Session, chosen: list[Run]) -> list[tuple[Sample, list[Sample | None]]]:
    """(the first run's sample of the prompt, each run's newest answer to it), shared prompts first."""
    answers: dict[str, dict[int, Sample]] = {}
    for run in chosen:
        for first, latest in run_samples.ends_of(run_samples.samples_of(session, run.id)):
            answers.setdefault(first.prompt, {})[run.id] = latest or first
    rows = [
        (next(iter(by_run.values())), [by_run.get(run.id) for run in chosen]) for by_run in answers.values()
    ]
    return sorted(rows, key=lambda row: sum(answer is None for answer in row[1]))


def build() -> None:
    html(live("compare", every=1, rows=5), elem_id="compare")
    html(live("compare-samples", every=0, rows=1), elem_id="compare-samples")


PAGE = Page(path="/compare", title="Compare", build=build, icon="compare", order=210)
