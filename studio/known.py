"""What the studio knows of the guide's answers before anybody is asked: counted in the registered data, told
with the use case, or measured. Whatever a person answers stands above it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from studio import db, evaluations, use_cases
from studio.datasets import library
from studio.evaluations import results
from studio.evaluations.results import Figure
from studio.guide import document
from studio.models import Dataset, DatasetVersion, Kind, Project, Run, State
from studio.use_cases import Criterion

# Which answer of the guide the rows of a shape count for. Thumbs are told apart by their labels.
COUNTED = {
    "chat": "n_labelled",
    "instruction": "n_labelled",
    "classification": "n_labelled",
    "preference": "n_pairs",
    "rated": "n_ratings",
    "prompt": "n_prompts",
    "retrieval": "n_query_passages",
}
MOST_PHASES = 3  # the guide asks for what was done before its last one
LOOKED_AT = 20  # evaluations, the newest first
DIGITS = 4  # of a measured share


@dataclass(frozen=True)
class Known:
    """An answer and, in words, where it comes from; `href` leads there. `told` with the use case: as good as
    answered."""

    value: Any
    says: str
    href: str = ""
    told: bool = False


def of(session: Session, project: Project | None = None) -> dict[str, Known]:
    """By the answer's name. What is measured stands above what was told, and what is counted in a use case's
    own data too; data of nobody in particular counts only where nothing was told."""
    if project is None:
        return _counted(session, library.listed(session))
    own = [dataset for dataset in library.listed(session) if dataset.project_id == project.id]
    found = {} if own else _counted(session, library.listed(session))
    return found | _told(project) | _counted(session, own) | _measured(session, project)


# ---- counted ------------------------------------------------------------------------------------------


def _counted(session: Session, datasets: Iterable[Dataset]) -> dict[str, Known]:
    """Of each dataset the newest version counts that is no part of a split, so that no row counts twice; what
    runs are measured on does not count, since nothing may learn from it."""
    found: dict[str, list[tuple[int, str]]] = {}
    measured = {*session.scalars(select(Run.held_out_id)), *session.scalars(select(Project.held_out_id))}
    for version in filter(None, map(_whole, datasets)):
        if version.id in measured:
            continue
        for name, rows in _answers_in(version):
            if rows:
                found.setdefault(name, []).append((rows, version.title))
    return {
        name: Known(sum(rows for rows, _ in parts), "Counted from " + ", ".join(title for _, title in parts))
        for name, parts in found.items()
    }


def _whole(dataset: Dataset) -> DatasetVersion | None:
    """The newest version that is no part of a split; without one, the newest that is for training."""
    whole = [version for version in dataset.versions if not version.split]
    parts = [version for version in dataset.versions if version.split == "train"]
    return next(iter([*reversed(whole), *reversed(parts)]), None)


def _answers_in(version: DatasetVersion) -> Iterable[tuple[str, int]]:
    if version.shape in COUNTED:
        return [(COUNTED[version.shape], version.rows)]
    if version.shape == "labelled":
        labels = version.report.get("statistics", {}).get("labels", {})
        return [("n_binary_pos", labels.get("True", 0)), ("n_binary_neg", labels.get("False", 0))]
    return []


# ---- told ---------------------------------------------------------------------------------------------


def _told(project: Project) -> dict[str, Known]:
    answers = {name: value for name, value in project.answers.items() if name in document.load().fields}
    phase = max(project.phase, answers.get("phase_done") or 0)
    if phase:
        answers["phase_done"] = min(phase, MOST_PHASES)
    if project.stakes:
        answers["stakes"] = project.stakes
    for criterion in use_cases.criteria(project)[:1]:
        answers |= {"metric_now": criterion.now, "metric_target": criterion.target}
    says, href = "As the use case says", f"/use-case?id={project.id}"
    return {name: Known(value, says, href, told=True) for name, value in answers.items() if value is not None}


# ---- measured -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """What the newest evaluation with a criterion's grader says, of the contestant that does best."""

    run: Run
    contestant: str
    figure: Figure


def measured(session: Session, project: Project, criterion: Criterion) -> Measured | None:
    """None where no evaluation of the use case, on what it is measured on, scored by this criterion."""
    if criterion.grader is None:
        return None
    wanted = select(Run).where(
        Run.project_id == project.id, Run.kind == Kind.EVALUATE, Run.state == State.SUCCEEDED
    )
    if project.held_out_id is not None:
        wanted = wanted.where(Run.held_out_id == project.held_out_id)
    for run in session.scalars(wanted.order_by(Run.id.desc()).limit(LOOKED_AT)):
        metric = evaluations.metric_of(run, criterion.grader)
        every = _figures(db.engine(), run.id, str(run.ended)) if metric else []
        figures = [each for each in every if each.metric == metric]
        if figures:
            best = max(figures, key=lambda figure: figure.mean.value)
            return Measured(run, evaluations.names(run)[best.contestant], best)
    return None


def _measured(session: Session, project: Project) -> dict[str, Known]:
    """What is measured by the criterion that decides."""
    deciding = next(iter(use_cases.criteria(project)), None)
    found = measured(session, project, deciding) if deciding else None
    return _read(found.run, found.figure) if found else {}


@lru_cache(maxsize=16)
def _figures(_engine: Engine, run_id: int, _ended: str) -> list[Figure]:
    """What an evaluation measured that is done, and so changes no more: the guide asks at every answer."""
    with db.reading() as session:
        found = results.of(session, session.get_one(Run, run_id))
        return found.figures if found else []


def _read(run: Run, best: Figure) -> dict[str, Known]:
    says, href = f"Measured by evaluation {run.id}", f"/evaluate?id={run.id}"
    shares = {"metric_now": best.mean, "pass_at_8": best.pass_8}
    return {
        name: Known(round(share.value, DIGITS), says, href, told=True)
        for name, share in shares.items()
        if share is not None and 0 <= share.value <= 1
    }
