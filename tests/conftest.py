"""What tests share: a fresh, migrated database in a folder of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import db, migration, settings

# A thread of Hugging Face's that tells how it is used has crashed a forked trainer; runners turn it off, too.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


@pytest.fixture
def studio_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The settings of a studio of its own, below the test's folder."""
    monkeypatch.setenv("TUNESMITH_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for cached in (settings.get, db.engine):
        cached.cache_clear()
    yield tmp_path / "data"
    db.engine().dispose()
    for cached in (settings.get, db.engine):
        cached.cache_clear()


@pytest.fixture
def database(studio_folder: Path) -> Path:
    """A fresh migrated SQLite database; returns the studio's data folder."""
    migration.upgrade()
    return studio_folder
