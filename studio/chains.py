"""Chains: several runs launched together, each starting from what an earlier one makes (SFT → DPO, or SFT →
reward model → PPO). A chain is nothing but its runs: each waits for the one before (`studio.lineage`)."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from studio import runs
from studio.errors import StudioError
from studio.graders.choice import GraderChoice
from studio.models import Run
from studio.runs import RunConfig

STEP = "step:"  # `step:1` stands for the model that the first run of the chain makes
EXAMPLES, REWARD = "sft", "reward_model"  # the techniques of RLHF's first steps; a grader is called like one


def launch(session: Session, steps: Sequence[RunConfig], who: str = "") -> list[Run]:
    """Queues the runs of a chain, in order. A model, a further input or a grader's model may be `step:1`.

    Raises StudioError when a step names one that does not come before it, or could not be launched; then
    nothing is."""
    if len(steps) < 2:
        raise StudioError("A chain has at least two steps.", hint="Start a single run as a run.")
    made: list[Run] = []
    for number, config in enumerate(steps, start=1):
        settled = RunConfig.model_validate(_settled(config.model_dump(), made, number))
        made.append(runs.launch(session, settled, who))
    return made


class Rlhf(BaseModel):
    """A ready-made chain. `examples` are right answers, learned first where there are some; the reward is
    learned from `pairs`, preferences or ratings, and `reward` changes the reward model's own settings; `ppo`
    says the rest, and may be of any technique that learns from a reward."""

    model_config = ConfigDict(extra="forbid")
    ppo: RunConfig
    pairs: str | int
    reward: dict[str, Any] = Field(default_factory=dict)
    examples: str | int = ""


def rm_ppo(asked: Rlhf) -> list[RunConfig]:
    """RLHF as InstructGPT did it (Ouyang et al., arXiv 2203.02155, section 3): the model is taught by
    examples, a reward model starts from it and learns from comparisons, then PPO follows that reward."""
    ppo, steps = asked.ppo, []
    start = ppo.model
    if asked.examples:
        steps.append(_before(ppo, EXAMPLES, start, asked.examples))
        start = f"{STEP}1"
    steps.append(_before(ppo, REWARD, start, asked.pairs, asked.reward))
    judged = GraderChoice(grader=REWARD, parameters={"model": f"{STEP}{len(steps)}"})
    return [*steps, ppo.model_copy(update={"model": start, "graders": [*ppo.graders, judged]})]


def _before(
    ppo: RunConfig,
    technique: str,
    model: str | int,
    dataset: str | int,
    settings: dict[str, Any] | None = None,
) -> RunConfig:
    """A step that comes first, its settings the recommended ones but for `settings`."""
    shared = ppo.model_dump(include={"adapter", "seed", "gpus", "priority", "project"})
    return RunConfig(
        **shared,
        name=f"{ppo.name} {technique.replace('_', ' ')}"[:200] if ppo.name else "",
        technique=technique,
        model=model,
        dataset=dataset,
        parameters=settings or {},
    )


def _settled(value: Any, made: Sequence[Run], number: int) -> Any:
    """The same with every `step:N` as the run it stands for."""
    if isinstance(value, dict):
        return {key: _settled(each, made, number) for key, each in value.items()}
    if isinstance(value, list):
        return [_settled(each, made, number) for each in value]
    if not (isinstance(value, str) and value.startswith(STEP) and value[len(STEP) :].isdigit()):
        return value
    step = int(value[len(STEP) :])
    if not 1 <= step < number:
        raise StudioError(
            f"Step {number} starts from step {step}, which does not come before it.",
            hint="A step can use what steps before it make.",
            field="model",
        )
    return f"run:{made[step - 1].id}"
