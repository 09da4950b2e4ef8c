"""metrics packed in blocks, with an outline of each"""

from array import array
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "metric_block",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("first_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("low_step", sa.Integer(), nullable=False),
        sa.Column("high_step", sa.Integer(), nullable=False),
        sa.Column("first_time", sa.Double(), nullable=False),
        sa.Column("last_time", sa.Double(), nullable=False),
        sa.Column("moments", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_metric_block_run_id_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "first_seq", name=op.f("pk_metric_block")),
    )
    op.create_table(
        "metric_column",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("first_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outline", sa.LargeBinary(), nullable=False),
        sa.Column("places", sa.LargeBinary(), nullable=False),
        sa.Column("numbers", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_metric_column_run_id_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "key", "first_seq", name=op.f("pk_metric_column")),
    )


def downgrade() -> None:
    _unpack()
    op.drop_table("metric_column")
    op.drop_table("metric_block")


BLOCK = sa.table(
    "metric_block",
    *map(sa.column, ("run_id", "first_seq")),
    sa.column("moments", sa.LargeBinary),
)
COLUMN = sa.table(
    "metric_column",
    *map(sa.column, ("run_id", "key", "first_seq")),
    *(sa.column(name, sa.LargeBinary) for name in ("outline", "places", "numbers")),
)
METRIC = sa.table(
    "metric",
    *map(sa.column, ("run_id", "seq", "step", "time")),
    sa.column("data", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")),
)
NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _unpack() -> None:
    """Every moment of a block as a row again. Of a block that was thinned there is only its outline."""
    connection = op.get_bind()
    for block in connection.execute(sa.select(BLOCK).order_by(BLOCK.c.run_id, BLOCK.c.first_seq)).all():
        rows = list(_rows(connection, block))
        if rows:
            op.bulk_insert(METRIC, rows)


def _rows(connection: sa.Connection, block: Any) -> Iterator[dict[str, Any]]:
    mine = (COLUMN.c.run_id == block.run_id) & (COLUMN.c.first_seq == block.first_seq)
    columns = connection.execute(sa.select(COLUMN).where(mine).order_by(COLUMN.c.key)).all()
    found: dict[tuple[int, float, int], dict[str, Any]] = {}
    if block.moments:
        seqs, steps, times = _arrays(block.moments, "qqd")
        for at in range(len(seqs)):
            found[steps[at], times[at], seqs[at]] = {}
        order = list(found)
        for column in columns:
            numbers = array("d", column.numbers)
            places = array("I", column.places) if column.places else range(len(numbers))
            for place, number in zip(places, numbers, strict=True):
                found[order[place]][column.key] = _value(number)
    else:
        for column in columns:
            for step, time, number in zip(*_arrays(column.outline, "qdd"), strict=True):
                found.setdefault((step, time, 0), {})[column.key] = _value(number)
    for place, ((step, time, seq), data) in enumerate(sorted(found.items(), key=lambda each: each[0][::-1])):
        yield {
            "run_id": block.run_id,
            "seq": seq or block.first_seq + place,
            "step": step,
            "time": time,
            "data": data,
        }


def _arrays(packed: bytes, codes: str) -> list[Any]:
    """Arrays of one length, eight bytes a number, one after the other."""
    size = len(packed) // len(codes)
    return [array(code, packed[n * size : (n + 1) * size]) for n, code in enumerate(codes)]


def _value(number: float) -> float | str:
    return NAMES.get(str(number), number)
