"""Dr. GRPO is GRPO with its two biases taken out: it divides neither by the group's spread nor by the length.

It learns from prompts and a reward, like GRPO. The advantage is the reward minus the mean of the group, and
nothing else; the loss is the sum over the tokens divided by a constant (answers × longest length), so that
every token of every answer weighs the same.

**When it fits.** Wherever GRPO does. Choose it when wrong answers grow longer and longer under GRPO, or when
prompts of very different difficulty are mixed: GRPO gives those with hardly any spread the loudest voice.

**When it fails.** Like GRPO: no spread, no signal; and what the graders reward is what you get. Since rewards
are not rescaled, their size matters: a reward from 0 to 100 wants a hundredth of the learning rate of one
from 0 to 1. The constant in the loss makes gradients small where answers are far shorter than the longest
length allowed, so set that length with care.

**Why these defaults.** The loss and the advantage are the paper's, and it has no KL penalty. The values for
very small models come from single trials on the starter model.

**Reads.** Prompts, with a reference answer where a grader wants one; or conversations and completions, whose
last answer is the reference. **Paper.** Understanding R1-Zero-Like Training, Liu et al. 2025, arXiv
2503.20783.
"""

from studio.techniques import online, tools
from studio.techniques.base import Technique


class DrGRPOParameters(tools.ToolParameters, online.OnlineParameters):
    """Those of every technique that learns from its own answers: there is no KL penalty to set."""


TECHNIQUE = Technique(
    name="dr_grpo",
    title="Dr. GRPO",
    full_name="Group Relative Policy Optimization Done Right",
    aliases=("dr grpo", "grpo done right", "unbiased grpo", "rlvr", "rlaif", "reinforcement learning"),
    paper="arXiv 2503.20783",
    summary="GRPO without its bias towards long wrong answers and towards prompts of extreme difficulty.",
    group="Reasoning RL",
    phase=4,
    shapes=online.SHAPES,
    reads="prompts",
    graded=True,
    trainer="worker.trainers.grpo:GRPOTrainer",
    config="trl:GRPOConfig",
    fixed={"loss_type": "dr_grpo", "scale_rewards": "none", "beta": 0.0},
    arguments=online.arguments,
    parameters=DrGRPOParameters,
    handbook=__doc__,
    headline=online.HEADLINE,
    metrics=online.online_metrics(),
    best_by=("eval_reward", "higher"),
    order=72,
    suggestions=online.suggestions,
)
