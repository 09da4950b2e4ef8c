"""Chains: several runs launched together, each starting from what an earlier one makes (SFT → DPO, or SFT →
reward model → PPO). A chain is nothing but its runs: each waits for the one before (`studio.lineage`)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from studio import runs
from studio.errors import StudioError
from studio.models import Run
from studio.runs import RunConfig

STEP = "step:"  # `step:1` stands for the model that the first run of the chain makes


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


def rm_ppo(ppo: RunConfig, pairs: str | int, reward: dict[str, Any] | None = None) -> list[RunConfig]:
    """RLHF as InstructGPT did it (Ouyang et al., arXiv 2203.02155, section 3): a reward model learned from
    preference `pairs`, started from the same model as the policy, then PPO against it. `reward` changes the
    reward model's own settings."""
    model = RunConfig(
        name=f"{ppo.name} reward model".strip()[:200],
        technique="reward_model",
        adapter=ppo.adapter,
        model=ppo.model,
        dataset=pairs,
        parameters=reward or {},
        seed=ppo.seed,
        project=ppo.project,
    )
    judged = {"grader": "reward_model", "parameters": {"model": f"{STEP}1"}}
    return [model, RunConfig.model_validate(ppo.model_dump() | {"graders": [*_dumped(ppo), judged]})]


def _dumped(config: RunConfig) -> list[dict[str, Any]]:
    return [choice.model_dump() for choice in config.graders]


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
