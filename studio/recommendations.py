"""What the guide was told and what it answered, remembered; and the guide as this studio has set it.

`studio.guide` decides and knows no database; this keeps its answers beside the runs that follow from them.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import events, preferences, techniques
from studio.errors import NotFound, StudioError
from studio.guide import card, document, questions, rules
from studio.models import Recommendation
from studio.thresholds import merged

THRESHOLDS = "thresholds"  # of studio.preferences


class Decision(StrEnum):
    """What a person made of the advice: followed it, took another technique, or neither."""

    ACCEPTED = "accepted"
    CHANGED = "changed"
    REJECTED = "rejected"


def guide(session: Session) -> document.Guide:
    """The guide with the thresholds of this studio. Everything that recommends asks this one."""
    shipped = document.load()
    kept = preferences.get(session, THRESHOLDS)
    return shipped.with_thresholds({name: kept[name] for name in kept if name in shipped.thresholds})


def set_thresholds(
    session: Session, changed: Mapping[str, float | int | None], who: str = ""
) -> document.Guide:
    """Keeps these thresholds beside those that were set before; None goes back to what is shipped. Raises
    StudioError for a value that cannot be. Advice that was given keeps the thresholds of its time."""
    shipped = document.load()
    before = preferences.get(session, THRESHOLDS)
    after = shipped.with_thresholds(merged(shipped.thresholds, before, changed))
    ours = {name: value for name, value in after.limits.items() if value != shipped.limits[name]}
    if ours != before:
        preferences.put(session, THRESHOLDS, ours, who)
    return after


def save(
    session: Session, answers: dict[str, Any], who: str = "", *, project_id: int | None = None
) -> Recommendation:
    """Asks the guide and keeps the answer. Raises StudioError naming an answer that cannot be."""
    read = questions.read_answers(answers)
    result = rules.recommend(read, guide(session))
    kept = Recommendation(
        project_id=project_id,
        answers=read.model_dump(mode="json", exclude_unset=True),
        result=result.model_dump(mode="json"),
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


def newest(session: Session, project_id: int | None = None) -> Recommendation | None:
    """The newest of a use case, or of all."""
    query = select(Recommendation).order_by(Recommendation.id.desc()).limit(1)
    return session.scalar(query.where(Recommendation.project_id == project_id) if project_id else query)


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
