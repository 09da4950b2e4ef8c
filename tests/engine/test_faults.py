"""Whatever is killed with SIGKILL, the run succeeds and its metrics equal those of an undisturbed one."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.running import RunningStudio, until


def test_an_undisturbed_run_logs_every_step_once(undisturbed: list[Any]) -> None:
    assert [step for _, step, _ in undisturbed] == list(range(1, 61))


@pytest.mark.parametrize("victim", ["trainer", "runner", "worker", "web"])
def test_a_killed_part_loses_nothing(
    studio: RunningStudio, train: Callable[..., int], undisturbed: list[Any], victim: str
) -> None:
    run = train()
    studio.reach(run, 25)
    match victim:
        case "trainer":
            process = studio.trainer(run)
        case "runner":
            process = studio.runner(run)
        case _:
            process = studio.part(victim)
    process.send_signal(signal.SIGKILL)
    until(studio.answers, 60, "the web process")
    ended = studio.finish(run)
    assert studio.metric_rows(run) == undisturbed
    assert ended["step"] == 60
    assert ended["attempt"] == (2 if victim in ("trainer", "runner") else 1)
    assert studio.rows("SELECT count(*) FROM lease WHERE run_id = :run", run=run)[0][0] == 0


def test_killing_everything_at_once_loses_nothing(
    studio: RunningStudio, train: Callable[..., int], undisturbed: list[Any]
) -> None:
    run = train()
    studio.reach(run, 25)
    assert studio.launcher
    victims = [studio.trainer(run), studio.runner(run), studio.part("worker"), studio.part("web")]
    studio.launcher.kill()
    studio.launcher.wait()
    for process in victims:
        process.kill()
    studio.start()
    assert studio.finish(run)["attempt"] == 2
    assert studio.metric_rows(run) == undisturbed


def test_a_torn_checkpoint_is_passed_over(
    studio: RunningStudio, train: Callable[..., int], undisturbed: list[Any]
) -> None:
    run = train()
    studio.reach(run, 32)
    studio.trainer(run).suspend()
    newest = studio.folder / "runs" / str(run) / "checkpoints" / "checkpoint-30"
    until(lambda: (newest / "complete.json").exists(), 10, "the checkpoint")
    (newest / "complete.json").unlink()
    (newest / "model.safetensors").write_bytes(b"torn")
    studio.trainer(run).kill()
    assert studio.finish(run)["attempt"] == 2
    assert studio.metric_rows(run) == undisturbed
