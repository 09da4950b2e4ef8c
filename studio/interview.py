"""The guide as it is being answered: what was said so far, in which order, and for which use case.

An order is kept so that each answer can be told what it changed. What the studio knows beforehand
(`studio.known`) is no answer until a person says otherwise.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from studio import drafts, known, recommendations, use_cases
from studio.guide import questions, rules
from studio.guide.document import Guide
from studio.known import Known
from studio.models import Project


@dataclass(frozen=True)
class Interview:
    """`order` names what a person said otherwise than was known, the newest last; `beforehand` is what the
    studio knows itself."""

    answers: dict[str, Any]
    order: list[str]
    project: Project | None
    beforehand: dict[str, Known]

    @property
    def completed(self) -> dict[str, Any]:
        """What was said, and what is known where nothing was said."""
        return {name: each.value for name, each in self.beforehand.items()} | self.answers

    def is_answered(self, name: str) -> bool:
        """Said here, or told with the use case."""
        return name in self.answers or (name in self.beforehand and self.beforehand[name].told)


@dataclass(frozen=True)
class Change:
    """One answer, the technique that the guide gave once it was said, and the one before: the same where it
    changed nothing, empty where nothing was known before."""

    field: str
    value: Any
    technique: str
    before: str


def get(session: Session, key: str, project_id: int | None = None) -> Interview:
    """What was kept under `key`; where nothing was, one that begins for this use case."""
    kept = drafts.get(session, key)
    number = kept.get("project") if kept else project_id
    project = session.get(Project, number) if number else None
    return Interview(
        answers=kept.get("answers", {}),
        order=kept.get("order", []),
        project=project,
        beforehand=known.of(session, project),
    )


def answer(session: Session, key: str, given: dict[str, Any], project_id: int | None = None) -> None:
    """Adds answers, which were checked, to a draft; one that is not there begins for this use case."""
    if project_id is not None:
        use_cases.get(session, project_id)
    before = get(session, key, project_id)
    said = [name for name in given if _is_new(before, name, given[name])]
    order = [name for name in before.order if name not in said] + said
    _put(session, key, before.answers | given, order, before.project)


def begin_with(session: Session, key: str, recommendation_id: int) -> None:
    """A draft that begins with the answers of an earlier recommendation, and belongs to its use case."""
    made = recommendations.get(session, recommendation_id)
    project = session.get(Project, made.project_id) if made.project_id else None
    _put(session, key, made.answers, [], project)


def changes(interview: Interview, guide: Guide) -> list[Change]:
    """What each answer changed when it was said, the newest first."""
    answers = {name: value for name, value in interview.completed.items() if name not in interview.order} | {
        name: interview.beforehand[name].value for name in interview.order if name in interview.beforehand
    }
    technique = rules.technique_of(questions.read_answers(answers), guide) if answers else ""
    found = []
    for name in interview.order:
        answers[name] = interview.answers[name]
        before, technique = technique, rules.technique_of(questions.read_answers(answers), guide)
        found.append(Change(name, answers[name], technique, before))
    return found[::-1]


def _is_new(before: Interview, name: str, value: Any) -> bool:
    if name in before.answers:
        return bool(before.answers[name] != value)
    return name not in before.beforehand or before.beforehand[name].value != value


def _put(
    session: Session, key: str, answers: dict[str, Any], order: list[str], project: Project | None
) -> None:
    data = {"answers": answers, "order": order, "project": project.id if project else None}
    drafts.put(session, key, data)
