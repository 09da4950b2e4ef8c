"""The reward lab: before reinforcement learning, let the model answer some prompts several times, score the
answers with the run's graders, and say whether there is anything to learn from.

A lab is a short run of its own kind; its answers are samples (`number` = prompt × samples + answer), and what
they say is worked out here from them, also while they still come.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import events, graders, held_out, lineage
from studio.errors import StudioError
from studio.graders.choice import GraderChoice
from studio.models import Kind, Run, Sample
from studio.techniques.tools import ToolParameters

REWARD = "reward"  # the weighted sum, beside each grader's own score
SHOWN = 10  # best and worst answers
BUCKETS = 20
PASS_AT = 8  # the k of pass@k, where as many answers were drawn
MOST_SAMPLES = 64
ACTING = tuple(ToolParameters.model_fields)  # the settings of a run's environment, by the names a run has

# Below this share of groups whose answers differ in reward, most of what is generated teaches nothing.
ENOUGH_SPREAD, SOME_SPREAD = 0.3, 0.1
ALIKE = 1e-9  # rewards closer than this are the same


class LabConfig(ToolParameters):
    """`prompts` questions, `samples` answers to each, as the model gives them today; with the tools of an
    environment, where the run to come has one. `model` may be `run:7`, what run 7 has made."""

    model: str | int
    dataset: str | int
    graders: list[GraderChoice] = Field(min_length=1)
    prompts: int = Field(32, ge=1, le=1000)
    samples: int = Field(PASS_AT, ge=2, le=MOST_SAMPLES)
    temperature: float = Field(1.0, gt=0, le=5)
    max_tokens: int = Field(128, ge=1, le=16_384)
    seed: int = Field(42, ge=0, le=2**31 - 1)
    project: int | None = None


def launch(session: Session, config: LabConfig, who: str = "") -> Run:
    """Queues a lab. Raises StudioError naming the field that is wrong."""
    dataset = held_out.questions(session, config.dataset)
    reads = lineage.Reads()
    lineage.read_model(session, config.model, {"language"}, reads)
    lineage.read_graders(session, config.graders, reads)
    if reads.after is not None:
        raise StudioError(
            f"Run {reads.after} has made no model yet.", hint="Try the reward when it is done.", field="model"
        )
    run = Run(
        name=f"Reward lab: {dataset.title}"[:200],
        kind=Kind.LAB,
        model=reads.model,
        dataset_version=dataset,
        project_id=config.project,
        parameters=config.model_dump(
            mode="json", include={"prompts", "samples", "temperature", "max_tokens", *ACTING}
        ),
        graders=[choice.model_dump(mode="json") for choice in reads.graders],
        seed=config.seed,
        priority=20,  # a person waits for it
    )
    session.add(run)
    session.flush()
    events.record(session, "lab launched", f"run:{run.id}", who)
    return run


def tried(
    session: Session, model: int, dataset: int, choices: Sequence[GraderChoice], environment: str
) -> Run | None:
    """The newest lab that tried exactly these graders on this model and data."""
    wanted = [choice.model_dump(mode="json") for choice in choices]
    labs = select(Run).where(Run.kind == Kind.LAB, Run.state.not_in(lineage.HOPELESS))
    alike = labs.where(Run.model_id == model, Run.dataset_version_id == dataset).order_by(Run.id.desc())
    return next(
        (
            run
            for run in session.scalars(alike)
            if run.graders == wanted and run.parameters.get("environment", "") == environment
        ),
        None,
    )


@dataclass(frozen=True)
class Findings:
    """What the answers say. Shares are between 0 and 1; `pass_1` and `pass_k` are None where no highest
    reward is known; k is 8, or as many as there are answers to a prompt where those are fewer. `histogram` is
    (lower edge, upper edge, answers)."""

    answers: int
    groups: int
    mean: float
    spread: float
    lowest: float
    highest: float
    histogram: list[tuple[float, float, int]]
    pass_1: float | None
    pass_k: float | None
    k: int
    without_spread: float
    all_best: float
    all_alike_low: float
    parts: dict[str, tuple[float, float]]
    verdict: str
    advice: str
    has_signal: bool


def findings(session: Session, run: Run) -> Findings | None:
    """What is known so far; None before the first answer."""
    rewards: dict[int, list[float]] = defaultdict(list)
    parts: dict[str, list[float]] = defaultdict(list)
    found = session.execute(select(Sample.number, Sample.scores).where(Sample.run_id == run.id))
    for number, scores in found:
        if isinstance(value := scores.get(REWARD), int | float):
            rewards[number // run.parameters["samples"]].append(float(value))
        for name, score in scores.items():
            if name != REWARD and isinstance(score, int | float):
                parts[name].append(float(score))
    groups = [group for group in rewards.values() if len(group) > 1]
    return _judge(groups, best_possible(run), parts) if groups else None


def best_possible(run: Run) -> float | None:
    """The highest reward there is, where every grader's range is closed on the side that its weight wants."""
    total = 0.0
    for each in run.graders:
        grader, weight = graders.get(each["grader"]), float(each["weight"])
        end = grader.high if weight > 0 else grader.low
        if end is None:
            return None
        total += weight * end
    return total


