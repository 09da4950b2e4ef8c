"""One running studio for all tests of the run engine, and a short real training on the starter model."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import SAMPLE, RunningStudio

SHORT = {
    "max_steps": 60,
    "save_steps": 10,
    "per_device_train_batch_size": 8,
    "sample_prompts": 2,
    "sample_tokens": 8,
    "max_length": 128,
}


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    running = RunningStudio(tmp_path_factory.mktemp("studio"), TUNESMITH_STALE_AFTER="6")
    running.start()
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(scope="session")
def labelled(studio: RunningStudio, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Sixty labelled directions; the version's id."""
    path: Path = tmp_path_factory.mktemp("files") / "directions.jsonl"
    path.write_text("".join((SAMPLE / "train.jsonl").read_text().splitlines(keepends=True)[:60]))
    return int(studio.upload(path)["id"])


@pytest.fixture
def train(studio: RunningStudio, labelled: int) -> Callable[..., int]:
    """Launches a short training; keyword arguments change its settings."""

    def launch(adapter: str = "full", **settings: Any) -> int:
        return studio.launch(
            model="Tunesmith starter", dataset=labelled, adapter=adapter, parameters=SHORT | settings
        )

    return launch


@pytest.fixture(scope="session")
def undisturbed(studio: RunningStudio, labelled: int) -> list[Any]:
    """The metric rows of a run nothing happened to."""
    run = studio.launch(model="Tunesmith starter", dataset=labelled, adapter="full", parameters=SHORT)
    studio.finish(run)
    return studio.metric_rows(run)
