"""Climbs: a use case goes up its ladder by itself, up to a phase, within money and time.

A climb is a row. Workers look at it every few seconds (`look`), one at a time: where what it waits for has
ended, one transaction notes what came of it and launches what follows, so a step is launched exactly once
whoever dies. Everything is launched as people's own runs are, and waits behind them in the queue.
"""

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from studio import db, evaluations, events, ladder, loop, material, prompts, runs, techniques, use_cases
from studio.climb_steps import Limits, example_prompt, gates_of, next_entrants, say_left, wants_tries
from studio.errors import NotFound, Refused, StudioError
from studio.evaluations import EvaluationConfig
from studio.guide import document
from studio.loop import Look
from studio.models import Climb, Kind, Run, State, now

log = logging.getLogger("tunesmith.climbs")
GOING, DONE, STOPPED = "going", "done", "stopped"
BEHIND = -10  # people's own runs have 0
WHO = "climb"


# ---- what people do ----


def start(
    session: Session,
    project_id: int,
    until_phase: int,
    budget: float | None = None,
    seconds: float | None = None,
    who: str = "",
) -> Climb:
    """Lets a use case climb. Raises StudioError where it lacks what every step needs.

    Wake the workers after the commit (`queue.wake_workers`)."""
    db.lock_placement(session)
    project = use_cases.get(session, project_id)
    material.check_measurable(material.of(session, project))
    price = ladder.price(session).hour or 0.0
    _check_limits(until_phase, budget, seconds, price)
    if current(session, project_id):
        raise Refused(f"“{project.name}” is climbing already.", hint="Stop that climb first.")
    climb = Climb(
        project_id=project_id,
        state=GOING,
        until_phase=until_phase,
        budget=budget,
        gpu_price=price,
        seconds=seconds,
        steps=[],
    )
    session.add(climb)
    session.flush()
    limits = {"until_phase": until_phase, "budget": budget, "seconds": seconds, "gpu_price": price}
    events.record(session, "climb started", f"climb:{climb.id}", who, project=project_id, **limits)
    return climb


def _check_limits(until_phase: int, budget: float | None, seconds: float | None, price: float) -> None:
    phases = document.load().phases
    if str(until_phase) not in phases:
        raise StudioError(
            f"There is no phase {until_phase}.",
            hint=f"Choose one from 1 to {len(phases)}.",
            field="until_phase",
        )
    for name, limit in (("budget", budget), ("hours", seconds)):
        if limit is not None and not 0 < limit < float("inf"):
            raise StudioError("A limit is a number above 0.", hint="Leave it empty for no limit.", field=name)
    if budget is not None and not price:
        raise StudioError(
            "Money cannot be counted: nobody has said what an hour of a device costs.",
            hint="Set the price in the settings, or limit the time instead.",
            field="budget",
        )


def stop(session: Session, climb_id: int, who: str = "") -> Climb:
    """Ends a climb, and the run it waits for."""
    db.lock_placement(session)
    climb = get(session, climb_id)
    if climb.state != GOING:
        raise Refused("This climb has ended already.", hint="Start another one.")
    _stop_waited(session, climb, who)
    _end(session, climb, STOPPED, "Somebody stopped it.", who=who)
    return climb


def get(session: Session, climb_id: int) -> Climb:
    found = session.get(Climb, climb_id)
    if found is None:
        raise NotFound(f"There is no climb {climb_id}.", hint="The ladder of a use case shows its climbs.")
    return found


def listed(session: Session, project_id: int) -> list[Climb]:
    """The climbs of a use case, the newest first."""
    return list(
        session.scalars(select(Climb).where(Climb.project_id == project_id).order_by(Climb.id.desc()))
    )


def current(session: Session, project_id: int) -> Climb | None:
    """The climb that is going on."""
    return session.scalar(select(Climb).where(Climb.project_id == project_id, Climb.state == GOING))


# ---- what workers do ----


