"""Metrics logged elsewhere become a run at /import-run: drop a file, and see how it was understood.

What can be read, and how, is `studio.metrics.imports`; the upload goes to `POST /api/runs/import`, and the
address then names the run: `/import-run?id=7`.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.navigation import Page
from app.parts import Query, fragment, live, render, words
from app.toolkit import html
from studio import db, metrics, runs, settings
from studio.metrics import exports
from studio.models import Kind, Run

LONGEST_NAME = 200


@dataclass(frozen=True)
class Understood:
    """A run that came in: what of it can be looked at, and what it can be put beside."""

    run: Run
    moments: int
    charts: list[tuple[str, list[str]]]  # group, titles of its metrics
    beside: list[Run]


@fragment("import-run")
def import_run(query: Query) -> Markup:
    name = query.text("name").strip()[:LONGEST_NAME]
    with db.reading() as session:
        return render(
            "import_run.html",
            name=name,
            upload="/api/runs/import" + (f"?{urlencode({'name': name})}" if name else ""),
            most=words.size(settings.get().max_upload),
            understood=understood(session, query.maybe("id")),
        )


def understood(session: Session, run_id: int | None) -> Understood | None:
    run = session.get(Run, run_id) if run_id else None
    if run is None or run.kind != Kind.IMPORTED:
        return None
    groups: dict[str, list[str]] = {}
    for chart in metrics.describe([run], exports.keys(session, run.id)):
        groups.setdefault(chart["group"], []).append(chart["title"])
    beside = [each for each in runs.listed(session, limit=6) if each.id != run.id][:5]
    return Understood(run, metrics.moments(session, run.id), list(groups.items()), beside)


def build() -> None:
    html(live("import-run", every=0, rows=4), elem_id="import-run")


PAGE = Page(path="/import-run", title="Import a run", build=build, in_nav=False, under="/runs")
