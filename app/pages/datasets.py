"""The dataset library at /datasets: a place to drop a file, the list of what is there, and one example
row of every shape. What one dataset contains is shown by `dataset`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import orjson
from markupsafe import Markup
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.navigation import Page
from app.parts import Query, fragment, live, render, words
from app.toolkit import html
from studio import db, settings
from studio.datasets import library, shapes
from studio.datasets.formats import FORMATS
from studio.datasets.readers import READERS
from studio.models import Dataset, DatasetVersion, Run

# How a finding's severity is shown: the kind of chip, and the word for one and for several.
SEVERITIES = {
    "error": ("bad", "error", "errors"),
    "warning": ("warn", "warning", "warnings"),
    "info": ("info", "note", "notes"),
}


@dataclass(frozen=True)
class Listed:
    """One row of the list: a dataset, its newest version, and who used any of its versions."""

    dataset: Dataset
    newest: DatasetVersion | None
    shape: str = ""
    runs: int = 0
    findings: list[tuple[str, str]] = field(default_factory=list)


@fragment("datasets")
def datasets_list(_query: Query) -> Markup:
    with db.reading() as session:
        return render("datasets.html", listed=list(listed(session)))


@fragment("dataset-examples")
def dataset_examples(_query: Query) -> Markup:
    """One example row of every shape, to copy or to save as the start of a file."""
    with db.reading() as session:
        is_empty = session.scalar(select(Dataset.id).limit(1)) is None
    rows = [(shape, orjson.dumps(shape.example).decode()) for shape in shapes.SHAPES.values()]
    return render(
        "datasets_examples.html",
        is_empty=is_empty,
        examples=[(shape, row, f"data:application/x-ndjson,{quote(row)}%0A") for shape, row in rows],
    )


@fragment("dataset-drop")
def dataset_drop(query: Query) -> Markup:
    """The drop zone, and how to read what is dropped when it would not be understood by itself."""
    form = FORMATS.get(query.text("as")) if query.text("as") else None
    fields = shapes.get(form.shapes[0]).required if form else ()
    columns = {one: query.text(f"column.{one}") for one in fields if query.text(f"column.{one}")}
    how = ({"format": form.name} if form else {}) | (
        {"columns": orjson.dumps(columns).decode()} if columns else {}
    )
    endings = [suffix for reader in READERS.all() for suffix in reader.suffixes]
    return render(
        "datasets_drop.html",
        upload="/api/datasets" + (f"?{urlencode(how)}" if how else ""),
        accept=",".join([*endings, ".gz"]),
        kinds=", ".join(sorted(reader.suffixes[0] for reader in READERS.all())),
        most=words.size(settings.get().max_upload),
        formats=FORMATS.all(),
        chosen=form,
        fields=[(one, columns.get(one, "")) for one in fields],
    )


def listed(session: Session) -> Iterable[Listed]:
    used = uses(session)
    for dataset in library.listed(session):
        newest = leading(dataset)
        yield Listed(
            dataset,
            newest,
            shape_title(newest.shape) if newest else "",
            used[dataset.id],
            chips(newest.report.get("findings", [])) if newest else [],
        )


def leading(dataset: Dataset) -> DatasetVersion | None:
    """The newest version, passing over held-out parts: those are never trained on."""
    trainable = [version for version in dataset.versions if version.split != "held-out"]
    versions = trainable or dataset.versions
    return versions[-1] if versions else None


def uses(session: Session) -> Counter[int]:
    """Dataset id → how many runs learned from any version of it or were measured on one."""
    either = or_(Run.dataset_version_id == DatasetVersion.id, Run.held_out_id == DatasetVersion.id)
    counted = (
        select(DatasetVersion.dataset_id, func.count(Run.id.distinct()))
        .join(Run, either)
        .group_by(DatasetVersion.dataset_id)
    )
    return Counter(dict(session.execute(counted).all()))


def chips(findings: Iterable[dict[str, object]]) -> list[tuple[str, str]]:
    """(kind of chip, words) for each severity there is, the worst first."""
    counts = Counter(finding["severity"] for finding in findings)
    return [
        (kind, words.count(counts[severity], one, many))
        for severity, (kind, one, many) in SEVERITIES.items()
        if counts[severity]
    ]


def shape_title(name: str) -> str:
    return shapes.SHAPES[name].title if name in shapes.SHAPES else name


def build() -> None:
    html(live("dataset-drop", every=0, rows=2), elem_id="dataset-drop")
    html(live("datasets", every=5, rows=5), elem_id="datasets")
    html(live("dataset-examples", every=0, rows=2), elem_id="dataset-examples")


PAGE = Page(path="/datasets", title="Datasets", build=build, icon="datasets", order=150)
