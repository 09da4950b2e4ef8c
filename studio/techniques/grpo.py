"""GRPO lets the model answer each prompt several times and makes the better answers of each group likelier.

It learns from prompts and a reward: any graders that score an answer. Each answer is compared with the mean
of its own group, which takes the place of PPO's value model; the difference, divided by the group's standard
deviation, is how strongly its tokens are pushed up or down.

**When it fits.** Right and wrong can be told apart by a program (RLVR) or a judge (RLAIF), and the model gets
it right sometimes, but not always. Fine-tune it first until it does: a prompt that it always or never gets
right teaches nothing ("Groups without signal" says how many).

**When it fails.** It finds what the graders reward, not what was meant; look at the samples. Dividing by the
spread favours prompts that are nearly always or nearly never right, and averaging each answer over its own
length favours long wrong answers: Dr. GRPO and DAPO mend both. It needs generation, so a step costs many
times one of supervised fine-tuning.

**Why these defaults.** Loss, advantage and clip 0.2 are the paper's; the KL penalty is off, as in most work
on verifiable rewards since: it costs a second model and holds back what is wanted. Raise it for rewards that
can be gamed. The values for very small models come from single trials on the starter model.

**With tools.** Choose an environment and the model may call its tools while it answers: a calculator, a
search in documents that stand in the row, or Python in the sandbox. It reads what comes back and goes on, for
several rounds. Graders see the whole conversation: grade the last words, and with “Tool calls” how it came to
them. What tools write is read but not learned, and counts towards the longest answer. Fine-tune on a few
conversations with calls first: what is never tried is never rewarded. Errors are told to the model, which may
try again. The reward lab lets the model act in the same environment; samples are answered without tools.

**Reads.** Prompts, with a reference answer where a grader wants one; or conversations and completions, whose
last answer is the reference. **Paper.** DeepSeekMath, Shao et al. 2024, arXiv 2402.03300.
"""

from typing import Literal

from studio.parameters import setting
from studio.techniques import online
from studio.techniques.base import Technique


class GRPOParameters(online.KLParameters):
    scale_rewards: Literal["group", "batch", "none"] = setting(
        "group",
        "Divide by the spread of",
        "What an answer's advantage is divided by: the standard deviation of its group, of the whole batch, "
        "or nothing (as in Dr. GRPO).",
        source="DeepSeekMath (arXiv 2402.03300), section 4.1.2: of the group",
    )


TECHNIQUE = Technique(
    name="grpo",
    title="GRPO",
    full_name="Group Relative Policy Optimization",
    aliases=("rlvr", "rlaif", "reinforcement learning", "verifiable rewards", "r1", "reasoning"),
    paper="arXiv 2402.03300",
    summary="Answers each prompt several times and learns from the better answers of each group.",
    group="Reasoning RL",
    phase=4,
    shapes=online.SHAPES,
    reads="prompts",
    graded=True,
    reference=True,
    trainer="worker.trainers.grpo:GRPOTrainer",
    config="trl:GRPOConfig",
    fixed={"loss_type": "grpo"},
    arguments=online.arguments,
    parameters=GRPOParameters,
    handbook=__doc__,
    headline=online.HEADLINE,
    metrics=online.online_metrics(),
    best_by=("eval_reward", "higher"),
    order=70,
    suggestions=online.suggestions,
)
