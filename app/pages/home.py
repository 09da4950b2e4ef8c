"""The first page: where the use case stands on the ladder, what runs now, and the one next step."""

from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.navigation import Page
from app.pages import run_words, waiting
from app.parts import Paced, Query, fragment, live, render, words
from app.toolkit import html
from studio import climbs, db, loop, runs, sample, techniques, use_cases
from studio import ladder as of_project
from studio.guide import document
from studio.models import Answer, Dataset, Kind, Model, Project, Recommendation, Run, State

CALM = 4.0
GAINS = {"better": "gained", "worse": "lost", "open": "gained nothing shown"}
MOST_ACTIVE, ENDED_SHOWN = 6, 4  # runs listed


@dataclass(frozen=True)
class Rung:
    """One phase. `state`: done, now or later; `note` says why in a few words."""

    number: int
    name: str
    meaning: str
    gains: str
    state: str
    note: str


@dataclass(frozen=True)
class Step:
    """The one next step: a sentence, why, and where it leads. `command` is typed in a terminal instead."""

    title: str
    text: str
    word: str = ""
    href: str = ""
    command: str = ""


@fragment("home")
def home(_query: Query) -> Paced:
    with db.reading() as session:
        every = runs.listed(session, limit=200)
        project = use_cases.current(session)
        if not every and project is None and session.scalar(select(func.count()).select_from(Dataset)) == 0:
            return Paced(
                render("home_empty.html", ladder=ladder(None, []), templates=sample.templates()), CALM
            )
        queue = waiting.look(session)
        active = [run for run in every if run_words.is_in_progress(run)]
        active += [run for run in queue.order if run.kind == Kind.TRAIN]
        body = render(
            "home.html",
            say=run_words,
            queue=queue,
            project=project,
            target=use_cases.target(project) if project else None,
            ladder=measured(session, project, ladder(project, every)),
            active=active[:MOST_ACTIVE],
            more=max(0, len(active) - MOST_ACTIVE),
            ended=[run for run in every if run not in active][:ENDED_SHOWN],
            step=climbing(session, project, queue)
            or said(session, project, every)
            or next_step(session, every, queue),
        )
    return Paced(body, 1 if active else CALM)


def ladder(project: Project | None, every: list[Run]) -> list[Rung]:
    """The four phases. One is done when the use case says so, or a run of one of its techniques succeeded."""
    mine = [run for run in every if project and run.project_id in (project.id, None)]
    reached = project.phase if project else 0
    guide = document.load()
    rungs: list[Rung] = []
    for key, phase in guide.phases.items():
        number = int(key)
        names = {technique.name for technique in techniques.all() if technique.phase == number}
        of_phase = [run for run in mine if run.technique in names]
        done = sum(run.state == State.SUCCEEDED for run in of_phase)
        active = sum(run_words.is_in_progress(run) for run in of_phase)
        queued = sum(run.state == State.QUEUED for run in of_phase)
        is_done = number <= reached or done > 0
        is_next = project is not None and not is_done and all(rung.state == "done" for rung in rungs)
        state = "now" if active or queued or is_next else "done" if is_done else "later"
        meaning = next(each.meaning for each in guide.techniques.values() if each.title in phase.name)
        gains = f"AWS reports {phase.outcome[0]}"
        rungs.append(Rung(number, phase.name, meaning, gains, state, note(done, active, queued, is_next)))
    return rungs


def measured(session: Session, project: Project | None, rungs: list[Rung]) -> list[Rung]:
    """The same with what each phase reached by the metric that decides, where that was measured."""
    figures = {each.phase: each for each in of_project.of(session, project).rungs} if project else {}
    found = []
    for rung in rungs:
        reached = figures.get(rung.number)
        if reached and reached.figure:
            figure = reached.figure
            ends = f"{words.percent(figure.low)} to {words.percent(figure.high)}"
            gained = f", {GAINS[reached.verdict]}" if reached.verdict else ""
            state = "done" if rung.state == "later" else rung.state
            rung = replace(rung, state=state, note=f"{words.percent(figure.value)} ({ends}){gained}")
        found.append(rung)
    return found


