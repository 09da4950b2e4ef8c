"""What the techniques share that learn from their own answers (GRPO and its kin): settings, checks, charts,
and values by model size. No technique itself.

All of them let the model answer each prompt several times, grade the answers, and make the better ones of
each group likelier. Sizes are counted in answers: a batch of 64 with 8 answers a prompt is 8 prompts.
"""

from typing import Any, Literal

from pydantic import model_validator

from studio.errors import StudioError
from studio.parameters import setting
from studio.techniques import tools
from studio.techniques.base import (
    ON_THE_STARTER,
    TEN_TIMES,
    TRANSFORMERS,
    Suggestion,
    TrainingParameters,
    is_tiny,
    suggested,
)
from studio.techniques.metrics import CUT_OFF, Healthy, MetricInfo, common_metrics

SHAPES = ("prompt", "chat", "instruction")  # of the latter two, the last answer becomes the reference


class OnlineParameters(TrainingParameters):
    """Settings of techniques that compare a group of answers to each prompt. Raises StudioError where the
    answers of a generation do not make whole groups."""

    learning_rate: float = setting(
        1e-6,
        "Learning rate",
        "How far each step moves the weights. Reinforcement wants far less than supervised fine-tuning: when "
        "the reward collapses or the answers turn to gibberish, lower it first.",
        source="DeepSeekMath (arXiv 2402.03300) and DAPO (arXiv 2503.14476): 1e-6; TRL GRPOConfig default",
        basic=True,
        gt=0,
        le=1,
    )
    num_train_epochs: float = setting(
        1.0,
        "Epochs",
        "How often every prompt is answered. Ignored when a maximum of steps is set.",
        source="DeepSeekMath (arXiv 2402.03300): one pass over its prompts",
        basic=True,
        gt=0,
        le=1000,
    )
    per_device_train_batch_size: int = setting(
        8,
        "Batch size",
        "Answers (not prompts) put through the model at once on each device. Batch size × gradient "
        "accumulation ÷ answers per prompt = prompts per update.",
        unit="answers",
        source=TRANSFORMERS,
        basic=True,
        ge=1,
        le=4096,
    )
    gradient_accumulation_steps: int = setting(
        8,
        "Gradient accumulation",
        "Batches added up before one update: the effect of a larger batch without its memory. Few prompts "
        "per update make a noisy signal.",
        source="8 × 8 answers: 8 prompts per update, the least that is steady; papers take 128 and more",
        ge=1,
        le=1024,
    )
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = setting(
        "constant_with_warmup",
        "Learning-rate schedule",
        "How the learning rate falls during the run.",
        source="DAPO (arXiv 2503.14476), section 4.1: constant after a warm-up",
    )
    num_generations: int = setting(
        8,
        "Answers per prompt",
        "The group within which answers are compared. More answers find rarer successes and steady the "
        "comparison; each costs a generation.",
        source="TRL GRPOConfig default; DAPO (arXiv 2503.14476) takes 16, DeepSeekMath 64",
        basic=True,
        ge=2,
        le=1024,
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
        "How freely answers are sampled. Below 1 they are too alike to compare; far above 1 they are noise.",
        source="DeepSeekMath and DAPO sample at 1",
        gt=0,
        le=10,
    )
    top_p: float = setting(
        1.0,
        "Top p",
        "Samples from the likeliest tokens that make up this share of the probability. 1 takes all: what is "
        "learned is then what was sampled.",
        source="TRL GRPOConfig default",
        gt=0,
        le=1,
    )
    updates_per_generation: int = setting(
        1,
        "Updates per generation",
        "Answers are made for this many updates at once, and each update takes its share. 1: every update "
        "learns from fresh answers. More make generation cheaper; clipping then holds the model near the one "
        "that answered.",
        source="TRL GRPOConfig default (its steps_per_generation ÷ gradient accumulation)",
        ours=True,
        ge=1,
        le=64,
    )
    num_iterations: int = setting(
        1,
        "Passes over the answers",
        "How often each answer is learned from (μ). More save generation and move further from the model "
        "that answered.",
        source="DeepSeekMath (arXiv 2402.03300), section 4.2: 1",
        ge=1,
        le=64,
    )
    epsilon: float = setting(
        0.2,
        "Clip",
        "An answer's tokens stop counting once their probability has moved by this share since they were "
        "sampled. No effect while every update learns from fresh answers.",
        source="PPO (arXiv 1707.06347); DeepSeekMath, DAPO and TRL keep 0.2",
        gt=0,
        lt=1,
    )
    mask_truncated_completions: bool = setting(
        False,
        "Ignore cut-off answers",
        "Answers that ran into the longest length do not count in the loss, so that a good thought is not "
        "punished for being long.",
        source="DAPO (arXiv 2503.14476), section 3.4: overlong filtering",
    )

    @model_validator(mode="after")
    def _whole_groups(self) -> "OnlineParameters":
        answers = answers_per_generation(self)
        if answers % self.num_generations:
            batch, group = self.per_device_train_batch_size, self.num_generations
            raise StudioError(
                f"A generation makes {answers} answers (batch size {batch} × accumulation "
                f"{self.gradient_accumulation_steps} × updates per generation "
                f"{self.updates_per_generation}), which is no whole number of groups of {group}.",
                hint=f"Make the batch size a multiple of {group} (such as {-(-batch // group) * group}), or "
                "take a number of answers per prompt that divides it.",
                field="num_generations",
            )
        return self


