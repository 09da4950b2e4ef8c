"""A comparison of runs to hand on: one HTML file that asks nothing of anybody, or a PDF."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from markupsafe import Markup

from app.parts import render
from studio import db, runs
from studio.comparison import keeping
from studio.report import gathering, palette, svg
from studio.report.contents import Report
from studio.report.drawing import Drawing

router = APIRouter(prefix="/api/compare", tags=["runs"])
Runs = Annotated[str, Query(alias="runs", description="Ids, two to twenty: 7,8. Else those of `saved`.")]
Saved = Annotated[int | None, Query(description="A saved comparison, whose name and note head the report.")]


@router.get("/report.html", response_class=Response)
def as_html(runs_: Runs = "", saved: Saved = None) -> Response:
    """One self-contained file: figures, settings, curves and answers. It loads nothing and runs no script."""
    report, ids = report_of(runs_, saved)
    kinds = {"Words": "words", "Table": "table", "Chart": "chart", "Answers": "answers"}
    body = render(
        "report.html",
        report=report,
        made=when(report.made),
        kind=lambda block: kinds[type(block).__name__],
        drawn=drawn,
        palette=palette,
    )
    return sent(body.encode(), "text/html; charset=utf-8", f"comparison-{name_of(ids)}.html")


@router.get("/report.pdf", response_class=Response)
def as_pdf(runs_: Runs = "", saved: Saved = None) -> Response:
    """The same as a PDF, on A4."""
    from studio.report import pdf  # its library takes half a second to import

    report, ids = report_of(runs_, saved)
    return sent(pdf.to_pdf(report, when(report.made)), "application/pdf", f"comparison-{name_of(ids)}.pdf")


def report_of(asked: str, saved: int | None) -> tuple[Report, list[int]]:
    """The report, and the runs it is about."""
    with db.reading() as session:
        kept = keeping.get(session, saved) if saved is not None else None
        asked = asked or (keeping.words_of(kept)["runs"] if kept else "")
        ids = list(dict.fromkeys(int(part) for part in asked.split(",") if part.strip().isdigit()))
        found = [runs.get(session, run_id) for run_id in ids[: gathering.MOST_RUNS + 1]]
        title, note = (kept.name, kept.note) if kept else ("", "")
        return gathering.gather(session, found, title=title, note=note), ids


def drawn(drawing: Drawing, title: str) -> Markup:
    return Markup(svg.write(drawing, title))


def when(moment: datetime) -> str:
    return f"{moment:%d %B %Y, %H:%M} UTC"


def name_of(ids: list[int]) -> str:
    """The runs, for a file's name."""
    return "runs-" + "-".join(map(str, ids[:8])) + (f"-and-{len(ids) - 8}-more" if len(ids) > 8 else "")


def sent(body: bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(body, media_type=kind, headers=headers)
