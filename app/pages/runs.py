"""All runs in one live table at /runs: search, filter, choose some to compare, stop, resume, clone, delete.

The address carries search, filter and choice: `/runs?q=sft&state=failed&pick=7,8`.
"""

from urllib.parse import urlencode

from sqlalchemy.orm import Session

from app import diagnosis, forms
from app.navigation import Page
from app.pages import run_words, runs_sweep, waiting
from app.parts import Paced, Query, fragment, live, render
from app.toolkit import html
from studio import comparison, db, runs
from studio.models import Run, Sweep

MOST = 500
AT_FIRST = 100  # rows shown until a person asks for the rest: the table is sent every second
CALM = 3.0  # seconds between looks while nothing runs


@fragment("runs")
def runs_table(query: Query) -> Paced:
    with db.reading() as session:
        every = runs.listed(session, limit=MOST)
        sweep = chosen_sweep(session, query.maybe("sweep"))
        if sweep is not None:
            every = [run for run in every if run.sweep_id == sweep.id]
        search, state = query.text("q").strip(), query.text("state")
        wanted = [run for run in every if is_wanted(run, search, state)]
        ranking = runs_sweep.ranking(session, sweep) if sweep else None
        wanted = ranking.ordered(wanted) if ranking else wanted
        shown = wanted if query.text("show") == "all" else wanted[:AT_FIRST]
        chosen = [run.id for run in every if run.id in set(query.numbers("pick"))]
        body = render(
            "runs.html",
            say=run_words,
            queue=waiting.look(session),
            runs=shown,
            marks=diagnosis.marks(session, shown),
            total=len(every),
            more=len(wanted) - len(shown),
            most=MOST,
            search=search,
            state=state,
            filters=count(every),
            chosen=chosen,
            link=lambda state, pick, show="": address(search, state, pick, show, sweep),
            sweep=sweep,
            ranking=ranking,
            readable=forms.readable,
            hidden=[number for number in chosen if number not in {run.id for run in shown}],
        )
    is_quick = len(shown) <= AT_FIRST and any(run_words.is_active(run) for run in every)
    return Paced(body, 1 if is_quick else CALM)


def is_wanted(run: Run, search: str, state: str) -> bool:
    """In this state, and found by the search."""
    if run.state not in run_words.FILTERS.get(state, run_words.FILTERS[""])[1]:
        return False
    return comparison.is_wanted(run, search, f"{run_words.technique(run)} {run_words.adapter(run)}")


def count(every: list[Run]) -> list[tuple[str, str, int]]:
    """(value, word, how many runs) of each filter."""
    return [
        (value, word, sum(run.state in states for run in every))
        for value, (word, states) in run_words.FILTERS.items()
    ]


def chosen_sweep(session: Session, sweep_id: int | None) -> Sweep | None:
    """The sweep of the address; None when it names none, or one that is not there."""
    return session.get(Sweep, sweep_id) if sweep_id else None


def address(search: str, state: str, pick: list[int], show: str, sweep: Sweep | None = None) -> str:
    parts = {"q": search, "state": state, "pick": ",".join(map(str, pick)), "show": show}
    parts["sweep"] = str(sweep.id) if sweep else ""
    present = {name: text for name, text in parts.items() if text}
    return "/runs" + (f"?{urlencode(present, safe=',')}" if present else "")


def build() -> None:
    html(live("runs", every=1, rows=6), elem_id="runs")


PAGE = Page(path="/runs", title="Runs", build=build, icon="runs", order=200)
