"""One run at /run?id=7: what it is doing, its charts, samples, settings, log and history.

Header, figures and the view below the tabs are live fragments; the address says which run and which tab.
"""

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.navigation import Page
from app.pages import run_doctor, run_figures, run_samples, run_settings, run_story, run_words, waiting
from app.parts import Paced, Query, fragment, live, render
from app.setup import offers
from app.toolkit import html
from studio import db, lineage, loop, metrics, runs
from studio.errors import StudioError
from studio.models import LogPart, Model, Run, State, Sweep

TABS = [
    ("charts", "Charts"),
    ("samples", "Samples"),
    ("settings", "Settings"),
    ("log", "Log"),
    ("history", "History"),
]
CALM = 5.0  # seconds between looks at a run that is over: somebody may resume it
LOG_PARTS = 400


@fragment("run-header")
def run_header(query: Query) -> Paced:
    with db.reading() as session:
        run = find(session, query)
        if run is None:
            return Paced(render("run_missing.html", id=query.text("id")), 0)
        model = result_of(session, run)
        body = render(
            "run_header.html",
            run=run,
            say=run_words,
            queue=waiting.look(session),
            model=model,
            onward=onward(run, model),
            origins=list(lineage.ancestors(session, run))[::-1],
            followers=lineage.followers(session, run),
            parent=session.get(Run, run.parent_id) if run.parent_id else None,
            sweep=session.get(Sweep, run.sweep_id) if run.sweep_id else None,
            seen=loop.of_run(session, run),
            last_words=last_words(session, run) if run.state == State.FAILED else "",
        )
        return Paced(body, 1 if run_words.is_active(run) else CALM)


@fragment("run-now")
def run_now(query: Query) -> Paced:
    """What moves while it trains: step, figures and time."""
    with db.reading() as session:
        run = find(session, query)
        if run is None:
            return Paced(Markup(""), 0)
        body = render(
            "run_now.html",
            run=run,
            say=run_words,
            figures=run_figures.of(session, run),
            wide=run_figures.WIDE,
            high=run_figures.HIGH,
        )
        return Paced(body, 1 if run_words.is_active(run) else CALM)


@fragment("run-view")
def run_view(query: Query) -> Paced:
    tab = query.text("tab", "charts")
    with db.reading() as session:
        run = find(session, query)
        if run is None:
            return Paced(Markup(""), 0)
        show = VIEWS.get(tab, VIEWS["charts"])
        body = render("run_tabs.html", run=run, tab=tab if tab in VIEWS else "charts", tabs=TABS)
        return Paced(body + show(session, run, query), 1 if run_words.is_active(run) else CALM)


def find(session: Session, query: Query) -> Run | None:
    """The run of the address; None when it names none, or one that is not there."""
    try:
        return runs.get(session, query.number("id"))
    except StudioError:
        return None


def result_of(session: Session, run: Run) -> Model | None:
    """The model a run made: the newest, should there be several."""
    return session.scalar(select(Model).where(Model.run_id == run.id).order_by(Model.id.desc()).limit(1))


def onward(run: Run, model: Model | None) -> tuple[str, str]:
    """The words of the button that sets up a run after this one, and what it would do. Empty where no
    technique takes what this one makes, or where it will make nothing."""
    kind = model.kind if model else offers.made_by(run) if run_words.is_going(run) else ""
    if kind not in ("language", "reward"):
        return "", ""
    does = "learns from this one's reward" if kind == "reward" else "starts from this one's result"
    if model:
        return "Continue from it", f"A new run that {does}"
    return "Queue what follows", f"A new run that {does}, and waits for it"


def last_words(session: Session, run: Run) -> str:
    """The end of the log, to stand beside an error."""
    parts = session.scalars(
        select(LogPart.text).where(LogPart.run_id == run.id).order_by(LogPart.seq.desc()).limit(3)
    ).all()
    return "\n".join(plain("".join(reversed(parts))).splitlines()[-15:])


def charts(session: Session, run: Run, _query: Query) -> Markup:
    empty = {
        State.QUEUED: "The first points appear here seconds after the run has started.",
        State.CLAIMED: "The first points appear here as soon as the model is loaded.",
        State.RUNNING: "The first points appear here as soon as the model is loaded.",
    }.get(run.state, "This run ended before its first step, so there is nothing to draw.")
    thinned = metrics.is_thinned(session, run.id)
    return render("run_charts.html", run=run, empty=empty, thinned=thinned)


def log(session: Session, run: Run, _query: Query) -> Markup:
    """The newest pieces of the log, each with a key, so that an update only appends."""
    newest = session.scalars(
        select(LogPart).where(LogPart.run_id == run.id).order_by(LogPart.seq.desc()).limit(LOG_PARTS)
    ).all()
    parts = [(part.seq, plain(part.text)) for part in reversed(newest)]
    return render("run_log.html", run=run, parts=parts, is_active=run_words.is_active(run))


def plain(text: str) -> str:
    """Terminal output as lines: of a progress bar that redraws itself only the last state counts."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


VIEWS = {
    "charts": charts,
    "samples": run_samples.show,
    "settings": run_settings.show,
    "log": log,
    "history": run_story.show,
}


def build() -> None:
    html(live("run-header", every=1, rows=2), elem_id="run-header")
    html(live("run-now", every=1, rows=2), elem_id="run-now")
    html(live(run_doctor.PART, every=3, rows=1), elem_id=run_doctor.PART)
    html(live("run-view", every=1, rows=6), elem_id="run-view")


PAGE = Page(path="/run", title="Run", build=build, in_nav=False, under="/runs")
