"""Migrations and models agree, on SQLite and PostgreSQL, whatever the migrations contain."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from studio import db, metrics, migration, settings, users
from studio.models import Base, Metric, MetricBlock, Project, Recommendation, Run, User
from tests import services
from tests.running import ROOT


@pytest.fixture(scope="module")
def server() -> Iterator[services.Postgres]:
    with services.postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(
    request: pytest.FixtureRequest, studio_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """The studio's engine on an empty database of one kind, then of the other."""
    if request.param == "postgresql":
        running: services.Postgres = request.getfixturevalue("server")
        monkeypatch.setenv("TUNESMITH_DATABASE", running.fresh("migrating"))
        settings.get.cache_clear()
    yield db.engine()
    db.engine().dispose()


def revisions() -> list[str]:
    """All of them, the oldest first."""
    script = ScriptDirectory.from_config(migration.config())
    return [found.revision for found in script.walk_revisions()][::-1]


def tables(engine: Engine) -> dict[str, Any]:
    """Everything the inspector sees, in an order that does not depend on when it was made."""
    seen = inspect(engine)
    found: dict[str, Any] = {}
    for name in seen.get_table_names():
        if name == "alembic_version":
            continue
        found[name] = {
            "columns": sorted(_column(column) for column in seen.get_columns(name)),
            "primary key": seen.get_pk_constraint(name)["constrained_columns"],
            "foreign keys": sorted(_foreign_key(key) for key in seen.get_foreign_keys(name)),
            "unique": sorted(str(sorted(key["column_names"])) for key in seen.get_unique_constraints(name)),
            "checks": sorted(check["sqltext"] for check in seen.get_check_constraints(name)),
            "indexes": sorted(
                f"{key['name']} {key['column_names']} {key['unique']}" for key in seen.get_indexes(name)
            ),
        }
    return found


def _column(seen: Any) -> str:
    return f"{seen['name']} {seen['type']!r} nullable={seen['nullable']} default={seen['default']}"


def _foreign_key(seen: Any) -> str:
    to = f"{seen['referred_table']}{seen['referred_columns']}"
    return f"{seen['name']} {seen['constrained_columns']} -> {to} {sorted(seen['options'].items())}"


def test_there_is_one_newest_migration(studio_folder: Path) -> None:
    assert len(ScriptDirectory.from_config(migration.config()).get_heads()) == 1


def test_every_migration_goes_up_down_and_up_again(empty: Engine) -> None:
    before = "base"
    for revision in revisions():
        migration.upgrade(revision)
        there = tables(empty)
        migration.downgrade(before)
        migration.upgrade(revision)
        assert tables(empty) == there
        before = revision
    migration.downgrade("base")
    assert tables(empty) == {}


def test_alembic_finds_no_difference_between_models_and_migrations(empty: Engine) -> None:
    migration.upgrade()
    command.check(migration.config())


def test_migrated_tables_are_those_the_models_would_create(empty: Engine) -> None:
    migration.upgrade()
    migrated = tables(empty)
    migration.downgrade("base")
    with empty.begin() as connection:
        Base.metadata.create_all(connection)
    try:
        assert migrated == tables(empty)
    finally:
        with empty.begin() as connection:
            Base.metadata.drop_all(connection)


def test_upgrading_again_changes_nothing_and_keeps_the_data(empty: Engine) -> None:
    migration.upgrade()
    with db.transaction() as session:
        users.put(session, "ada", "correct horse")
    there = tables(empty)
    migration.upgrade()
    assert tables(empty) == there
    with db.reading() as session:
        assert [user.name for user in session.query(User)] == ["ada"]


def test_data_survives_the_newest_migrations(empty: Engine) -> None:
    """From the first tables, with a user in them, to the newest."""
    migration.upgrade(revisions()[0])
    with empty.begin() as connection:
        connection.execute(
            text("INSERT INTO \"user\" (name, password_hash, created) VALUES ('ada', 'x', '2026-01-01')")
        )
    migration.upgrade()
    with db.reading() as session:
        assert [user.name for user in session.query(User)] == ["ada"]


def test_a_migrated_sqlite_database_enforces_references_again(database: Path) -> None:
    with db.engine().connect() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_four_upgrades_at_once_all_succeed(empty: Engine) -> None:
    environment = services.PLAIN | {
        name: value for name, value in os.environ.items() if name.startswith("TUNESMITH_")
    }
    script = "from studio import migration; migration.upgrade(); print(migration.current()[0])"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]
    said = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert said == [revisions()[-1]] * 4
    fresh = create_engine(settings.get().database_url)
    try:
        assert "run" in inspect(fresh).get_table_names()
    finally:
        fresh.dispose()


def test_targets_and_decisions_of_before_are_kept(empty: Engine) -> None:
    """Criteria were sentences beside one target, and advice was followed or not."""
    migration.upgrade("0003")
    with empty.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO project (name, problem, users, criteria, phase, target, created) VALUES"
                " ('a', '', '', '[\"Right\", \"Short\"]', 1, 0.85, '2026-01-01'),"
                " ('b', '', '', '[]', 0, NULL, '2026-01-01')"
            )
        )
        for accepted in ("true", "false", "NULL"):
            connection.execute(
                text(
                    "INSERT INTO recommendation (answers, result, accepted, created, updated) VALUES"
                    f" ('{{}}', '{{}}', {accepted}, '2026-01-01', '2026-01-01')"
                )
            )
    migration.upgrade("0004")
    with db.reading() as session:
        first, second = session.query(Project).order_by(Project.id)
        assert first.criteria == [{"name": "Right", "target": 0.85}, {"name": "Short"}]
        assert second.criteria == []
        decided = [each.decision for each in session.query(Recommendation).order_by(Recommendation.id)]
        assert decided == ["accepted", "rejected", ""]
    migration.downgrade("0003")
    with empty.begin() as connection:
        assert connection.execute(text("SELECT target FROM project ORDER BY id")).scalars().all() == [
            0.85,
            None,
        ]
        kept = connection.execute(text("SELECT accepted FROM recommendation ORDER BY id")).scalars().all()
        assert [each if each is None else bool(each) for each in kept] == [True, False, None]


def test_packed_metrics_are_rows_again_before_there_were_blocks(empty: Engine) -> None:
    migration.upgrade()
    logged = [
        {"step": n, "time": float(n), "data": {"loss": n / 7} | ({"eval_loss": "NaN"} if n % 90 == 0 else {})}
        for n in range(600)
    ]
    with db.transaction() as session:
        run = Run(name="x", technique="sft", attempt=1)
        session.add(run)
        session.flush()
        metrics.append(session, run.id, logged)
        assert session.query(MetricBlock).count() == 2
    migration.downgrade("0004")
    with db.reading() as session:
        rows = session.query(Metric).order_by(Metric.seq)
        assert [{"step": row.step, "time": row.time, "data": row.data} for row in rows] == logged
        assert [row.seq for row in rows] == list(range(600))
