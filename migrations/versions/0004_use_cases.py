"""use cases: criteria with graders, prompts, failures, climbs; decisions on advice; preferences"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "preference",
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("value", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_preference")),
    )
    op.create_table(
        "failure_kind",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
            name=op.f("fk_failure_kind_project_id_project"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failure_kind")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_failure_kind_project_id_name")),
    )
    op.create_table(
        "prompt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("prompting", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["prompt.id"], name=op.f("fk_prompt_parent_id_prompt"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_prompt_project_id_project"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt")),
        sa.UniqueConstraint("project_id", "number", name=op.f("uq_prompt_project_id_number")),
    )
    op.create_table(
        "climb",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("until_phase", sa.Integer(), nullable=False),
        sa.Column("budget", sa.Double(), nullable=True),
        sa.Column("gpu_price", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("steps", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_climb_project_id_project"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_climb_run_id_run"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_climb")),
    )
    with op.batch_alter_table("climb", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_climb_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_climb_state"), ["state"], unique=False)

    op.create_table(
        "failure_mark",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("contestant", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["kind_id"],
            ["failure_kind.id"],
            name=op.f("fk_failure_mark_kind_id_failure_kind"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_failure_mark_run_id_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "contestant", "number", "kind_id", name=op.f("pk_failure_mark")),
    )
    with op.batch_alter_table("failure_mark", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_failure_mark_kind_id"), ["kind_id"], unique=False)

    _put_targets_into_criteria()
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stakes", sa.String(length=20), server_default="", nullable=False))
        batch_op.add_column(sa.Column("origin", sa.String(length=60), server_default="", nullable=False))
        batch_op.add_column(
            sa.Column(
                "answers",
                sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
                server_default="{}",
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("model_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("held_out_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("prompt_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_project_prompt_id_prompt"),
            "prompt",
            ["prompt_id"],
            ["id"],
            ondelete="SET NULL",
            use_alter=True,
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_project_model_id_model"), "model", ["model_id"], ["id"], ondelete="SET NULL"
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_project_held_out_id_dataset_version"),
            "dataset_version",
            ["held_out_id"],
            ["id"],
            ondelete="SET NULL",
            use_alter=True,
        )
        batch_op.drop_column("target")

    with op.batch_alter_table("recommendation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("decision", sa.String(length=20), server_default="", nullable=False))
        batch_op.add_column(sa.Column("chosen", sa.String(length=40), server_default="", nullable=False))
        batch_op.add_column(sa.Column("reason", sa.Text(), server_default="", nullable=False))
    op.execute("UPDATE recommendation SET decision = 'accepted' WHERE accepted")
    op.execute("UPDATE recommendation SET decision = 'rejected' WHERE NOT accepted")
    with op.batch_alter_table("recommendation", schema=None) as batch_op:
        batch_op.drop_column("accepted")


def downgrade() -> None:
    with op.batch_alter_table("recommendation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("accepted", sa.Boolean(), nullable=True))
    op.execute("UPDATE recommendation SET accepted = (decision = 'accepted') WHERE decision <> ''")
    with op.batch_alter_table("recommendation", schema=None) as batch_op:
        batch_op.drop_column("reason")
        batch_op.drop_column("chosen")
        batch_op.drop_column("decision")

    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.add_column(sa.Column("target", sa.Double(), nullable=True))
        batch_op.drop_constraint(batch_op.f("fk_project_held_out_id_dataset_version"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_project_model_id_model"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_project_prompt_id_prompt"), type_="foreignkey")
        batch_op.drop_column("prompt_id")
        batch_op.drop_column("held_out_id")
        batch_op.drop_column("model_id")
        batch_op.drop_column("answers")
        batch_op.drop_column("origin")
        batch_op.drop_column("stakes")

    _put_criteria_into_targets()
    with op.batch_alter_table("failure_mark", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_failure_mark_kind_id"))

    op.drop_table("failure_mark")
    with op.batch_alter_table("climb", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_climb_state"))
        batch_op.drop_index(batch_op.f("ix_climb_project_id"))

    op.drop_table("climb")
    op.drop_table("prompt")
    op.drop_table("failure_kind")
    op.drop_table("preference")


CRITERIA = sa.table(
    "project",
    sa.column("id", sa.Integer()),
    sa.column("criteria", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")),
    sa.column("target", sa.Double()),
)


def _put_targets_into_criteria() -> None:
    """Criteria were sentences, beside one target; each is an object with a target of its own now."""
    connection = op.get_bind()
    for project in connection.execute(sa.select(CRITERIA)).all():
        told = [{"name": each[:200]} if isinstance(each, str) else each for each in project.criteria]
        if project.target is not None:
            told = told or [{"name": "Right answers"}]
            told[0]["target"] = project.target
        _write(project.id, criteria=told)


def _put_criteria_into_targets() -> None:
    connection = op.get_bind()
    for project in connection.execute(sa.select(CRITERIA)).all():
        targets = [each["target"] for each in project.criteria if each.get("target") is not None]
        names = [each["name"] for each in project.criteria]
        _write(project.id, criteria=names, target=targets[0] if targets else None)


def _write(project_id: int, **values: object) -> None:
    op.execute(CRITERIA.update().where(CRITERIA.c.id == project_id).values(**values))