def look() -> bool:
    """Takes every climb a step on that waits for nothing more; whether something was launched or ended."""
    with db.reading() as session:
        waiting = session.scalars(select(Climb).where(Climb.state == GOING).order_by(Climb.id))
        due = [climb.id for climb in waiting if _is_due(session, climb)]
    moved = [_take_on(climb_id) for climb_id in due]
    return any(moved)


def _take_on(climb_id: int) -> bool:
    try:
        with db.transaction() as session:
            db.lock_placement(session)
            return advance(session, get(session, climb_id))
    except StudioError as refusal:
        _give_up(climb_id, str(refusal))
    except DBAPIError:
        raise
    except Exception as problem:  # a fault here must not keep this machine from placing runs
        log.exception("Climb %s met an error in the studio.", climb_id)
        _give_up(climb_id, f"An error in the studio: {problem!r}. The worker's log has the details.")
    return True


def _give_up(climb_id: int, reason: str) -> None:
    with db.transaction() as session:
        db.lock_placement(session)
        climb = get(session, climb_id)
        if climb.state == GOING:
            _end(session, climb, STOPPED, reason)


def _is_due(session: Session, climb: Climb) -> bool:
    waited = session.get(Run, climb.run_id) if climb.run_id else None
    return waited is None or waited.state not in runs.GOING or bool(Limits.of(session, climb).reached())


def advance(session: Session, climb: Climb) -> bool:
    """Notes what came of the step it waited for, and launches the next or ends. False where there is nothing
    to do yet: called again, it changes nothing."""
    if climb.state != GOING or not _is_due(session, climb):
        return False
    waited = session.get(Run, climb.run_id) if climb.run_id else None
    if not climb.steps:
        why = "First the model as it came, and the best way of asking it."
        _measure(session, climb, ladder.PROMPT, "Measure the starting point", why)
    elif waited is None:
        _end(session, climb, STOPPED, "The run it waited for was deleted.")
    elif waited.state in runs.GOING:
        _stop_waited(session, climb, WHO)
        _end(session, climb, STOPPED, Limits.of(session, climb).reached())
    elif waited.state != State.SUCCEEDED:
        message = waited.error.get("message") or ""
        word = "failed" if waited.state == State.FAILED else "was stopped"
        _end(session, climb, STOPPED, f"“{waited.name}” {word}. {message}".strip())
    elif waited.kind == Kind.TRAIN:
        phase, title = techniques.get(waited.technique).phase, f"Measure “{waited.name}”"
        why = "On the same questions as all that came before."
        _measure(session, climb, phase, title, why, made_by=waited)
    else:
        _decide(session, climb, waited)
    return True


def _measure(
    session: Session, climb: Climb, phase: int, title: str, why: str, made_by: Run | None = None
) -> None:
    project = use_cases.get(session, climb.project_id)
    found = material.of(session, project)
    if project.prompt_id is None and not prompts.of(session, project.id):
        example_prompt(session, project, found, WHO)
    entered = next_entrants(session, project, found, made_by)
    tries = loop.TRIES if wants_tries(found, entered, climb.until_phase) else 0
    config = ladder.evaluation(session, project, found, entered, samples=tries)
    _ask(session, climb, config, phase=phase, title=title, why=why, rule="")


def _ask(session: Session, climb: Climb, config: EvaluationConfig, **told: Any) -> None:
    if _has_room(session, climb, None):
        name = f"{use_cases.get(session, climb.project_id).name}: {told['title']}"[:200]
        run = evaluations.launch(session, config.model_copy(update={"name": name}), WHO)
        _launched(session, climb, run, **told)


def _decide(session: Session, climb: Climb, run: Run) -> None:
    """The rules of the loop say what the evaluation means. A step that lost is not built upon."""
    seen = loop.look(session, run, more_items=False)
    if seen is None:
        _end(session, climb, STOPPED, "The evaluation has no answers that the metric could score.")
        return
    advice, facts, lost = seen.advice, seen.facts, ""
    figures = facts.model_dump(include={"now", "low", "high", "asked", "verdict", "change", "pass_at_8"})
    _note(session, climb, says=advice.standing, found=advice.rule, figures=figures)
    project = seen.project
    project.phase = max(project.phase, facts.phase)
    if advice.do == "keep":
        lost = f"“{facts.subject}” is worse than what came before, so it is not built upon. "
        seen = loop.again(seen, facts.phase)
    elif advice.do == "collect":
        seen = loop.look(session, run) or seen  # close to the target, further questions are worth their time
    _follow(session, climb, seen, facts.phase, lost)


