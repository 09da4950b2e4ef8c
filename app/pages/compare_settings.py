"""What was set differently in the runs of /compare. A fragment of that page, no page."""

from typing import Any

from markupsafe import Markup

from app.pages import run_settings
from app.pages.compare_choice import CALM, Asked, read
from app.parts import Paced, Query, fragment, live, render
from studio import comparison, db
from studio.models import Kind


@fragment("compare-settings")
def compare_settings(query: Query) -> Paced:
    with db.reading() as session:
        asked = read(session, query)
        if len(asked.shown) < 2:
            return Paced(Markup(""), CALM)
        unknown = any(run.kind == Kind.IMPORTED for run in asked.shown)
        body = render("compare_settings.html", asked=asked, settings=settings(asked), unknown=unknown)
    return Paced(body, 0)


def place() -> str:
    return live("compare-settings", every=0, rows=3)


def settings(asked: Asked) -> list[dict[str, Any]]:
    """`comparison.table` with titles and worded values."""
    titles = comparison.titles(asked.shown)
    return [
        {
            "name": row["setting"],
            "title": titles.get(row["setting"], row["setting"].capitalize()),
            "values": [
                run_settings.worded(value) if value not in (None, "") else "–" for value in row["values"]
            ],
            "differs": row["differs"],
        }
        for row in comparison.table(asked.shown, differences_only=not asked.all_settings)
    ]