def climbing(session: Session, project: Project | None, queue: waiting.Queue) -> Step | None:
    """A climb that is going on is the next step by itself."""
    climb = climbs.current(session, project.id) if project else None
    if project is None or climb is None or queue.is_stuck:
        return None
    doing = climb.steps[-1]["title"] if climb.steps else "It begins in a moment"
    address = f"/ladder?project={project.id}"
    return Step(f"“{project.name}” is climbing by itself", f"{doing}.", "Watch the climb", address)


def said(session: Session, project: Project | None, every: list[Run]) -> Step | None:
    """What the newest measurement of the use case says, unless runs since then come first."""
    seen = loop.newest(session, project) if project else None
    later = [run for run in every if seen and run.id > seen.run.id]
    if seen is None or any(run.state != State.CANCELLED for run in later):
        return None
    address = f"/evaluate?id={seen.run.id}"
    return Step(seen.advice.title, f"{seen.advice.standing} {seen.advice.says}", "See what it says", address)


def note(done: int, active: int, queued: int, is_next: bool) -> str:
    counts = ((active, "in progress"), (queued, "queued"), (done, "done"))
    parts = [f"{number} run{'s' if number > 1 else ''} {word}" for number, word in counts if number]
    return ", ".join(parts) or ("next" if is_next else "")


def next_step(session: Session, every: list[Run], queue: waiting.Queue) -> Step:
    """The first thing that applies, most urgent first."""
    if queue.is_stuck:
        return Step(
            "Start a worker",
            "Runs wait in the queue, and no worker is there to take them up.",
            command="tunesmith worker",
        )
    newest = every[0] if every else None
    if newest is None:
        return first_run(session)
    if newest.state == State.FAILED:
        message = newest.error.get("message") or "It left no message."
        return Step(f"See why “{newest.name}” failed", message, "Open the run", f"/run?id={newest.id}")
    if newest.state == State.PAUSED:
        text = f"It stands at step {newest.step:,} and goes on from its checkpoint."
        return Step(f"Resume “{newest.name}”", text, "Open the run", f"/run?id={newest.id}")
    active = next((run for run in reversed(every) if run_words.is_active(run)), None)
    if active:
        text = "Its curves, samples and log update while it trains."
        return Step(f"Watch “{active.name}”", text, "Open the run", f"/run?id={active.id}")
    talks = select(Model).where(Model.run_id.is_not(None), Model.kind == "language")
    made = session.scalar(talks.order_by(Model.id.desc()).limit(1))
    if made and not session.scalar(select(Answer.id).where(Answer.model_id == made.id).limit(1)):
        models = f"{made.base_id},{made.id}" if made.base_id else str(made.id)
        text = "Ask it beside the model it was made from, and see what training changed."
        return Step(f"Try “{made.name}”", text, "Chat with it", f"/try?models={models}")
    text = "Change one thing, then compare: that shows what helped."
    return Step(f"Improve on “{newest.name}”", text, "Clone with changes", f"/new-run?clone={newest.id}")


def first_run(session: Session) -> Step:
    """There is data but no run yet: follow the guide's answer, or ask it."""
    if session.scalar(select(Recommendation.id).limit(1)):
        return Step(
            "Start the first run", "Your data is here and the guide has answered.", "New run", "/new-run"
        )
    text = "Eight short questions tell which technique fits your data and goal, and why."
    current = use_cases.current(session)
    href = f"/guide?project={current.id}" if current else "/guide"
    return Step("Find the technique that fits", text, "Answer the guide", href)


def build() -> None:
    html(live("home", every=1, rows=6), elem_id="home")


PAGE = Page(path="/", title="Home", build=build, icon="home", order=0)
