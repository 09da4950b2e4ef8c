"""One use case at /use-case: `?id=7` shows it, `?id=7&edit=yes` lets it be changed, without an id a new one
is described. What is typed lies in a draft whose key is in the address (`static/use_case.js`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import described
from app.navigation import Page
from app.pages import run_words
from app.pages.datasets import leading, shape_title
from app.pages.evaluate import askable
from app.pages.use_cases import phase_words
from app.parts import Paced, Query, assets, fragment, live, render
from app.toolkit import gr, html
from studio import db, drafts, graders, known, use_cases, weights
from studio.datasets import library
from studio.graders import Grader
from studio.graders.choice import models_named
from studio.guide import document
from studio.known import Measured
from studio.models import DatasetVersion, Model, Project, Run

CALM = 5.0
RUNS_SHOWN = 8


@fragment("use-case")
def use_case(query: Query) -> Paced:
    with db.reading() as session:
        number = query.maybe("id")
        project = use_cases.get(session, number) if number is not None else None
        if project is None or query.text("edit") or query.text("draft"):
            return Paced(form(session, project, query.text("draft")), 0)
        return Paced(shown(session, project), CALM)


# ---- described ----------------------------------------------------------------------------------------


def shown(session: Session, project: Project) -> Any:
    model = session.get(Model, project.model_id) if project.model_id else None
    held_out = session.get(DatasetVersion, project.held_out_id) if project.held_out_id else None
    told = use_cases.criteria(project)
    every = library.listed(session)
    return render(
        "use_case.html",
        project=project,
        phase=phase_words(project.phase),
        stakes=use_cases.stakes(),
        criteria=[Shown.of(session, project, each) for each in told],
        model=model,
        held_out=held_out,
        datasets=[(each, leading(each)) for each in every if each.project_id == project.id],
        others=[each for each in every if each.project_id != project.id],
        shape_title=shape_title,
        say=run_words,
        runs=runs_of(session, project),
        belongings=use_cases.belongings(session, project.id),
    )


@dataclass(frozen=True)
class Shown:
    """A criterion: what measures it, what keeps it from being measured, and what was measured last."""

    criterion: use_cases.Criterion
    by: str
    lacking: str
    measured: Measured | None

    @classmethod
    def of(cls, session: Session, project: Project, told: use_cases.Criterion) -> "Shown":
        by, lacking = measure_words(session, told), use_cases.lacking(told)
        return cls(told, by, lacking, known.measured(session, project, told))


def measure_words(session: Session, criterion: use_cases.Criterion) -> str:
    """What measures a criterion, and the models that it asks."""
    if criterion.grader is None:
        return ""
    grader = graders.get(criterion.grader.grader)
    named = [
        model.name
        for reference in models_named(criterion.grader).values()
        if reference.isdigit() and (model := session.get(Model, int(reference)))
    ]
    return f"{grader.title}: {', '.join(named)}" if named else grader.title


def runs_of(session: Session, project: Project) -> Sequence[Run]:
    mine = select(Run).where(Run.project_id == project.id, Run.kind.in_(("train", "evaluate")))
    return session.scalars(mine.order_by(Run.id.desc()).limit(RUNS_SHOWN)).all()


# ---- the form -----------------------------------------------------------------------------------------


def form(session: Session, project: Project | None, key: str) -> Any:
    typed = drafts.get(session, key).get("fields") if key else None
    values = dict.fromkeys(described.FIELDS, "")
    values |= typed if typed is not None else described.texts(project) if project else {}
    every = weights.listed(session)
    return render(
        "use_case_form.html",
        project=project,
        key=key,
        is_typed=typed is not None,
        values=values,
        stakes=document.load().fields["stakes"],
        phases=[(0, "Nothing is measured yet")] + [(n, phase_words(n)) for n in range(1, 5)],
        models=[model for model in every if model.kind == "language"],
        every_model=every,
        versions=askable(session),
        groups=by_group(),
        places=[(place, described.settings(values, place)) for place in range(use_cases.MOST_CRITERIA)],
    )


def by_group() -> dict[str, list[Grader]]:
    """Every grader, as its family groups them."""
    found: dict[str, list[Grader]] = {}
    for grader in graders.all():
        found.setdefault(grader.group, []).append(grader)
    return found


def build() -> None:
    html(live("use-case", every=0, rows=8), elem_id="use-case")
    gr.HTML(
        '<span class="hidden" aria-hidden="true"></span>',
        js_on_load=f'import("{assets.address("use_case.js")}")',
        apply_default_css=False,
        padding=False,
        elem_classes="nothing",
    )


PAGE = Page(path="/use-case", title="Use case", build=build, in_nav=False, under="/use-cases")
