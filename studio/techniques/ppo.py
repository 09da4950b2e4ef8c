"""PPO lets the model answer prompts, grades the answers, and learns which tokens made them better than
expected.

It learns from prompts and a reward: a reward model trained on your preferences (RLHF), a judge, or any
graders. Beside the policy it trains a **value model**, which says before each token what score to expect.
The difference between what came and what was expected, summed with λ = 0.95 over the tokens that follow
(GAE), is how strongly a token is pushed up or down. Two brakes hold the policy: its probabilities may
change by a fifth per rollout before they stop counting, and every token pays for leaving the model it
started from (KL penalty).

**When it fits.** The classical last step after supervised fine-tuning and a reward model, where the
reward is a learned opinion that must be followed with care, and where one answer per prompt must do. Long
answers profit most: the value model says *where* in an answer it went right or wrong, which the group
comparison of GRPO and RLOO does not.

**When it fails.** It needs a second network as large as the policy (with an adapter: a second adapter),
and more settings than any other technique here. A value model that explains nothing makes its advantages
noise: watch "Foreseen". It finds what the reward pays for, not what was meant: if the reward rises while
samples get worse and the distance from the start grows, raise the KL weight or stop earlier. With rewards
a program can check, GRPO or DAPO are simpler and usually as good.

**Why these defaults.** They are those of “The N+ Implementation Details of RLHF with PPO” (arXiv
2403.17031), which reproduced OpenAI's results, and of “The 37 Implementation Details of PPO”: clip 0.2
for policy and value, four passes, γ 1, λ 0.95, value weight 0.1, KL 0.05, whitened advantages, Adam's ε
1e-5, a rate annealed to zero, a value head that starts at zero, no dropout. Each has a test with numbers
worked out by hand. Values for very small models were measured on the medication directions with exact
match as the grader: from the starter model after 22 steps of supervised fine-tuning, 80 steps brought 56
% right when sampled to 68 %, and 70 % when greedy to 74 % (one seed; two seeds without the warm-up came
to 65 and 69 % sampled in 64 steps). The value model then foresees about two thirds, but only at ten times
the policy's rate; at the same rate next to nothing.

**Steps.** A step is one update. A rollout of batch size × accumulation × minibatches answers lasts
minibatches × passes steps, so reward, length and KL have a point every so many steps.

**With tools.** Choose an environment and the model may call its tools while it answers, as in GRPO. What
tools say is read, but is no step of the policy: it has no advantage, and no value to learn.

**Reads.** Prompts, with a reference answer where a grader wants one; or conversations and completions,
whose last answer is the reference. **Papers.** Schulman et al. 2017, arXiv 1707.06347; Ziegler et al.
2019, arXiv 1909.08593; Ouyang et al. 2022, arXiv 2203.02155; Zheng et al. 2023, arXiv 2307.04964."""

from typing import Any, Literal

from pydantic import model_validator

from studio.errors import StudioError
from studio.parameters import setting
from studio.techniques import online, ppo_metrics, tools
from studio.techniques.base import (
    TEN_TIMES,
    TRANSFORMERS,
    Input,
    Suggestion,
    Technique,
    TrainingParameters,
    is_tiny,
    suggested,
)

PAPER = "N+ implementation details, arXiv 2403.17031"


