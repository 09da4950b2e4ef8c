"""A prompt that is being written, tried on one row: a serving run answers, and the graders of the use case's
criteria score it. Nothing is measured by it; that takes many rows (`measuring`)."""

import functools
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.orm import Session

from studio import chats, drafts, graders, prompts, use_cases
from studio.datasets import library
from studio.errors import StudioError
from studio.graders import Case, trial
from studio.graders.choice import GraderChoice
from studio.held_out import held_out_of, text_of
from studio.models import Answer, DatasetVersion, Project
from studio.prompting import Prompting
from studio.prompts import examples


@dataclass(frozen=True)
class Asked:
    """What a model gets about a row (`number`, from 0) of `source`, and the answer that is wanted."""

    source: DatasetVersion
    number: int
    messages: list[dict[str, Any]]
    reference: str


@dataclass(frozen=True)
class Score:
    """What one criterion's grader says of an answer; `note` where it says nothing, or had trouble."""

    criterion: str
    score: float | None
    note: str


@dataclass(frozen=True)
class Tried:
    answer: Answer
    model: str
    number: int
    reference: str
    scores: list[Score]


def asked(session: Session, project: Project, prompting: Prompting, number: int) -> Asked | None:
    """None where there are no rows. Raises StudioError for what does not fit, or shows a held-out answer."""
    source = examples.asked_from(session, project)
    if source is None:
        return None
    prompts.check_examples(prompting)
    if held_out := held_out_of(session, project):
        examples.check_unseen(prompting, held_out)
    number = max(0, min(number, source.rows - 1))
    return Asked(source, number, *prompts.put(source, number, prompting))


def ask(session: Session, project: Project, prompting: Prompting, number: int, model_id: int) -> str:
    """Puts the row to a model; the key under which `find` has the answer.

    Wake the workers after the commit."""
    found = asked(session, project, prompting, number)
    if found is None:
        raise StudioError("There are no rows to ask about yet.", hint="Bring held-out rows.", field="row")
    answer = chats.put(session, model_id, found.messages)
    key = drafts.new_key("tried")
    about = {"project": project.id, "answer": answer.id, "version": found.source.id, "row": found.number}
    drafts.put(session, key, about)
    return key


def find(session: Session, key: str) -> Tried | None:
    """What was asked under this key, with scores once it is answered."""
    kept = drafts.get(session, key)
    answer = session.get(Answer, kept["answer"]) if kept else None
    if answer is None:
        return None
    version, number = library.get_version(session, kept["version"]), int(kept["row"])
    _, reference = prompts.put(version, number, Prompting())
    is_done = answer.state == "done"
    project = session.get(Project, kept["project"])
    scores = scored(project, version, number, answer) if is_done and project else []
    return Tried(answer, chats.name_of(session, answer), number, reference, scores)


def scored(project: Project, version: DatasetVersion, number: int, answer: Answer) -> list[Score]:
    """By each criterion that can be measured, as an evaluation would score this answer."""
    row = next(iter(library.rows_of(version, number, 1)), {})
    _, reference = prompts.put(version, number, Prompting())
    case = {
        "answer": answer.text,
        "reference": row.get("reference_answer", reference),
        "prompt": text_of(answer.messages[-1]),
        "messages": answer.messages,
        "row": row,
        "tokens": answer.tokens,
    }
    return [
        Score(each.name, *_score(answer.id, each.grader.model_dump_json(), orjson.dumps(case)))
        for each in use_cases.criteria(project)
        if each.grader and not use_cases.lacking(each)
    ]


@functools.lru_cache(maxsize=64)
def _score(_answer: int, choice: str, case: bytes) -> tuple[float | None, str]:
    """Once an answer: a grader may run a program or ask another machine, and pages look again and again."""
    wanted = GraderChoice.model_validate_json(choice)
    if graders.get(wanted.grader).scorer:
        return None, "Needs a model that only a worker loads; an evaluation measures it."
    try:
        found = trial.run(wanted, Case(**orjson.loads(case)))
    except StudioError as problem:  # said beside its criterion; the others still score
        return None, str(problem)
    return found.score, found.note
