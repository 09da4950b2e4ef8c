"""What a use case has to learn from and to be measured on: its model, its held-out questions, the metric that
decides, and of each kind of data the version a training would take."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import evaluations, graders, recommendations, use_cases, weights
from studio.datasets import library
from studio.errors import StudioError
from studio.graders.base import JUDGED, VERIFIABLE
from studio.graders.choice import GraderChoice
from studio.guide.document import Guide
from studio.held_out import ASKING, held_out_of
from studio.models import DatasetVersion, Model, Project, Run

# What the guide counts, and the shapes that count for it, in the order of the phases that need them.
KINDS = {
    "n_labelled": ("chat", "instruction", "classification"),
    "n_pairs": ("preference",),
    "n_prompts": ("prompt",),
}


@dataclass(frozen=True)
class Material:
    """`data` holds a version of each kind there is, by the guide's name for its count. `reward`, `arch`,
    `out_tokens` and `stakes` are answers of the guide, which has this studio's thresholds."""

    model: Model | None
    held_out: DatasetVersion | None
    grader: GraderChoice | None
    data: dict[str, DatasetVersion]
    reward: str
    arch: str
    out_tokens: int
    stakes: str
    guide: Guide

    def count(self, kind: str) -> int:
        return self.data[kind].rows if kind in self.data else 0


def of(session: Session, project: Project) -> Material:
    held_out = _held_out(session, project)
    first = next(iter(use_cases.criteria(project)), None)
    grader = first.grader if first and not use_cases.lacking(first) else None
    guide = recommendations.guide(session)
    given = guide.defaults | project.answers
    versions = _to_learn_from(session, project, held_out)
    found = {kind: _largest(versions, shapes) for kind, shapes in KINDS.items()}
    return Material(
        model=model_of(session, project),
        held_out=held_out,
        grader=grader,
        data={kind: version for kind, version in found.items() if version},
        reward=_reward(grader) or given["reward"],
        arch=given["arch"],
        out_tokens=given["out_tokens"],
        stakes=project.stakes or given["stakes"],
        guide=guide,
    )


def check_measurable(found: Material) -> None:
    """Raises StudioError where something is missing without which nothing can be measured."""
    wanted = {
        "criteria": (
            found.grader,
            "Nothing can measure the use case's first criterion yet.",
            "Choose a grader",
        ),
        "held_out": (found.held_out, "The use case has no held-out questions.", "Choose some"),
        "model": (found.model, "The use case has no model to begin with.", "Choose one"),
    }
    for field, (there, problem, remedy) in wanted.items():
        if there is None:
            raise StudioError(problem, hint=f"{remedy} on the use case's page.", field=field)


def model_of(session: Session, project: Project | None) -> Model | None:
    """What a use case trains: the model chosen, else the base of its newest run. Where neither is known, and
    without a use case, the only base there is."""
    if project and project.model_id:
        return session.get(Model, project.model_id)
    if project:
        used = select(Model).join(Run, Run.model_id == Model.id).where(Run.project_id == project.id)
        newest = session.scalar(used.order_by(Run.id.desc()).limit(1))
        if newest:
            return evaluations.base_of(session, newest)
    bases = [each for each in weights.listed(session) if each.run_id is None and each.kind == "language"]
    return bases[0] if len(bases) == 1 else None


def _held_out(session: Session, project: Project) -> DatasetVersion | None:
    """What the use case is measured on; where it says nothing, what its newest run was measured on."""
    used = select(DatasetVersion).join(Run, Run.held_out_id == DatasetVersion.id)
    asked = used.where(Run.project_id == project.id, DatasetVersion.shape.in_(ASKING))
    return held_out_of(session, project) or session.scalar(asked.order_by(Run.id.desc()).limit(1))


def _to_learn_from(
    session: Session, project: Project, held_out: DatasetVersion | None
) -> list[DatasetVersion]:
    """Of each dataset that belongs to the use case, or that its runs learned from, the newest version that
    was not held out."""
    learned = select(DatasetVersion.dataset_id).join(Run, Run.dataset_version_id == DatasetVersion.id)
    used = set(session.scalars(learned.where(Run.project_id == project.id)))
    found = []
    for dataset in library.listed(session):
        kept = [version for version in dataset.versions if version.split != library.HELD_OUT]
        mine = dataset.project_id == project.id or dataset.id in used
        if mine and kept and (held_out is None or kept[-1].id != held_out.id):
            found.append(kept[-1])
    return found


def _largest(versions: Iterable[DatasetVersion], shapes: Sequence[str]) -> DatasetVersion | None:
    return max(
        (each for each in versions if each.shape in shapes),
        key=lambda each: (each.rows, each.id),
        default=None,
    )


def _reward(grader: GraderChoice | None) -> str:
    """Who can score an answer: known where a grader was chosen that a program or a judge carries out."""
    if grader is None or not graders.has(grader.grader):
        return ""
    words = set(graders.get(grader.grader).aliases)
    if words & set(VERIFIABLE):
        return "verifiable"
    return "ai_judge" if words & set(JUDGED) else ""
