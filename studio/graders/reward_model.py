"""Reward model: a model trained on pairs or ratings gives every answer a number. The number has no fixed
range; centre, spread and bound put it where other parts of the reward can be added to it. They are fixed
numbers and not running ones, so that a run that was interrupted goes on with the same reward."""

from studio.graders.base import Grader
from studio.parameters import Parameters, setting


class RewardModel(Parameters):
    model: str = setting(
        "", "Reward model", "A model that a reward-model run has made.", basic=True, kind="model"
    )
    centre: float = setting(
        0.0,
        "Centre",
        "Taken off every score: the mean over answers of the starting model makes that one's reward 0.",
        basic=True,
        allow_inf_nan=False,
    )
    spread: float = setting(
        1.0,
        "Spread",
        "Every score is divided by this: the standard deviation makes it 1.",
        basic=True,
        gt=0,
        allow_inf_nan=False,
    )
    bound: float = setting(
        0.0,
        "Bound",
        "Scores are held between −bound and +bound, after centre and spread; 0 for no bound. It limits what "
        "is won by fooling the reward model.",
        basic=True,
        ge=0,
        allow_inf_nan=False,
    )
    batch: int = setting(16, "Batch", "Answers the reward model reads at once.", ge=1, le=256)
    longest: int = setting(
        2048, "Longest text", "Of longer ones the beginning is left out.", unit="tokens", ge=8, le=1_000_000
    )


GRADER = Grader(
    name="reward_model",
    title="Reward model",
    help="A model trained on preferences gives each answer a number.",
    aliases=("rlhf", "preference model"),
    parameters=RewardModel,
    scorer="worker.graders.reward_model:RewardModel",
    group="Model",
    low=None,
    high=None,
    order=20,
)
