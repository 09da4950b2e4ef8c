"""DAPO is GRPO that throws away groups which teach nothing and draws new prompts until the batch is full.

It learns from prompts and a reward, like GRPO, and changes four things. **Dynamic sampling**: a group whose
answers all got the same reward is discarded, and further prompts are answered, until every group of the batch
has spread. **Decoupled clip**: good answers may become likelier by 0.28 but bad ones less likely only by 0.2,
so that rare good tokens can grow and the entropy does not collapse. **Token-level loss**: every token of the
batch weighs the same. **Soft overlong punishment**: in the last part of the longest answer the reward falls
by degrees, instead of a good thought being punished for being cut off.

**When it fits.** Wherever GRPO does, above all when "Groups without signal" is high or answers run into the
longest length. It needs fewer updates; each costs more generation.

**When it fails.** Where nearly no prompt has both right and wrong answers, the rounds are used up before the
batch is full (“Batch filled” says so): then the model is too weak or the prompts too easy, and supervised
fine-tuning or other prompts come first. The reward of the batch hovers near the middle by construction: look
at the reward of all answers instead. "Epochs" counts batches; prompts are gone through faster ("Passes").

**Why these defaults.** Clips, loss, zone (a fifth of the longest answer) and no KL are the paper's; its
punishment of 1 goes with rewards of −1 and 1, so ours is 0.5 for rewards of 0 and 1. The paper makes 16
updates per generation; 4 are enough for the clips to matter. Ten further rounds at most, as in the authors'
code. The values for very small models come from single trials on the starter model.

**Reads.** Prompts, with a reference answer where a grader wants one; or conversations and completions, whose
last answer is the reference. **Paper.** Yu et al. 2025, arXiv 2503.14476.
"""

from typing import Any

from studio.parameters import setting
from studio.techniques import online, tools
from studio.techniques.base import Technique
from studio.techniques.metrics import Healthy, MetricInfo

PAPER = "DAPO (arXiv 2503.14476)"


class DAPOParameters(tools.ToolParameters, online.OnlineParameters):
    updates_per_generation: int = setting(
        4,
        "Updates per generation",
        "Answers are made for this many updates at once, and each update takes its share. With 1 every "
        "update learns from fresh answers and the clips have no effect.",
        source=f"{PAPER}, section 4.1: 16",
        ours=True,
        ge=1,
        le=64,
    )
    epsilon: float = setting(
        0.2,
        "Clip, bad answers",
        "The tokens of a bad answer stop counting once they have become less likely by this share.",
        source=f"{PAPER}, section 4.1",
        gt=0,
        lt=1,
    )
    epsilon_high: float = setting(
        0.28,
        "Clip, good answers",
        "The tokens of a good answer stop counting once they have become likelier by this share. Higher than "
        "the other, so that unlikely good tokens can grow.",
        source=f"{PAPER}, section 4.1",
        gt=0,
        le=10,
    )
    dynamic_sampling: bool = setting(
        True,
        "Dynamic sampling",
        "Replaces groups whose answers all got the same reward by answers to further prompts.",
        source=f"{PAPER}, section 3.2",
        basic=True,
    )
    max_resample_rounds: int = setting(
        10,
        "Further rounds at most",
        "Rounds of further prompts for one batch. When they are used up, the batch is trained on as it is.",
        unit="rounds",
        source="The authors' code stops after 10",
        ge=0,
        le=1000,
    )
    soft_overlong_share: float = setting(
        0.2,
        "Overlong zone",
        "Last part of the longest answer in which the reward falls by degrees. 0: no punishment.",
        source=f"{PAPER}, section 4.1: 4,096 of 20,480 tokens",
        ours=True,
        ge=0,
        le=1,
    )
    soft_overlong_weight: float = setting(
        0.5,
        "Overlong punishment",
        "What an answer as long as allowed loses. 0.5 is half the way from right to wrong for rewards of 0 "
        "and 1.",
        source=f"{PAPER}, eq. 13: 1 where right and wrong are 1 and −1",
        ge=0,
        le=100,
    )


def arguments(given: dict[str, Any], shape: str) -> dict[str, Any]:
    """The overlong zone in tokens, as eq. 13 counts it."""
    zone = round(given["soft_overlong_share"] * given["max_completion_length"])
    return online.arguments(given, shape) | {"soft_overlong_cache": zone}


TECHNIQUE = Technique(
    name="dapo",
    title="DAPO",
    full_name="Decoupled Clip and Dynamic sAmpling Policy Optimization",
    aliases=("dynamic sampling", "clip higher", "soft overlong", "rlvr", "rlaif", "reinforcement learning"),
    paper="arXiv 2503.14476",
    summary="GRPO that trains only on groups with a signal, drawing new prompts until the batch is full.",
    group="Reasoning RL",
    phase=4,
    shapes=online.SHAPES,
    reads="prompts",
    graded=True,
    trainer="worker.trainers.dapo:DAPOTrainer",
    config="worker.trainers.dapo:DAPOConfig",
    fixed={"loss_type": "dapo", "beta": 0.0},
    arguments=arguments,
    parameters=DAPOParameters,
    handbook=__doc__,
    headline=online.HEADLINE,
    metrics=online.online_metrics(
        MetricInfo(
            "dynamic_sampling/reward",
            "Reward of all answers",
            "Groups",
            "Mean reward from the graders before any group is thrown away: the true picture of how good the "
            "model is. That of the batch hovers near the middle, since only mixed groups stay.",
        ),
        MetricInfo(
            "dynamic_sampling/filled",
            "Batch filled",
            "Groups",
            "Share of the batch that has a signal. Below 1 the rounds were used up: too few prompts are "
            "right sometimes and wrong sometimes.",
            healthy=Healthy("The studio's rule: below one half, most of the batch teaches nothing", low=0.5),
        ),
        MetricInfo(
            "dynamic_sampling/rounds", "Rounds", "Groups", "Rounds of generation for one batch.", exact=True
        ),
        MetricInfo(
            "dynamic_sampling/generated_per_used",
            "Groups made per group used",
            "Groups",
            "What dynamic sampling costs in generation. Rises as the prompts are mastered.",
        ),
        MetricInfo(
            "dynamic_sampling/discarded_correct",
            "Discarded, all right",
            "Groups",
            "Share of all groups thrown away because every answer was right: mastered.",
        ),
        MetricInfo(
            "dynamic_sampling/discarded_wrong",
            "Discarded, all wrong",
            "Groups",
            "Share of all groups thrown away because every answer was wrong: out of reach so far.",
        ),
        MetricInfo(
            "dynamic_sampling/passes",
            "Passes",
            "Groups",
            "How often the prompts have been gone through.",
            exact=True,
        ),
    ),
    best_by=("eval_reward", "higher"),
    order=74,
    suggestions=online.suggestions,
)