class PPOParameters(tools.ToolParameters, TrainingParameters):
    """Raises StudioError for a rollout of one answer and for a KL target without a KL weight."""

    learning_rate: float = setting(
        3e-6,
        "Learning rate",
        "How far each step moves the weights. Reinforcement wants far less than supervised fine-tuning: when "
        "the reward collapses or the answers turn to gibberish, lower it first.",
        source=PAPER,
        basic=True,
        gt=0,
        le=1,
    )
    num_train_epochs: float = setting(
        1.0,
        "Epochs",
        "How often every prompt is answered. Ignored when a maximum of steps is set.",
        source="arXiv 2403.17031 answers about a million prompts; start with one pass over yours",
        basic=True,
        gt=0,
        le=1000,
    )
    per_device_train_batch_size: int = setting(
        8,
        "Batch size",
        "Answers put through policy and value model at once on each device.",
        unit="answers",
        source=TRANSFORMERS,
        basic=True,
        ge=1,
        le=4096,
    )
    gradient_accumulation_steps: int = setting(
        8,
        "Gradient accumulation",
        "Batches added up before one update: the effect of a larger batch without its memory.",
        source="8 × 8 answers a rollout; arXiv 2403.17031 takes 512",
        ge=1,
        le=1024,
    )
    num_mini_batches: int = setting(
        1,
        "Minibatches",
        "Updates in which a rollout is seen once. A rollout is batch size × accumulation × minibatches "
        "answers.",
        source=PAPER,
        ge=1,
        le=64,
    )
    num_ppo_epochs: int = setting(
        4,
        "Passes over a rollout",
        "How often each answer is learned from. More save generation and move further from the model that "
        "answered.",
        source=PAPER,
        basic=True,
        ge=1,
        le=64,
    )
    max_completion_length: int = setting(
        512,
        "Longest answer",
        "Answers are cut off here. Too short and right answers are lost in the middle of a thought.",
        unit="tokens",
        source="TRL GRPOConfig default",
        basic=True,
        ge=1,
        le=1_000_000,
    )
    temperature: float = setting(
        1.0,
        "Temperature",
        "How freely answers are sampled. What is learned is the distribution that is sampled from.",
        source="TRL GRPOConfig default; arXiv 2403.17031 samples at 0.7",
        gt=0,
        le=10,
    )
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = setting(
        "linear",
        "Learning-rate schedule",
        "How the learning rate falls during the run.",
        source="37 implementation details of PPO, number 4: annealed to zero",
    )
    warmup_ratio: float = setting(
        0.0,
        "Warm-up",
        "Share of the steps in which the learning rate rises from zero.",
        source=PAPER,
        ge=0,
        lt=1,
    )
    kl_coef: float = setting(
        0.05,
        "KL weight",
        "What each nat of distance from the start costs in reward (β). 0: nothing, and no reference model.",
        source=PAPER,
        basic=True,
        ge=0,
        le=100,
    )
    kl_estimator: Literal["k1", "k3"] = setting(
        "k1",
        "KL estimator",
        "k1 is the plain difference of log probabilities; k3 is never negative and less noisy.",
        source="Schulman, Approximating KL divergence, 2020; k1 in Ziegler et al. and TRL",
    )
    kl_target: float = setting(
        0.0,
        "KL target",
        "The KL weight is steered so that answers lie this far from the start. 0: it stays as it is.",
        unit="nats",
        source="Ziegler et al., arXiv 1909.08593, section 2.2, steer to 6; fixed in later work",
        ge=0,
        le=1000,
    )
    kl_horizon: float = setting(
        10_000.0,
        "KL horizon",
        "Answers over which the steered KL weight may change by a fifth.",
        unit="answers",
        source="Ziegler et al., arXiv 1909.08593, and its code",
        gt=0,
        le=1e9,
    )
    cliprange: float = setting(
        0.2,
        "Clip",
        "A token stops counting once its probability has moved by this share since it was sampled.",
        source="PPO, arXiv 1707.06347, table 1",
        gt=0,
        lt=1,
    )
    cliprange_value: float = setting(
        0.2,
        "Value clip",
        "How far a value may move from the rollout's before it stops counting, in units of the score. "
        "0: freely.",
        source=PAPER,
        ge=0,
        le=1000,
    )
    vf_coef: float = setting(
        0.1,
        "Value weight",
        "Weight of the value model's loss beside the policy's.",
        source=PAPER,
        gt=0,
        le=100,
    )
    value_learning_rate: float = setting(
        0.0,
        "Value learning rate",
        "Step size of the value model. 0: the policy's.",
        source="One rate for both in arXiv 2403.17031",
        ge=0,
        le=1,
    )
    gamma: float = setting(
        1.0,
        "Discount",
        "What a reward one token later is worth (γ). 1: as much.",
        source=PAPER,
        gt=0,
        le=1,
    )
    lam: float = setting(
        0.95,
        "GAE λ",
        "How far advantages look ahead: 1 to the end of the answer, 0 to the next token.",
        source="arXiv 1506.02438; " + PAPER,
        ge=0,
        le=1,
    )
    whiten_advantages: bool = setting(
        True,
        "Whiten advantages",
        "Brings the advantages of a rollout to mean 0 and spread 1: the size of the reward does not matter.",
        source="37 implementation details of PPO, number 7",
    )
    whiten_rewards: bool = setting(
        False,
        "Whiten rewards",
        "Divides the rewards of a rollout by their spread and keeps their mean.",
        source=PAPER + ": off",
    )
    normalize_scores: bool = setting(
        False,
        "Normalise scores",
        "Brings scores to mean 0 and spread 1 over all answers so far: for reward models, whose scores have "
        "any size.",
        source="PPO-max, arXiv 2307.04964",
    )
    score_clip: float = setting(
        0.0,
        "Score limit",
        "Scores beyond ± this are cut to it. 0: they are not.",
        source="PPO-max, arXiv 2307.04964, cuts normalised scores",
        ge=0,
        le=1e6,
    )
    missing_eos_penalty: float = setting(
        0.0,
        "Penalty for not ending",
        "Taken from the score of an answer that was cut off. 0: none.",
        source="EOS trick of arXiv 2403.17031: there 1",
        ge=0,
        le=1e6,
    )
    mask_truncated_completions: bool = setting(
        False,
        "Ignore cut-off answers",
        "Answers that ran into the longest length are not learned from.",
        source="DAPO, arXiv 2503.14476, section 3.4",
    )
    target_kl: float = setting(
        0.0,
        "Leave a rollout at",
        "Its remaining passes are left out once the policy has moved this far from the one that answered. "
        "0: never.",
        unit="nats a token",
        source="37 implementation details of PPO, early stopping; typically 0.01 to 0.02",
        ge=0,
        le=100,
    )

    @model_validator(mode="after")
    def _workable(self) -> "PPOParameters":
        batches = self.gradient_accumulation_steps * self.num_mini_batches
        if self.per_device_train_batch_size * batches < 2:
            raise StudioError(
                "A rollout of one answer has nothing to compare with.",
                hint="Raise the batch size, the gradient accumulation or the number of minibatches.",
                field="per_device_train_batch_size",
            )
        if self.kl_target and not self.kl_coef:
            raise StudioError(
                "A KL target steers the KL weight, which cannot start at 0.",
                hint="Set a KL weight above 0, such as 0.05, or a KL target of 0.",
                field="kl_target",
            )
        return self


