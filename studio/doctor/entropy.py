"""The model has become certain of one way to answer, before it is the right one."""

from studio.doctor.base import (
    CERTAIN,
    OUR_RULE,
    Change,
    Finding,
    Limits,
    Patient,
    Rule,
    evidence,
    low_of,
    number,
    share,
    slower,
    threshold,
)
from studio.techniques.online import UNDECIDED


def examine(patient: Patient, limits: Limits) -> Finding | None:
    entropy = patient.series["entropy"]
    limit = max(limits["entropy_low"], limits["entropy_left"] * entropy.start)
    if entropy.end >= limit or patient.is_solved or _still_learns(patient):
        return None
    said = (
        f"The entropy, {number(entropy.start)} nats a token at first, is at {number(entropy.end)}"
        f"{_reward(patient)}: the answers have become alike, and nothing new is tried."
    )
    shown = [evidence(patient, "entropy", lambda value: value < limit, limit)]
    if patient.has("reward_std"):
        std = patient.series["reward_std"]
        shown.append(evidence(patient, "reward_std", lambda value: value <= max(std.end * 1.5, 1e-9)))
    changes = slower(patient, "Shorter steps leave time to try other answers") + _held_open(patient)
    return Finding("error", said, tuple(shown), changes)


def _still_learns(patient: Patient) -> bool:
    """Whether the reward goes on rising in the later half: then certainty is what it learns."""
    if not patient.has("reward"):
        return False
    reward = patient.series["reward"]
    before, now, error = reward[len(reward) // 2 :].drift
    return now - before > CERTAIN * error


def _reward(patient: Patient) -> str:
    if not patient.has("reward") or not patient.best_reward:
        return ""
    part = max(0.0, patient.series["reward"].end / patient.best_reward)
    return f" while the reward is at {share(part)} of the most there is"


def _held_open(patient: Patient) -> tuple[Change, ...]:
    given = patient.settings
    if given.get("temperature", 1.0) < 1:
        return (Change("temperature", 1.0, "Below 1 only the likeliest answers are ever seen"),)
    if given.get("beta") == 0:
        return (Change("beta", 0.01, "Holds the model near its start, which is still undecided"),)
    return ()


RULE = Rule(
    name="entropy",
    title="Entropy collapse",
    explanation="A model that is certain of every token gives the same answer each time. Groups then have no "
    "spread, so that learning stops wherever it happens to be.",
    concerns=lambda patient: patient.answers_itself and patient.has("entropy"),
    examine=examine,
    thresholds={
        "entropy_low": low_of(
            UNDECIDED, "Entropy collapse: floor", "Nats a token, below which nothing new is tried."
        ),
        "entropy_left": threshold(
            "Entropy collapse: what is left",
            "Share of the entropy it began with.",
            0.1,
            f"{OUR_RULE}; arXiv 2505.22617 finds most of the gain made by then, and learning at an end",
        ),
    },
    order=70,
)