def _follow(session: Session, climb: Climb, seen: Look, phase: int, lost: str) -> None:
    advice = seen.advice
    why = f"{lost}{advice.says}"
    if advice.do == "stop":
        _end(session, climb, DONE, f"{lost}{advice.title}. {advice.says}", rule=advice.rule)
    elif advice.do == "measure" or (advice.do == "sample" and phase < climb.until_phase):
        config = loop.measuring(seen)
        _ask(session, climb, config, phase=phase, title=advice.title, why=why, rule=advice.rule)
    elif phase >= climb.until_phase:
        reason = f"{lost}Phase {phase} is measured, and it was to climb no higher."
        _end(session, climb, DONE, reason, rule=advice.rule)
    elif advice.do == "train" and phase < techniques.get(advice.technique).phase <= climb.until_phase:
        _train(session, climb, seen, why)
    elif advice.do == "train" and techniques.get(advice.technique).phase > climb.until_phase:
        reason = f"{why} It was to climb no higher than phase {climb.until_phase}."
        _end(session, climb, DONE, reason, rule=advice.rule)
    else:
        _end(session, climb, DONE, why, rule=advice.rule)


def _train(session: Session, climb: Climb, seen: Look, why: str) -> None:
    config = loop.training(session, seen, seen.advice.technique)
    phase = techniques.get(config.technique).phase
    gates = gates_of(seen, phase)
    if not all(gate["met"] for gate in gates):
        failing = next(gate["says"] for gate in gates if not gate["met"])
        _end(session, climb, DONE, f"Phase {phase} is not open: {failing}.", rule=seen.advice.rule)
    elif _has_room(session, climb, config):
        run = runs.launch(session, config.model_copy(update={"priority": BEHIND}), WHO)
        start = seen.start.name if config.technique != "sft" else run.model.name if run.model else ""
        title = f"{seen.found.guide.techniques[config.technique].title} from “{start}”"
        left = say_left(Limits.of(session, climb))
        told = {"title": title, "why": why, "rule": seen.advice.rule, "gates": [*gates, *left]}
        _launched(session, climb, run, phase=phase, **told)


def _has_room(session: Session, climb: Climb, config: runs.RunConfig | None) -> bool:
    """Whether the limits leave room for a next step; ends the climb where they do not."""
    refused = Limits.of(session, climb).refuses(session, config)
    if refused:
        _end(session, climb, STOPPED, refused)
    return not refused


def _launched(session: Session, climb: Climb, run: Run, **told: Any) -> None:
    run.priority = BEHIND
    climb.run_id = run.id
    climb.steps = [*climb.steps, {"run": run.id, "kind": run.kind.value, "at": now().isoformat(), **told}]
    events.record(session, "climb step", f"climb:{climb.id}", WHO, run=run.id, **told)


def _note(session: Session, climb: Climb, **known: Any) -> None:
    climb.steps = [*climb.steps[:-1], {**climb.steps[-1], **known}]
    events.record(session, "climb measured", f"climb:{climb.id}", WHO, **known)


def _end(session: Session, climb: Climb, state: str, reason: str, *, rule: str = "", who: str = WHO) -> None:
    climb.state, climb.reason, climb.ended = state, reason, now()
    events.record(session, f"climb {state}", f"climb:{climb.id}", who, reason=reason, rule=rule)


def _stop_waited(session: Session, climb: Climb, who: str) -> None:
    waited = session.get(Run, climb.run_id) if climb.run_id else None
    if waited and waited.state in runs.GOING:
        runs.stop(session, waited.id, who=who)


def run_ids(climb: Climb) -> Sequence[int]:
    """Every run it launched, in order."""
    return [step["run"] for step in climb.steps]