def arguments(given: dict[str, Any], shape: str) -> dict[str, Any]:
    """Where 0 means “not at all”, the trainer wants None."""
    optional = (
        "kl_target",
        "cliprange_value",
        "value_learning_rate",
        "score_clip",
        "missing_eos_penalty",
        "target_kl",
    )
    return {name: given[name] or None for name in optional}


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    """Rates by adapter and model size; for a tiny model also a rollout that a CPU can do."""
    full = adapter == "full"
    if is_tiny(size):
        return suggested(
            "Measured on the starter model and the medication directions, as the handbook tells",
            learning_rate=3e-4 if full else 1e-3,
            value_learning_rate=3e-3 if full else 5e-3,
            warmup_ratio=0.08,
            per_device_train_batch_size=64,
            gradient_accumulation_steps=1,
            max_completion_length=64,
            max_steps=80,
        )
    if full:
        return suggested(f"{PAPER}: 3e-6 for 1B, 2.8B and 6.9B alike", learning_rate=3e-6)
    return suggested(TEN_TIMES, learning_rate=3e-5)


TECHNIQUE = Technique(
    name="ppo",
    title="PPO",
    full_name="Proximal Policy Optimization",
    aliases=(
        *("rlhf", "rlvr", "rlaif", "reinforcement learning", "reinforcement learning from human feedback"),
        *("rm_ppo", "actor critic", "value model"),
    ),
    paper="arXiv 1707.06347",
    summary="Learns from graded answers with a value model that says what score to expect.",
    group="RLHF",
    phase=3,
    shapes=online.SHAPES,
    reads="prompts",
    graded=True,
    inputs=(
        Input(
            "value_model",
            "Start of the value model",
            "A reward model with the same tokens, from which the value model starts. Without one it starts "
            "as the policy, with values of zero.",
            kind="model",
            required=False,
        ),
    ),
    trainer="worker.trainers.ppo:PPOTrainer",
    config="worker.trainers.ppo:PPOConfig",
    arguments=arguments,
    parameters=PPOParameters,
    handbook=__doc__,
    headline=online.HEADLINE,
    metrics=ppo_metrics.METRICS,
    best_by=("eval_reward", "higher"),
    order=62,
    suggestions=suggestions,
)
