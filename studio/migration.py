"""Brings the database to the present tables. Used by `tunesmith migrate`, by `up`, and by tests."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from studio import db, settings

FOLDER = Path(__file__).parent.parent / "migrations"


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["engine"] = db.engine()
    return made


def upgrade(to: str = "head") -> None:
    """Safe to call from several processes at once: one migrates, the others find it done."""
    settings.get().folder.mkdir(parents=True, exist_ok=True)
    command.upgrade(config(), to)


def downgrade(to: str) -> None:
    command.downgrade(config(), to)


def current() -> tuple[str | None, str | None]:
    """(what the database is at, what the code expects)."""
    with db.engine().connect() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    return at, ScriptDirectory.from_config(config()).get_current_head()
