"""Runs Alembic against the studio's database. Used through `tunesmith migrate` and, for new
migrations, `alembic revision --autogenerate -m "…"`."""

import sqlalchemy as sa
from alembic import context
from sqlalchemy import text

from studio import db
from studio.models import Base, UtcDateTime


def render(kind: str, item: object, autogen_context: object) -> str | bool:
    """Our own column types in plain SQLAlchemy, so that old migrations do not need today's code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.JSON):
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    if kind == "type" and isinstance(item, sa.Enum):
        return f"sa.String({item.length})"
    return False


def migrate() -> None:
    """One migration at a time; SQLite without foreign keys, because a batch rebuild drops the old table
    and would take the children with it. They are checked afterwards."""
    engine = context.config.attributes.get("engine") or db.engine()
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            db.lock_placement(connection)
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                render_as_batch=sqlite,
                compare_type=True,
                render_item=render,
                transactional_ddl=True,
            )
            context.run_migrations()
            if sqlite:
                broken = connection.execute(text("PRAGMA foreign_key_check")).all()
                if broken:
                    raise RuntimeError(f"The migration broke references: {broken[:5]}")
        if sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


migrate()
