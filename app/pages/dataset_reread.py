"""“Not right?”: a version's original file in another format or with other columns, tried on its first rows.

The choices lie in the address (`?as=prompt_completion&column.prompt=Frage`), so that they can be looked at
before anything is kept. Keeping them is `POST /api/versions/{id}/reread`; nothing is stored here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.pages import dataset_rows
from app.parts import Query
from studio.datasets import columns, inspection, library, shapes
from studio.datasets.formats import FORMATS, Format
from studio.errors import StudioError
from studio.models import DatasetVersion

TRIED = 3  # rows shown as they would read
LOOKED_AT = 50  # rows read for it
PREFIX = "column."
AS_IT_SAYS = "-"  # the choice that maps no column to a field


@dataclass(frozen=True)
class Choices:
    """What can be chosen, and what is. `fields`: (our field, the column that holds it or "").
    `seen`: the first rows read this way; `refused`: why none can be."""

    formats: Sequence[Format]
    chosen: str = ""
    columns: Sequence[str] = ()
    fields: Sequence[tuple[str, str]] = ()
    seen: Sequence[dataset_rows.Seen] = ()
    left_out: Sequence[inspection.BadLine] = ()
    refused: StudioError | None = None
    wish: dict[str, Any] = field(default_factory=dict)


def choices(version: DatasetVersion, query: Query) -> Choices:
    """The formats to choose from; once one is named in the address, also how the file would read.

    A version that was cut from another has no file of its own: nothing can be chosen for it."""
    if not library.original_path(version).is_file():
        return Choices([])
    if not query.text("as"):
        return Choices(FORMATS.all())
    form = FORMATS.get(query.text("as"))
    path = library.original_path(version)
    known = inspection.peek(path, name=version.original).columns
    fields = shapes.get(form.shapes[0]).required
    mapping = wanted(fields, known, form, query)
    made = Choices(
        FORMATS.all(),
        chosen=form.name,
        columns=known,
        fields=[(one, mapping.get(one, "")) for one in fields],
        wish={"format": form.name, "columns": mapping or None},
    )
    try:
        report = inspection.inspect(
            path, name=version.original, format=form.name, columns=mapping, limit=LOOKED_AT
        )
    except StudioError as refused:
        return Choices(**vars(made) | {"refused": refused})
    seen = [dataset_rows.see(number, row) for number, row in enumerate(report.preview[:TRIED], 1)]
    return Choices(**vars(made) | {"seen": seen, "left_out": report.bad_rows[:TRIED]})


def wanted(fields: Sequence[str], known: Sequence[str], form: Format, query: Query) -> dict[str, str]:
    """Our field → the column that holds it: as the address says, else as their names suggest."""
    given = {one: query.text(PREFIX + one) for one in fields if query.text(PREFIX + one)}
    if not given:
        given = columns.suggest(known, form.shapes[0])
    return {one: column for one, column in given.items() if column in known and column != one}
