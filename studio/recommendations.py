"""What the guide was told and what it answered, remembered; and what the studio can count for it.

`studio.guide` decides and knows no database; this keeps its answers beside the runs that follow from them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import events, techniques
from studio.datasets import library
from studio.errors import NotFound, StudioError
from studio.guide import card, document, questions, rules
from studio.models import Dataset, DatasetVersion, Recommendation, Run

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


class Decision(StrEnum):
    """What a person made of the advice: followed it, took another technique, or neither."""

    ACCEPTED = "accepted"
    CHANGED = "changed"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Count:
    """How many the registered datasets hold for one answer, and which they are."""

    value: int
    sources: tuple[str, ...]


def save(session: Session, answers: dict[str, Any], who: str = "") -> Recommendation:
    """Asks the guide and keeps the answer. Raises StudioError naming an answer that cannot be."""
    read = questions.read_answers(answers)
    result = rules.recommend(read)
    kept = Recommendation(
        answers=read.model_dump(mode="json", exclude_unset=True), result=result.model_dump(mode="json")
    )
    session.add(kept)
    session.flush()
    events.record(
        session, "recommendation made", f"recommendation:{kept.id}", who, technique=result.technique
    )
    return kept


def get(session: Session, recommendation_id: int) -> Recommendation:
    found = session.get(Recommendation, recommendation_id)
    if found is None:
        raise NotFound(
            f"There is no recommendation {recommendation_id}.", hint="Answer the guide to get one."
        )
    return found


def newest(session: Session) -> Recommendation | None:
    return session.scalar(select(Recommendation).order_by(Recommendation.id.desc()).limit(1))


def decide(
    session: Session,
    recommendation_id: int,
    decision: Decision,
    who: str = "",
    *,
    chosen: str = "",
    reason: str = "",
) -> Recommendation:
    """Remembers what the person made of the advice. `chosen` is the technique taken instead, where it was
    changed. Raises StudioError where that is missing, or no technique of the guide."""
    found = get(session, recommendation_id)
    if decision is Decision.CHANGED and chosen not in document.load().techniques:
        raise StudioError(
            "Say which technique is taken instead.",
            hint="One of: " + ", ".join(document.load().techniques) + ".",
            field="chosen",
        )
    found.decision, found.reason = decision, reason.strip()
    found.chosen = chosen if decision is Decision.CHANGED else ""
    details = {"chosen": found.chosen, "reason": found.reason}
    events.record(session, f"recommendation {decision}", f"recommendation:{found.id}", who, **details)
    return found


def card_of(recommendation: Recommendation) -> card.Card:
    """The answer card as it was made, also after the guide itself changed."""
    return card.make_card(rules.Recommendation.model_validate(recommendation.result))


def first_run(shown: card.Card) -> str:
    """The technique of the studio to begin this advice with; empty where it is no training or not here."""
    wanted = shown.run_as[0] if shown.trainable and shown.run_as else ""
    return wanted if wanted in {technique.name for technique in techniques.all()} else ""


def counts(session: Session) -> dict[str, Count]:
    """Answers of the guide that the registered datasets already hold, by the answer's name.

    Of each dataset the newest version counts that is no part of a split, so that no row counts twice; what
    runs are measured on does not count, since nothing may learn from it."""
    found: dict[str, list[tuple[int, str]]] = {}
    measured = set(session.scalars(select(Run.held_out_id)))
    for version in filter(None, map(_whole, library.listed(session))):
        if version.id in measured:
            continue
        for name, rows in _answers_in(version):
            if rows:
                found.setdefault(name, []).append((rows, version.title))
    return {
        name: Count(sum(rows for rows, _ in parts), tuple(title for _, title in parts))
        for name, parts in found.items()
    }


def completed(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    """A person's answers, and what the studio counts itself where they said nothing."""
    return {name: count.value for name, count in counts(session).items()} | given


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
