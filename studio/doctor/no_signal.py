"""The answers to a prompt all get the same reward, so that there is nothing to learn from."""

from studio.doctor.base import (
    OUR_RULE,
    Change,
    Evidence,
    Finding,
    Limits,
    Patient,
    Rule,
    evidence,
    low_of,
    number,
    share,
    threshold,
)
from studio.techniques.online import SPREAD

GROUPS, STD, FILLED = "frac_reward_zero_std", "reward_std", "dynamic_sampling/filled"


def examine(patient: Patient, limits: Limits) -> Finding | None:
    if patient.is_solved:
        return None
    found = _of_batches(patient, limits) or _of_groups(patient, limits) or _of_rewards(patient, limits)
    if found is None:
        return None
    said, shown = found
    where, besides = _which(patient)
    return Finding("error", f"{said}{where}: they teach nothing.", (shown,), _more_spread(patient), besides)


def _of_batches(patient: Patient, limits: Limits) -> tuple[str, Evidence] | None:
    """DAPO leaves groups without a signal out: then it is the batch that stays empty."""
    least = 1 - limits["no_signal_share"]
    if not patient.has(FILLED) or (found := patient.series[FILLED].end) >= least:
        return None
    shown = evidence(patient, FILLED, lambda value: value < least, least)
    return f"Only {share(found)} of a batch could be filled with groups whose answers differ in reward", shown


def _of_groups(patient: Patient, limits: Limits) -> tuple[str, Evidence] | None:
    limit = limits["no_signal_share"]
    if not patient.has(GROUPS) or (found := patient.series[GROUPS].end) <= limit:
        return None
    shown = evidence(patient, GROUPS, lambda value: value > limit, limit)
    return f"In {share(found)} of the groups all answers got the same reward", shown


def _of_rewards(patient: Patient, limits: Limits) -> tuple[str, Evidence] | None:
    least = limits["no_signal_spread"]
    if patient.has(GROUPS) or not patient.has(STD) or (found := patient.series[STD].end) >= least:
        return None
    shown = evidence(patient, STD, lambda value: value < least, least)
    return f"The rewards of a batch differ by {number(found)} (standard deviation)", shown


def _which(patient: Patient) -> tuple[str, str]:
    """Whether the prompts are too hard or too easy."""
    if not patient.has("reward"):
        return "", ""
    reward, best = patient.series["reward"].end, patient.best_reward
    if best and reward >= 0.9 * best:
        return (
            f", and nearly all get the most there is ({number(reward)})",
            "The prompts are too easy: take harder ones, or a stricter grader.",
        )
    if best and reward <= 0.1 * best:
        return (
            f", and hardly any gets one (the mean is {number(reward)})",
            "Try the graders on right answers first, in the reward lab. If they are right, the task is too "
            "hard for now: fine-tune on examples first, or take easier prompts.",
        )
    return (
        "",
        "Take prompts that are sometimes answered right and sometimes not, or DAPO, which looks for them.",
    )


def _more_spread(patient: Patient) -> tuple[Change, ...]:
    given, found = patient.settings, []
    if answers := given.get("num_generations"):
        found.append(Change("num_generations", 2 * answers, "More answers a prompt find rarer successes"))
        made = (
            given["per_device_train_batch_size"]
            * given["gradient_accumulation_steps"]
            * given.get("updates_per_generation", 1)
        )
        if made % (2 * answers):
            batch = -(-given["per_device_train_batch_size"] // (2 * answers)) * 2 * answers
            found.append(Change("per_device_train_batch_size", batch, "Whole groups of that many answers"))
    if given.get("temperature", 1.0) < 1:
        found.append(Change("temperature", 1.0, "Answers sampled more freely differ more"))
    return tuple(found)


RULE = Rule(
    name="no_signal",
    title="No reward signal",
    explanation="These techniques learn from the difference between a good and a bad answer. Where all "
    "get the same reward there is no difference, and the whole generation was in vain.",
    concerns=lambda patient: patient.answers_itself and any(map(patient.has, (GROUPS, STD, FILLED))),
    examine=examine,
    thresholds={
        "no_signal_share": threshold(
            "No reward signal: groups",
            "Share of groups whose answers all get the same reward.",
            0.9,
            f"{OUR_RULE}: with one group in ten left, ten times the generation is paid for what is learned; "
            "healthy runs of the starter model lie at 0.5 to 0.8",
        ),
        "no_signal_spread": low_of(
            SPREAD, "No reward signal: spread", "Standard deviation of the reward, where there are no groups."
        ),
    },
    order=60,
)
