"""Distillation moves what a large model can do into a small one that is cheaper and faster to run.

It learns from a teacher, in one of two ways. “Answers”: the teacher answers every prompt several times, your
graders keep the best answer that is good enough, and the student learns those as in supervised fine-tuning.
“On-policy”: the student answers by itself and learns, for every token it wrote, what the teacher would have
thought of it (generalised knowledge distillation, arXiv 2306.13649).

**When it fits.** A strong model meets the target but is too slow or too dear, and there are many prompts of
the kind that will be asked. No labels are needed: the graders sort the teacher's answers.

**When it fails.** The student learns the teacher's mistakes where no grader catches them. Prompts for which
no answer of the teacher is good enough teach nothing: the report says how many those were. On-policy needs a
teacher with the same tokenizer.

**Why these defaults.** Four answers a prompt at temperature 0.7 give a grader something to choose from at
little cost; choosing by a verifier is rejection sampling as in Llama 2 (arXiv 2307.09288, section 3.2).
On-policy uses the reverse divergence, so that a small student picks what it can do well (arXiv 2306.13649).

**Reads.** Prompts, with a reference answer where the graders need one. Mind the terms of the teacher.
"""

from typing import Literal

from studio.parameters import setting
from studio.techniques.base import Input, RowParameters, Suggestion, Technique, is_tiny, suggested
from studio.techniques.metrics import CUT_OFF, KNOWS_THE_LANGUAGE, MetricInfo, common_metrics


class DistillationParameters(RowParameters):
    mode: Literal["answers", "on_policy"] = setting(
        "answers",
        "Learns from",
        "“answers”: the teacher's best ones. “on_policy”: what the teacher thinks of the student's own.",
        source="The studio's choice: works between any two models; “on_policy” wants one tokenizer for both",
        basic=True,
    )
    teacher_answers: int = setting(
        4,
        "Answers of the teacher",
        "To each prompt; the graders keep the best one.",
        source="best of a few is most of the gain: arXiv 2307.09288, figure 7",
        basic=True,
        ge=1,
        le=64,
    )
    threshold: float = setting(
        1.0,
        "Lowest reward",
        "An answer with a lower reward is not learned from. The reward is the weighted sum of the graders.",
        source="The studio's choice: graders score 0 to 1, so only answers that are wholly right count",
    )
    teacher_temperature: float = setting(
        0.7,
        "Teacher's temperature",
        "How freely the teacher answers: with more freedom, its answers differ more.",
        source="the usual for sampling several answers to choose from",
        gt=0,
        le=2,
    )
    max_completion_length: int = setting(
        256,
        "Longest answer",
        "Tokens an answer may have.",
        unit="tokens",
        source="The studio's choice: half of TRL's, as the teacher answers each prompt several times",
        ge=1,
        le=32_768,
    )
    beta: float = setting(
        1.0,
        "Divergence",
        "On-policy only: 0 spreads over all the teacher says, 1 picks what the student can do well.",
        source="TRL DistillationConfig default; arXiv 2306.13649",
        ge=0,
        le=1,
    )
    temperature: float = setting(
        1.0,
        "Student's temperature",
        "On-policy only: how freely the student answers.",
        source="TRL DistillationConfig default",
        gt=0,
        le=2,
    )


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    """Rates by adapter and model size, as in supervised fine-tuning."""
    full = adapter == "full"
    if is_tiny(size):
        return suggested(
            "Measured on the starter model: benchmarks/behaviour/supervised.py",
            learning_rate=2e-3 if full else 1e-2,
            num_train_epochs=8.0,
            per_device_train_batch_size=16,
            max_length=256,
            max_completion_length=96,
            warmup_ratio=0.08,
        )
    source = "The studio's choice for all sizes: half of what supervised fine-tuning takes"
    return suggested(source, learning_rate=1e-5 if full else 1e-4)


TECHNIQUE = Technique(
    name="distillation",
    title="Distillation",
    full_name="Knowledge distillation",
    aliases=(
        "gkd",
        "generalised knowledge distillation",
        "best-of-n",
        "rejection sampling",
        "teacher",
        "student",
    ),
    paper="arXiv 2306.13649",
    summary="A small model learns from a larger one's answers.",
    group="Supervised",
    phase=2,
    shapes=("prompt", "chat", "instruction"),
    reads="prompts",
    trainer="worker.trainers.distillation:distil",
    config="worker.trainers.distillation:configure",
    parameters=DistillationParameters,
    handbook=__doc__,
    headline=("eval_reward", "loss", "eval_loss"),
    graded=True,
    inputs=(Input("teacher_model", "Teacher", "The model to learn from.", "model"),),
    best_by=("eval_reward", "higher"),
    order=20,
    suggestions=suggestions,
    metrics=[
        *common_metrics(),
        MetricInfo(
            "eval_reward",
            "Held-out reward",
            "Reward",
            "The weighted sum of the graders on the student's own answers to held-out prompts.",
            better="higher",
        ),
        MetricInfo(
            "eval_rewards/*/mean",
            "Held out: *",
            "Reward",
            "This grader's mean on held-out prompts.",
            better="higher",
        ),
        MetricInfo(
            "mean_token_accuracy",
            "Token accuracy",
            "Accuracy",
            "Share of the teacher's tokens the student would have chosen itself.",
            healthy=KNOWS_THE_LANGUAGE,
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "entropy", "Entropy", "Accuracy", "How undecided the student is about each token.", unit="nats"
        ),
        MetricInfo(
            "completions/mean_length", "Answer length", "Length", "On-policy: of the student.", unit="tokens"
        ),
        MetricInfo(
            "completions/min_length", "Shortest answer", "Length", "On-policy: of the student.", unit="tokens"
        ),
        MetricInfo(
            "completions/max_length", "Longest answer", "Length", "On-policy: of the student.", unit="tokens"
        ),
        MetricInfo(
            "completions/clipped_ratio",
            "Cut off",
            "Length",
            "On-policy: share of the student's answers that ran into the longest length.",
            healthy=CUT_OFF,
        ),
        MetricInfo(
            "completions/*",
            "Answers: *",
            "Length",
            "On-policy: lengths of the student's answers.",
            unit="tokens",
        ),
        MetricInfo("num_tokens", "Tokens seen", "Throughput", "Tokens trained on so far.", exact=True),
        MetricInfo("step_time", "Seconds a step", "Throughput", "Answering included.", unit="s"),
    ],
)