def pass_at(k: int, n: int, right: int) -> float:
    """Chance that at least one of k answers is right, given that `right` of n were: 1 − C(n−c, k)/C(n, k)
    (Chen et al., arXiv 2107.03374, equation 1)."""
    return 1.0 if n - right < k else 1.0 - math.comb(n - right, k) / math.comb(n, k)


def _judge(groups: Sequence[Sequence[float]], best: float | None, parts: dict[str, list[float]]) -> Findings:
    every = np.array([value for group in groups for value in group])
    k = min(PASS_AT, *(len(group) for group in groups))
    alike = [group for group in groups if max(group) - min(group) < ALIKE]
    counts, edges = np.histogram(every, bins=min(BUCKETS, max(1, len(np.unique(every)))))
    right = [[best is not None and value >= best - ALIKE for value in group] for group in groups]
    solved = sum(all(each) for each in right) / len(groups)
    flat = len(alike) / len(groups)
    verdict, advice = _words(1 - flat, solved, flat - solved)
    return Findings(
        answers=len(every),
        groups=len(groups),
        mean=float(every.mean()),
        spread=float(np.mean([np.std(group) for group in groups])),
        lowest=float(every.min()),
        highest=float(every.max()),
        histogram=[
            (float(low), float(high), int(count))
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ],
        pass_1=None if best is None else float(np.mean([pass_at(1, len(each), sum(each)) for each in right])),
        pass_k=None if best is None else float(np.mean([pass_at(k, len(each), sum(each)) for each in right])),
        k=k,
        without_spread=flat,
        all_best=solved,
        all_alike_low=flat - solved,
        parts={name: (float(np.mean(scores)), float(np.std(scores))) for name, scores in parts.items()},
        verdict=verdict,
        advice=advice,
        has_signal=1 - flat >= SOME_SPREAD,
    )


def _words(varied: float, solved: float, stuck: float) -> tuple[str, str]:
    """(verdict, what to do), from the shares of groups that vary, are solved, are alike below the best."""
    share = f"In {varied:.0%} of the prompts the answers differ in reward"
    if varied >= ENOUGH_SPREAD:
        return f"Reinforcement learning has a signal. {share}.", "Start with these graders."
    if varied >= SOME_SPREAD:
        return (
            f"The signal is weak. {share}.",
            "It can work with more answers to each prompt, a higher temperature, or DAPO, which draws new "
            "prompts in place of those that teach nothing.",
        )
    if solved >= stuck:
        return (
            f"There is nothing left to learn. {share}, and {solved:.0%} are solved every time.",
            "Bring harder prompts, or a grader that tells good answers from better ones.",
        )
    return (
        f"There is no signal. {share}, and {stuck:.0%} fail alike every time.",
        "Teach the model first with supervised fine-tuning, bring easier prompts, or give part marks with a "
        "grader that scores field by field.",
    )


def extremes(session: Session, run: Run) -> tuple[list[Sample], list[Sample]]:
    """The ten best and the ten worst answers, without those whose reward no grader gave."""
    found = session.scalars(select(Sample).where(Sample.run_id == run.id).order_by(Sample.number)).all()
    scored = [sample for sample in found if isinstance(sample.scores.get(REWARD), int | float)]
    scored.sort(key=lambda sample: -sample.scores[REWARD])
    return scored[:SHOWN], scored[::-1][:SHOWN]


def as_json(session: Session, run: Run) -> dict[str, Any]:
    """What is known so far as plain data: the findings, the best and the worst answers."""
    found = findings(session, run)
    best, worst = extremes(session, run)
    return {
        "findings": asdict(found) if found else None,
        "best": [_answer(sample) for sample in best],
        "worst": [_answer(sample) for sample in worst],
    }


def _answer(sample: Sample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in ("number", "prompt", "answer", "reference", "scores")}
