"""Answers grow longer for the length itself: nothing else gets better, or the reward follows it."""

import itertools
import statistics
from fnmatch import fnmatchcase

from studio.doctor.base import (
    OUR_RULE,
    Change,
    Finding,
    Limits,
    Patient,
    Rule,
    Series,
    evidence,
    number,
    threshold,
)

LENGTH, REWARD, PARTS = "completions/mean_length", "reward", "rewards/*/mean"
GAIN = 0.05  # of the spread of a reward, below which it has not grown


def examine(patient: Patient, limits: Limits) -> Finding | None:
    length, reward = patient.series[LENGTH], patient.series[REWARD]
    grown = length.end / length.start if length.start > 0 else 1.0
    if grown < limits["length_growth"]:
        return None
    longer = f"Answers grew from {number(length.start)} to {number(length.end)} tokens"
    if reward.end <= reward.start + GAIN * max(abs(reward.start), 0.1):
        said = (
            f"{longer} while the reward did not: {number(reward.start)} at first, {number(reward.end)} now."
        )
    elif (follows := _together(length, reward)) >= limits["length_together"]:
        said = (
            f"{longer}, and the reward with them, from {number(reward.start)} to {number(reward.end)}: it "
            f"{_follows(follows)}{_others(patient)}."
        )
    else:
        return None
    limit = limits["length_growth"] * length.start
    shown = (
        evidence(patient, LENGTH, lambda value: value > limit, limit),
        evidence(patient, REWARD, lambda _: True),
    )
    besides = (
        "Add the grader “Soft overlong punishment”, which tells long-winded from wrong, and look for a "
        "grader that pays for words. Dr. GRPO leaves out the term that favours long wrong answers."
    )
    return Finding("warning", said, shown, _bounded(patient), besides)


def _together(length: Series, reward: Series) -> float:
    """How far steps with longer answers are the steps with a higher reward, trend aside: the correlation of
    the changes from one step to the next."""
    by_step = dict(zip(reward.finite.steps, reward.finite.values, strict=True))
    both = [
        (v, by_step[s])
        for s, v in zip(length.finite.steps, length.finite.values, strict=True)
        if s in by_step
    ]
    changes = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(both)]
    lengths, rewards = [each[0] for each in changes], [each[1] for each in changes]
    if len(changes) < 3 or len(set(lengths)) < 2 or len(set(rewards)) < 2:
        return 0.0
    return statistics.correlation(lengths, rewards)


def _follows(correlation: float) -> str:
    return f"is higher in just those steps whose answers are longer (correlation {correlation:.2f})"


def _others(patient: Patient) -> str:
    """Which graders gained nothing from the longer answers."""
    parts = [key for key in patient.series if fnmatchcase(key, PARTS) and patient.has(key)]
    still = [key.split("/")[1] for key in parts if patient.series[key].end <= patient.series[key].start]
    return f", while {', '.join(still)} gained nothing" if still and len(still) < len(parts) else ""


def _bounded(patient: Patient) -> tuple[Change, ...]:
    given, found = patient.settings, []
    longest, began = given.get("max_completion_length"), patient.series[LENGTH].start
    if longest and (bound := max(16, round(began * 1.5))) < longest:
        found.append(Change("max_completion_length", bound, "Half as long again as answers were at first"))
    if given.get("scale_rewards") == "group":
        found.append(
            Change(
                "scale_rewards",
                "none",
                "Dividing by a group's spread favours prompts where length decides (Dr. GRPO, arXiv "
                "2503.20783)",
            )
        )
    return tuple(found)


RULE = Rule(
    name="length",
    title="Length hacking",
    explanation="The model has found that length pays: a grader likes words, or long wrong answers are "
    "punished less a token. Such answers cost more to make and to read, and are no better.",
    concerns=lambda patient: patient.answers_itself and patient.has(LENGTH, REWARD),
    examine=examine,
    thresholds={
        "length_growth": threshold(
            "Length hacking: growth",
            "So many times the length that answers had at first.",
            1.5,
            f"{OUR_RULE}; Singhal et al., “A Long Way to Go” (2023), saw reward models lead to answers 1.5 "
            "to 2.5 times as long",
        ),
        "length_together": threshold(
            "Length hacking: reward follows length",
            "Correlation between the changes of length and reward from step to step.",
            0.7,
            f"{OUR_RULE}: half of what moves the reward is then length",
        ),
    },
    order=110,
)
