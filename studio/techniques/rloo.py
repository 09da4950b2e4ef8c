"""RLOO lets the model answer each prompt several times and compares each answer with the mean of the others.

It learns from prompts and a reward. Where PPO trains a value model to say what to expect of a prompt, RLOO
takes the mean reward of the other answers to it (leave-one-out), which is unbiased and costs nothing. It
treats an answer as one action: its whole probability is pushed, and the KL penalty is part of its reward.

**When it fits.** After a reward model, where PPO's memory or its many knobs are too much; also with
verifiable rewards. Few answers per prompt are enough: the paper gains over PPO with 2 and 4.

**When it fails.** Like all of its kin it finds what the reward pays for: with a reward model the KL weight
must stay above 0. Rewards are not rescaled, so their size matters for the learning rate. Nothing is learned
from prompts whose answers all get the same reward.

**Why these defaults.** The leave-one-out mean, whole answers, and a KL penalty inside the reward are the
paper's; the KL weight 0.05 is TRL's. With verifiable rewards it may be 0. The values for very small models
come from single trials on the starter model.

**Reads.** Prompts, with a reference answer where a grader wants one; or conversations and completions, whose
last answer is the reference. **Paper.** Back to Basics, Ahmadian et al. 2024, arXiv 2402.14740.
"""

from studio.parameters import setting
from studio.techniques import online
from studio.techniques.base import Technique
from studio.techniques.metrics import Healthy


class RLOOParameters(online.OnlineParameters):
    num_generations: int = setting(
        4,
        "Answers per prompt",
        "The group within which answers are compared. More answers steady the comparison; each costs a "
        "generation.",
        source="RLOO (arXiv 2402.14740), section 5: 4 is best",
        basic=True,
        ge=2,
        le=1024,
    )
    beta: float = setting(
        0.05,
        "KL weight",
        "How strongly the model is held near the one it started from (β): the reward loses this much for "
        "each nat that an answer has become likelier. 0 needs no second model.",
        source="TRL RLOOConfig default",
        basic=True,
        ge=0,
        le=10,
    )
    normalize_advantages: bool = setting(
        False,
        "Rescale advantages",
        "Divides advantages by their spread over the batch, so that the size of the reward does not matter.",
        source="TRL RLOOConfig default",
    )


TECHNIQUE = Technique(
    name="rloo",
    title="RLOO",
    full_name="REINFORCE Leave-One-Out",
    aliases=("reinforce", "leave one out", "rlhf", "rlvr", "rlaif", "reinforcement learning"),
    paper="arXiv 2402.14740",
    summary="PPO's aim without its value model: each answer is compared with the mean of the others.",
    group="RLHF",
    phase=3,
    shapes=online.SHAPES,
    reads="prompts",
    graded=True,
    reference=True,
    trainer="worker.trainers.grpo:RLOOTrainer",
    config="trl:RLOOConfig",
    arguments=online.arguments,
    parameters=RLOOParameters,
    handbook=__doc__,
    headline=online.HEADLINE,
    metrics=online.online_metrics(
        clipped=Healthy(
            "The studio's rule: RLOO clips whole answers; beyond one half, most of them teach nothing",
            high=0.5,
        )
    ),
    best_by=("eval_reward", "higher"),
    order=64,
    suggestions=online.suggestions,
)