class KLParameters(tools.ToolParameters, OnlineParameters):
    """Settings of those that may be held near the model they started from."""

    beta: float = setting(
        0.0,
        "KL weight",
        "How strongly the model is held near the one it started from (β). 0 needs no second model. Raise it "
        "(0.001 to 0.1) where the reward is a judge or a reward model, which can be talked into anything.",
        source="TRL GRPOConfig default; DeepSeek-R1 (arXiv 2501.12948) takes 0.001, DeepSeekMath 0.04",
        ge=0,
        le=10,
    )


def answers_per_generation(given: OnlineParameters) -> int:
    """Answers made at a time on each device; ÷ `num_generations` they are prompts."""
    return (
        given.per_device_train_batch_size * given.gradient_accumulation_steps * given.updates_per_generation
    )


def arguments(given: dict[str, Any], shape: str) -> dict[str, Any]:
    """TRL counts steps per generation in batches. Held-out prompts are answered once each: their mean reward
    is what counts, and a group of one divides every batch."""
    return {
        "steps_per_generation": given["gradient_accumulation_steps"] * given["updates_per_generation"],
        "num_generations_eval": 1,
    }


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    """The learning rate by adapter; for a tiny model, settings for one that answers in a few dozen tokens and
    is trained on a CPU."""
    full = adapter == "full"
    if is_tiny(size):
        return suggested(
            ON_THE_STARTER,
            learning_rate=3e-4 if full else 1e-3,
            per_device_train_batch_size=128,
            gradient_accumulation_steps=1,
            max_completion_length=64,
            max_steps=40,
            lr_scheduler_type="cosine",
            warmup_ratio=0.08,
        )
    if full:
        papers = (
            "1e-6 in DeepSeekMath (arXiv 2402.03300, 7B) and DAPO (arXiv 2503.14476, 32B), so for all sizes"
        )
        return suggested(papers, learning_rate=1e-6)
    return suggested(TEN_TIMES, learning_rate=1e-5)


CLIPPED_TOKENS = Healthy(
    "Ai2's open-instruct, guide to monitoring: a few per cent are normal; above 20 to 30 an update wants to "
    "go far further than it may",
    high=0.2,
)
SPREAD = Healthy(
    "What one right answer in 400 leaves, where rewards are 0 or 1: with less there is hardly anything to "
    "learn from",
    low=0.05,
)
UNDECIDED = Healthy("arXiv 2505.22617: the reward stops rising as the entropy is used up", low=0.01)
NATS_OF_A_TOKEN = Healthy(
    "The studio's rule: over 100 tokens these are the 50 nats at which arXiv 2403.17031 found models "
    "over-optimised",
    high=0.5,
)


HEADLINE = ("reward", "eval_reward")  # the loss says nothing: advantages cancel within a group


