"""What is marked on a run's charts: kept checkpoints, evaluations, resumes and what changed with them."""

from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from studio import attempts, db, events, marks, metrics, runs
from studio.marks import Mark
from studio.models import Run, State
from tests import made_runs


def made(session: Session, **config: Any) -> Run:
    return made_runs.made(
        session, made_runs.base(session), made_runs.version(session), State.RUNNING, **config
    )


def say(session: Session, run: Run, *entries: dict[str, Any]) -> None:
    attempts.absorb(session, run.id, entries, attempt=run.attempt, offset=0)


def measure(step: int, **values: float) -> dict[str, Any]:
    return {"kind": "metric", "step": step, "time": 1e9 + step, "data": values}


def checkpoint(step: int) -> dict[str, Any]:
    return {"kind": "checkpoint", "step": step, "folder": f"runs/1/checkpoints/checkpoint-{step}"}


def found(session: Session, run: Run, kind: str) -> list[Mark]:
    return [mark for mark in marks.of(session, [run])[run.id] if mark.kind == kind]


def test_a_run_nothing_happened_to_has_no_marks(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, losses=(2.0, 1.0))
        assert marks.of(session, [run]) == {run.id: []}
    assert marks.of(session, []) == {}


def test_evaluations_are_marked_with_what_they_found(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        say(session, run, measure(0, eval_loss=2.5, eval_entropy=1.0), measure(1, loss=2.0))
        say(session, run, measure(50, eval_loss=1.25, eval_entropy=1.0))
        first, second = found(session, run, "evaluation")
    assert first == Mark("evaluation", 0, 1e9, "Held-out loss 2.5")
    assert (second.step, second.title) == (50, "Held-out loss 1.25")


def test_only_checkpoints_that_are_still_there_are_marked_and_the_best_is_named(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, parameters={"keep_best": True, "save_total_limit": 2})
        losses = {10: 3.0, 20: 1.0, 30: 2.0, 40: 2.5}
        for step, loss in losses.items():
            say(session, run, measure(step, eval_loss=loss), checkpoint(step))
        kept = found(session, run, "checkpoint")
    assert [(mark.step, mark.title) for mark in kept] == [
        (20, "Checkpoint kept, the best"),
        (40, "Checkpoint kept"),
    ]
    assert kept[0].time


def test_what_a_run_began_as_is_not_the_best_of_it(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, parameters={"early_stopping": 1})
        say(session, run, measure(0, eval_loss=0.5), measure(10, eval_loss=1.0), checkpoint(10))
        (kept,) = found(session, run, "checkpoint")
    assert kept.title == "Checkpoint kept, the best"


def test_without_keeping_the_best_no_checkpoint_is_called_so(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        say(session, run, measure(10, eval_loss=1.0), checkpoint(10))
        (kept,) = found(session, run, "checkpoint")
    assert kept.title == "Checkpoint kept"


def again(session: Session, run: Run) -> None:
    """Interrupted, and taken up by a worker once more."""
    for state in (State.QUEUED, State.CLAIMED, State.RUNNING):
        run.attempt += state == State.CLAIMED
        runs.move(session, run, state, "workstation")


def test_a_resume_is_marked_where_it_went_on_with_what_changed(database: Path) -> None:
    choices = [{"name": "torch_compile", "value": "off", "reason": "A CPU."}]
    with db.transaction() as session:
        run = made(session)
        first = {"kind": "versions", "data": {"torch": "2.7", "trl": "1.0"}}
        say(session, run, first, {"kind": "choices", "data": choices}, {"kind": "resume", "step": 0})
        say(session, run, measure(60, loss=1.0))
        assert not marks.of(session, [run])[run.id]
        again(session, run)
        other = {"kind": "versions", "data": {"torch": "2.8", "trl": "1.0"}}
        otherwise = {"kind": "choices", "data": [choices[0] | {"value": "on"}]}
        say(session, run, other, otherwise, {"kind": "resume", "step": 50})
        (resume,) = found(session, run, "resume")
        changes = found(session, run, "change")
    assert (resume.step, resume.title) == (50, "Attempt 2 went on from here")
    assert resume.time
    assert [(mark.step, mark.title) for mark in changes] == [
        (50, "torch 2.7 → 2.8"),
        (50, "torch compile off → on"),
    ]


def test_an_attempt_that_goes_back_behind_another_takes_its_mark_away(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        for step in (50, 20):
            again(session, run)
            say(session, run, {"kind": "resume", "step": step})
        assert [mark.step for mark in found(session, run, "resume")] == [20]
        told = [event.what for event in events.of(session, f"run:{run.id}")]
    assert told.count(marks.WENT_ON) == 2


def test_marks_of_a_long_run_are_few(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        rows = [
            {"step": n, "time": float(n), "data": {"loss": 1.0} | ({"eval_loss": 1.0} if n % 10 == 0 else {})}
            for n in range(20_000)
        ]
        metrics.append(session, run.id, rows)
        run.latest = {"loss": 1.0, "eval_loss": 1.0}
        assert 50 <= len(found(session, run, "evaluation")) <= marks.POINTS
