"""The model has run far away from the one it started from."""

from studio.doctor.base import (
    Change,
    Finding,
    Limits,
    Patient,
    Rule,
    evidence,
    high_of,
    number,
    slower,
)
from studio.techniques.metrics import NATS_OF_AN_ANSWER
from studio.techniques.online import NATS_OF_A_TOKEN

WEIGHTS = ("beta", "kl_coef")  # how techniques call what holds them near their start
LEAST = 0.01


def examine(patient: Patient, limits: Limits) -> Finding | None:
    kl = patient.series["kl"]
    by_answer = patient.healthy("kl") is NATS_OF_AN_ANSWER
    limit = limits["kl_answer" if by_answer else "kl_token"]
    if kl.end <= limit:
        return None
    unit = "an answer" if by_answer else "a token"
    said = (
        f"The model is {number(kl.end)} nats {unit} from its start (it began at {number(kl.start)}); above "
        f"{number(limit)} what graders reward and what is meant part."
    )
    shown = evidence(patient, "kl", lambda value: value > limit, limit)
    changes = slower(patient, "Shorter steps stay nearer") + _held(patient)
    return Finding(
        "warning",
        said,
        (shown,),
        changes,
        "Read the newest samples: gibberish that is rewarded shows there first.",
    )


def _held(patient: Patient) -> tuple[Change, ...]:
    for name in WEIGHTS:
        if name in patient.settings:
            more = float(f"{max(LEAST, 4 * patient.settings[name]):.2g}")
            return (Change(name, more, "Going away costs more"),)
    return ()


RULE = Rule(
    name="kl",
    title="Far from its start",
    explanation="A reward is a stand-in for what is wanted. Near its start a model raises both; far away it "
    "finds what only the stand-in likes, and loses what it could before.",
    concerns=lambda patient: patient.has("kl") and patient.healthy("kl") is not None,
    examine=examine,
    thresholds={
        "kl_token": high_of(
            NATS_OF_A_TOKEN, "Far from its start: a token", "Nats a token, as GRPO and its kin log it."
        ),
        "kl_answer": high_of(
            NATS_OF_AN_ANSWER, "Far from its start: an answer", "Nats an answer, as PPO and KTO log it."
        ),
    },
    order=80,
)
