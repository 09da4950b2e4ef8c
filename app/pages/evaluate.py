"""Evaluations at /evaluate: `?id=7` shows one, live while it answers; without an id a new one is set up,
above those there are. `?models=3,4` chooses models at the start, `?project=7` what that is measured by. Of
one that is shown, `from` and `against` are the two contestants whose answers stand side by side.

What the answers say is worked out by `studio.evaluations.results`."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from app import measured_by
from app.navigation import Page
from app.parts import Paced, Query, fragment, live, render
from app.toolkit import html
from studio import db, evaluations, graders, held_out, loop, material, runs, use_cases, weights
from studio.datasets import library
from studio.errors import StudioError
from studio.evaluations import results
from studio.graders import Grader
from studio.held_out import ASKING
from studio.models import DatasetVersion, Kind, Project, Run
from studio.use_cases import Criterion

CALM = 5.0  # seconds between looks when nothing goes on
SHOWN = 10  # evaluations, and changed answers
SHOWING = {"gained": True, "lost": False, "all": None}
WORDS = {"better": ("good", "better"), "worse": ("bad", "worse"), "open": ("info", "not shown")}


@fragment("evaluate")
def show(query: Query) -> Paced:
    with db.reading() as session:
        number = query.maybe("id")
        if number is None:
            return Paced(setup(session, query), CALM)
        run = runs.get(session, number)
        if run.kind != Kind.EVALUATE:
            raise StudioError(f"Run {number} is no evaluation.", hint="The list below Evaluate has them.")
        return shown(session, run, query)


def setup(session: Session, query: Query) -> Any:
    models = [model for model in weights.listed(session) if model.kind == "language"]
    number = query.maybe("project")
    project = use_cases.get(session, number) if number is not None else None
    first = material.model_of(session, project) if project else None
    chosen = query.numbers("models") or ([first.id] if first else [model.id for model in models[-1:]])
    kept_apart = held_out.held_out_of(session, project) if project else None
    return render(
        "evaluate_setup.html",
        models=models,
        chosen=chosen,
        kept_apart=kept_apart or held_out.of_models(session, chosen),
        project=project,
        criteria=measurable(project) if project else [],
        most=evaluations.MOST_CONTESTANTS,
        versions=askable(session),
        metrics=simple(),
        titles={grader.name: grader.title for grader in graders.all()},
        with_settings=measured_by.offered(),
        every_model=weights.listed(session),
        former=runs.listed(session, kinds=[Kind.EVALUATE], limit=SHOWN),
    )


def measurable(project: Project) -> list[tuple[int, Criterion]]:
    """The criteria of a use case that can be measured, with their places."""
    return [
        (place, each) for place, each in enumerate(use_cases.criteria(project)) if not use_cases.lacking(each)
    ]


def askable(session: Session) -> list[DatasetVersion]:
    """Versions that ask something, those held out first."""
    every = [version for dataset in library.listed(session) for version in dataset.versions]
    return sorted(
        (version for version in every if version.shape in ASKING),
        key=lambda version: (version.split != library.HELD_OUT, -version.id),
    )


def simple() -> list[Grader]:
    """Graders that a tick is enough to use."""
    return [grader for grader in graders.all() if grader.as_it_is]


def shown(session: Session, run: Run, query: Query) -> Paced:
    names = evaluations.names(run)
    is_active = run.state in runs.ACTIVE
    beside = Beside.of(query, run)
    found = results.of(session, run, beside.first)
    answers, total = beside.answers(session, run) if found and len(names) > 1 else ([], 0)
    body = render(
        "evaluate.html",
        run=run,
        active=is_active,
        names=names,
        metrics=[each["name"] for each in run.graders],
        found=found,
        figures={(each.metric, each.contestant): each for each in found.figures} if found else {},
        costs={each.contestant: each for each in found.costs} if found else {},
        words=WORDS,
        slices=by_column(found.slices) if found else {},
        answers=answers,
        total=total,
        beside=beside,
        first=beside.first,
        shown=SHOWN,
        seen=loop.look(session, run),
    )
    return Paced(body, 1 if is_active else CALM)


@dataclass(frozen=True)
class Beside:
    """Two contestants whose answers are compared one by one: by which metric, which, from where on."""

    run: int
    first: int
    second: int
    metric: str
    show: str
    start: int

    @classmethod
    def of(cls, query: Query, run: Run) -> "Beside":
        """As the address says; the first metric and the first two contestants where it says nothing else."""
        known = range(len(evaluations.names(run)))
        first, second = query.maybe("from", 0) or 0, query.maybe("against", 1) or 0
        first = first if first in known else 0
        second = second if second in known and second != first else int(first == 0)
        metrics = [each["name"] for each in run.graders]
        metric = query.text("metric")
        show = query.text("show", "gained")
        return cls(
            run=run.id,
            first=first,
            second=second,
            metric=metric if metric in metrics else next(iter(metrics), ""),
            show=show if show in SHOWING else "gained",
            start=query.maybe("start", 0) or 0,
        )

    def answers(self, session: Session, run: Run) -> tuple[list[results.Answered], int]:
        return results.changed(
            session,
            run,
            self.metric,
            self.second,
            against=self.first,
            gained=SHOWING[self.show],
            start=self.start,
            count=SHOWN,
        )

    def address(self, **other: Any) -> str:
        """The same with something else in it; a page of another list begins at its start."""
        parts = {"id": self.run, "from": self.first, "against": self.second}
        parts |= {"metric": self.metric, "show": self.show} | other
        return f"/evaluate?{urlencode(parts)}"


def by_column(slices: list[results.Slice]) -> dict[tuple[str, str], list[results.Slice]]:
    found: dict[tuple[str, str], list[results.Slice]] = {}
    for each in slices:
        found.setdefault((each.column, each.metric), []).append(each)
    return found


def build() -> None:
    html(live("evaluate", every=1, rows=8), elem_id="evaluate")


PAGE = Page(path="/evaluate", title="Evaluate", build=build, icon="evaluate", order=230)