def online_metrics(*more: MetricInfo, clipped: Healthy = CLIPPED_TOKENS) -> list[MetricInfo]:
    """What every trainer on groups of answers logs, and `more` of its own; `clipped` is how much of the loss
    its clip may hold back."""
    plain = {metric.key: metric for metric in common_metrics()}
    return [
        MetricInfo(
            "reward",
            "Reward",
            "Reward",
            "Mean reward of the answers: the weighted sum of the graders. Should rise. If it rises while "
            "samples get worse, the graders are being gamed.",
            better="higher",
        ),
        MetricInfo(
            "reward_std",
            "Spread of the reward",
            "Reward",
            "Standard deviation over the batch. Near zero there is nothing to compare.",
            healthy=SPREAD,
        ),
        MetricInfo(
            "eval_reward_std",
            "Spread of the reward, held out",
            "Reward",
            "Standard deviation over a batch of held-out prompts. Zero where all are answered equally well.",
        ),
        MetricInfo(
            "rewards/*/mean",
            "Reward from *",
            "Reward",
            "Mean score of this grader alone, before its weight.",
            better="higher",
        ),
        MetricInfo(
            "rewards/*/std", "Spread of *", "Reward", "Standard deviation of this grader over the batch."
        ),
        MetricInfo(
            "frac_reward_zero_std",
            "Groups without signal",
            "Groups",
            "Share of groups whose answers all got the same reward. They teach nothing. Above one half most "
            "of the generation is wasted: take easier or harder prompts, more answers per prompt, or DAPO.",
            healthy=Healthy(
                "The studio's rule: beyond one half, more is generated in vain than to learn from (DAPO, "
                "arXiv 2503.14476, section 3.2)",
                high=0.5,
            ),
        ),
        *more,
        MetricInfo(
            "entropy",
            "Entropy",
            "Policy",
            "How undecided the model is about each token. Falls slowly as it learns. A fall to near zero is "
            "collapse: all answers become alike, groups lose their spread and learning stops.",
            unit="nats",
            healthy=UNDECIDED,
        ),
        MetricInfo(
            "kl",
            "Distance from the start",
            "Policy",
            "How far the model has moved from the one it started from, per token. Logged where the KL weight "
            "is above zero. A steep rise comes before gibberish.",
            unit="nats",
            healthy=NATS_OF_A_TOKEN,
        ),
        MetricInfo(
            "clip_ratio/region_mean",
            "Clipped",
            "Clipping",
            "Share of the loss that clipping holds back: tokens, or whole answers in GSPO and RLOO. Zero "
            "while every update learns from fresh answers. A large share says that too many updates are made "
            "on old answers, or that the rate is too high; GSPO clips far more by design.",
            healthy=clipped,
        ),
        MetricInfo(
            "clip_ratio/low_mean",
            "Clipped, bad answers",
            "Clipping",
            "Share held back from becoming even less likely.",
        ),
        MetricInfo(
            "clip_ratio/high_mean",
            "Clipped, good answers",
            "Clipping",
            "Share held back from becoming even likelier.",
        ),
        MetricInfo("clip_ratio/low_min", "Clipped, bad, least", "Clipping", "Of the answer clipped least."),
        MetricInfo("clip_ratio/high_max", "Clipped, good, most", "Clipping", "Of the answer clipped most."),
        MetricInfo(
            "completions/mean_length", "Length", "Length", "Mean length of the answers.", unit="tokens"
        ),
        MetricInfo("completions/min_length", "Shortest", "Length", "The shortest answer.", unit="tokens"),
        MetricInfo("completions/max_length", "Longest", "Length", "The longest answer.", unit="tokens"),
        MetricInfo(
            "completions/clipped_ratio",
            "Cut off",
            "Length",
            "Share of answers that ran into the longest length. Much of it makes the reward unfair to long "
            "answers: allow longer ones, punish length softly (DAPO), or ignore cut-off answers.",
            healthy=CUT_OFF,
        ),
        MetricInfo(
            "completions/mean_terminated_length",
            "Length of whole answers",
            "Length",
            "Mean length of those that ended by themselves.",
            unit="tokens",
        ),
        MetricInfo(
            "completions/min_terminated_length",
            "Shortest whole answer",
            "Length",
            "The shortest that ended by itself.",
            unit="tokens",
        ),
        MetricInfo(
            "completions/max_terminated_length",
            "Longest whole answer",
            "Length",
            "The longest that ended by itself.",
            unit="tokens",
        ),
        *tools.METRICS,
        MetricInfo(
            "loss",
            "Loss",
            "Loss",
            "Near zero by construction, since advantages cancel within a group. It says little: watch the "
            "reward.",
        ),
        MetricInfo(
            "aux_loss",
            "Expert balance loss",
            "Loss",
            "Of mixture-of-experts models: how unevenly their experts are used.",
        ),
        plain["learning_rate"],
        plain["grad_norm"],
        MetricInfo("num_tokens", "Tokens seen", "Throughput", "Tokens read and written so far.", exact=True),
        MetricInfo(
            "step_time", "Time of an update", "Throughput", "Generation, grading and training.", unit="s"
        ),
    ]
