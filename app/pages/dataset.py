"""One dataset at /dataset?id=3&version=2&tab=preview: what was understood and why, its rows as a person
reads them, findings, statistics and history. Reading it another way is laid out in `dataset_reread`."""

from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.navigation import Page
from app.pages import dataset_reread, dataset_rows
from app.pages.datasets import SEVERITIES, chips, leading, shape_title
from app.parts import Query, fragment, live, render
from app.toolkit import html
from studio import db, events, techniques, use_cases
from studio.datasets import library, shapes
from studio.errors import NotFound
from studio.models import Dataset, DatasetVersion, Event, Project, Run
from studio.techniques import Technique

PAGE_ROWS = 10
SHARES = ((0.05, "5 %"), (0.1, "10 %"), (0.2, "20 %"), (0.3, "30 %"))
Values = dict[str, Any]


@fragment("dataset")
def dataset_page(query: Query) -> Markup:
    with db.reading() as session:
        dataset = library.get(session, query.number("id"))
        version = chosen(dataset, query.maybe("version"))
        tab = query.text("tab") if query.text("tab") in VIEWS else "preview"
        return render(
            "dataset.html",
            dataset=dataset,
            version=version,
            newest=dataset.versions[-1],
            report=version.report,
            shape=shapes.SHAPES.get(version.shape),
            shape_title=shape_title,
            findings=chips(version.report.get("findings", [])),
            learners=learners(version),
            use_cases=use_cases.listed(session),
            project=session.get(Project, dataset.project_id) if dataset.project_id else None,
            measures=[one for one in techniques.all() if version.shape in one.held_out_shapes],
            shares=SHARES,
            reread=dataset_reread.choices(version, query),
            tabs=[(name, words) for name, (words, _) in VIEWS.items()],
            tab=tab,
            here=f"/dataset?id={dataset.id}&version={version.number}&",
            **VIEWS[tab][1](session, version, query),
        )


def chosen(dataset: Dataset, number: int | None) -> DatasetVersion:
    """The version the address names, or the one the list shows."""
    shown = leading(dataset)
    if shown is None:
        raise NotFound(f"“{dataset.name}” has no version yet.", hint="Upload its file again.")
    for version in dataset.versions:
        if version.number == number:
            return version
    if number is not None:
        raise NotFound(
            f"“{dataset.name}” has no version {number}.",
            hint=f"Its newest is version {dataset.versions[-1].number}.",
        )
    return shown


def learners(version: DatasetVersion) -> list[Technique]:
    """The techniques that can learn from these rows."""
    return [technique for technique in techniques.all() if version.shape in technique.shapes]


# ---- what each tab shows ------------------------------------------------------------------------------


def preview(_session: Session, version: DatasetVersion, query: Query) -> Values:
    """One page of rows; `?row=50` is the number of the first, counted from 0."""
    start = max(0, min(query.maybe("row", 0) or 0, version.rows - 1))
    rows = library.rows_of(version, start, PAGE_ROWS)
    return {
        "rows": [dataset_rows.see(start + place, row) for place, row in enumerate(rows, 1)],
        "start": start,
        "before": max(0, start - PAGE_ROWS) if start else None,
        "after": start + PAGE_ROWS if start + PAGE_ROWS < version.rows else None,
    }


def findings(_session: Session, version: DatasetVersion, _query: Query) -> Values:
    return {"severities": SEVERITIES}


def statistics(_session: Session, version: DatasetVersion, _query: Query) -> Values:
    """`lengths`: (field, its counts, its spread drawn on one scale for all fields)."""
    said = version.report.get("statistics") or {}
    fields = said.get("fields", {})
    longest = max((field["characters"]["max"] for field in fields.values()), default=1)
    return {
        "statistics": said,
        "lengths": [
            (name, field, places(field["characters"], longest))
            for name, field in fields.items()
            if name != "row" or len(fields) > 2
        ],
    }


def places(spread: dict[str, int], longest: int) -> dict[str, float]:
    """Where a spread's figures lie on a line of 100; what is beyond its end is drawn at its end."""
    return {name: round(100 * min(1, value / max(1, longest)), 2) for name, value in spread.items()}


def history(session: Session, version: DatasetVersion, _query: Query) -> Values:
    return {
        "titles": {one.id: one.title for one in version.dataset.versions} | parents(session, version.dataset),
        "events": [
            (told(event), event) for event in events.of(session, f"dataset:{version.dataset_id}")[::-1]
        ],
        "runs": runs_of(session, version),
    }


def told(event: Event) -> str:
    """What happened, in words: “dataset version added” becomes “Version 3 added”."""
    what = event.what.removeprefix("dataset ")
    if number := event.details.get("version"):
        what = what.replace("version", f"version {number}", 1)
    return what[:1].upper() + what[1:]


def parents(session: Session, dataset: Dataset) -> dict[int, str]:
    """Version id → title of those that versions of this dataset were made from."""
    ids = [version.parent_id for version in dataset.versions if version.parent_id]
    return {
        version.id: version.title
        for version in session.scalars(select(DatasetVersion).where(DatasetVersion.id.in_(ids)))
    }


def runs_of(session: Session, version: DatasetVersion) -> Sequence[Run]:
    """Runs that learned from this version or were measured on it, the newest first."""
    used = or_(Run.dataset_version_id == version.id, Run.held_out_id == version.id)
    return session.scalars(select(Run).where(used).order_by(Run.id.desc()).limit(50)).all()


VIEWS: dict[str, tuple[str, Callable[[Session, DatasetVersion, Query], Values]]] = {
    "preview": ("Preview", preview),
    "findings": ("Findings", findings),
    "statistics": ("Statistics", statistics),
    "history": ("History", history),
}


def build() -> None:
    html(live("dataset", every=0, rows=6), elem_id="dataset")


PAGE = Page(path="/dataset", title="Dataset", build=build, in_nav=False, under="/datasets")
