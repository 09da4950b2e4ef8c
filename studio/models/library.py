"""What is brought in or made, and kept: datasets in versions, and models."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studio.models.base import Base, now


class Dataset(Base):
    """A named thing; its content is in its versions."""

    __tablename__ = "dataset"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    note: Mapped[str] = mapped_column(Text, default="")
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"))
    created: Mapped[datetime] = mapped_column(default=now)
    versions: Mapped[list["DatasetVersion"]] = relationship(
        back_populates="dataset", order_by="DatasetVersion.number", cascade="all, delete-orphan"
    )


class DatasetVersion(Base):
    """Immutable rows of one shape. `folder` (below the data folder) holds rows.jsonl, its offset index
    and the original file byte for byte; `report` is what `datasets.inspection` said of it."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    shape: Mapped[str] = mapped_column(String(40))
    format: Mapped[str] = mapped_column(String(40))
    rows: Mapped[int]
    bad_rows: Mapped[int] = mapped_column(default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    folder: Mapped[str] = mapped_column(String(500))
    original: Mapped[str] = mapped_column(String(300), default="")
    split: Mapped[str] = mapped_column(String(40), default="")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("dataset_version.id", ondelete="SET NULL"))
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created: Mapped[datetime] = mapped_column(default=now)
    dataset: Mapped[Dataset] = relationship(back_populates="versions")

    @property
    def title(self) -> str:
        return f"{self.dataset.name} · v{self.number}"


class Model(Base):
    """Something that can be trained or asked: a base model, or the artifact of a run.

    `source` is a folder (below the data folder, or absolute) or a hub id; for an adapter `base_id` is
    the model it sits on. `kind` is what it is for: language, reward, embedding or classifier.
    """

    __tablename__ = "model"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    source: Mapped[str] = mapped_column(String(500))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id", ondelete="SET NULL", use_alter=True))
    base_id: Mapped[int | None] = mapped_column(ForeignKey("model.id", ondelete="SET NULL"))
    adapter: Mapped[str] = mapped_column(String(40), default="")
    kind: Mapped[str] = mapped_column(String(20), default="language", server_default="language")
    architecture: Mapped[str] = mapped_column(String(100), default="")
    parameters: Mapped[int | None] = mapped_column(BigInteger)
    context: Mapped[int | None]
    licence: Mapped[str] = mapped_column(String(100), default="")
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now)
