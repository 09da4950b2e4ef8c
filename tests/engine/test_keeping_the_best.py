"""A run may keep the checkpoint that did best on held-out data, and end when nothing improves any more."""

from pathlib import Path

from studio import attempts, db, runs, techniques
from studio.models import Metric, Run, State
from tests.engine.test_every_technique import attempt, configure, folder

__all__ = ["folder"]
STEADY = {"lr_scheduler_type": "constant", "warmup_ratio": 0.0}


def logged(run_id: int, key: str) -> dict[int, float]:
    with db.reading() as session:
        rows = session.query(Metric).filter_by(run_id=run_id).order_by(Metric.seq)
        return {row.step: row.data[key] for row in rows if key in row.data}


def trained(folder: Path, **settings: object) -> Run:
    config = configure(folder, techniques.get("sft"), "full")
    config.parameters |= {"sample_prompts": 0, "max_steps": 12, "eval_steps": 2, **settings}
    with db.transaction() as session:
        run_id = runs.launch(session, config).id
    assert attempt(run_id) == State.SUCCEEDED
    with db.reading() as session:
        return runs.get(session, run_id)


def test_a_run_that_only_gets_worse_ends_early_and_keeps_its_best(folder: Path) -> None:
    run = trained(folder, learning_rate=3e-3, early_stopping=2, **STEADY)
    losses = logged(run.id, "eval_loss")
    losses.pop(0)
    best = min(losses, key=lambda step: losses[step])
    assert run.step == best + 4 < 12  # two looks without an improvement
    from worker import model
    from worker.order import ModelOrder

    kept = folder / "runs" / str(run.id)
    result, _ = model.load(ModelOrder(id=1, name="kept", source=str(kept / "model")))
    wanted, _ = model.load(ModelOrder(id=2, name="best", source=str(kept / f"checkpoints/checkpoint-{best}")))
    pairs = zip(result.parameters(), wanted.parameters(), strict=True)
    assert all(bool((one == other).all()) for one, other in pairs)


def test_the_start_is_measured_but_neither_kept_nor_counted(folder: Path) -> None:
    """There is no checkpoint of it: the best is the best of what was trained, however bad."""
    run = trained(folder, learning_rate=0.05, early_stopping=1, **STEADY)
    losses = logged(run.id, "eval_loss")
    assert min(losses, key=lambda step: losses[step]) == 0
    del losses[0]
    assert run.step == min(losses, key=lambda step: losses[step]) + 2


def test_a_run_that_begins_anew_measures_its_start_anew(folder: Path) -> None:
    config = configure(folder, techniques.get("sft"), "full")
    with db.transaction() as session:
        run = runs.launch(session, config)
        for _ in range(2):  # the first attempt died before its first checkpoint
            said = {"kind": "metric", "step": 0, "time": 1.0, "data": {"eval_loss": 2.0}}
            attempts.absorb(session, run.id, [{"kind": "resume", "step": 0}, said], attempt=1, offset=0)
        assert session.query(Metric).filter_by(run_id=run.id).count() == 1


def test_without_it_the_last_weights_are_kept(folder: Path) -> None:
    run = trained(folder, learning_rate=1e-3)
    assert run.step == 12
    assert not run.parameters["keep_best"]
