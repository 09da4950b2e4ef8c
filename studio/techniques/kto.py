"""Kahneman-Tversky optimisation learns from thumbs: answers that were judged good or bad, one by one.

It learns from a prompt, one answer, and whether it was good. No pairs are needed: good answers are made
likelier than the reference finds them and bad ones less likely, by a value function that flattens as gains
and losses grow, as Kahneman and Tversky found people's to do. How far the model has moved on the whole (the
KL, estimated by pairing answers with other rows' prompts) is the point from which gains and losses are
counted.

**When it fits.** Feedback from use: thumbs up and down, accepted and corrected answers. Several hundred of
each kind at least; the two kinds may be very unequal. Pairs can be read too, as one of each.

**When it fails.** A thumb says less than a comparison, so with the same number of pairs DPO usually learns
more. It needs batches of at least 2 rows, better 8 or more, or the KL is a guess. With bad answers that are
nearly right it may unlearn what is right in them: watch “Log-probability of chosen answers”.

**Why these defaults.** β = 0.1 is the paper's. The weights of good and bad answers are worked out from the
counts of your labels so that λ_D·n_D / (λ_U·n_U) lies between 1 and 4/3, the range the paper recommends
(eq. 8); the run shows them. Rates between 5e-7 and 5e-6 for large models.

**Reads.** Labelled rows; preference rows as one good and one bad answer each. An offline preference loss,
not reinforcement learning. Paper: Ethayarajh et al., “KTO: Model Alignment as Prospect Theoretic
Optimization”, arXiv 2402.01306.
"""

from typing import Literal

from studio.parameters import setting
from studio.techniques.base import TEN_TIMES, Suggestion, Technique, is_tiny, suggested
from studio.techniques.metrics import NATS_OF_AN_ANSWER, Healthy, MetricInfo
from studio.techniques.preference import PREFERRED, ReferencedParameters, on_the_starter, preference_metrics


class KTOParameters(ReferencedParameters):
    per_device_train_batch_size: int = setting(
        8,
        "Batch size",
        "Rows per step on each device, at least 2: KTO estimates the KL by pairing each answer with another "
        "row's prompt. Larger is a better estimate.",
        source="arXiv 2402.01306, section 4: 8 to 128",
        basic=True,
        ge=2,
        le=4096,
    )
    beta: float = setting(
        0.1,
        "β",
        "How strongly the model is held to where it started. Higher stays nearer, lower moves further.",
        source="arXiv 2402.01306, section 4",
        basic=True,
        gt=0,
        le=100,
    )
    loss_type: Literal["kto", "apo_zero_unpaired"] = setting(
        "kto",
        "Loss",
        "“kto”: as published. “apo_zero_unpaired”: for good answers that are better than the model's own; "
        "takes no KL.",
        source="arXiv 2402.01306, eq. 7; arXiv 2408.06266",
    )
    desirable_weight: float = setting(
        0.0,
        "Weight of good answers",
        "λ_D. 0: from the counts of your labels, so that λ_D·n_D / (λ_U·n_U) lies between 1 and 4/3.",
        source="arXiv 2402.01306, eq. 8",
        ge=0,
        le=10_000,
    )
    undesirable_weight: float = setting(
        0.0,
        "Weight of bad answers",
        "λ_U. 0: from the counts of your labels, as above.",
        source="arXiv 2402.01306, eq. 8",
        ge=0,
        le=10_000,
    )


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    full = adapter == "full"
    if is_tiny(size):
        return on_the_starter(learning_rate=5e-5 if full else 5e-4, per_device_train_batch_size=32)
    if full:
        return suggested("arXiv 2402.01306, section 4: 5e-7 to 5e-6, for all sizes", learning_rate=1e-6)
    return suggested(TEN_TIMES, learning_rate=1e-5)


TECHNIQUE = Technique(
    name="kto",
    title="KTO",
    full_name="Kahneman-Tversky Optimization",
    summary="Learns from single answers judged good or bad: thumbs up and down.",
    group="Preference",
    phase=3,
    shapes=("labelled", "preference"),
    reads="labelled",
    trainer="worker.trainers.kto:KTOTrainer",
    config="worker.trainers.kto:KTOConfig",
    parameters=KTOParameters,
    suggestions=suggestions,
    handbook=__doc__,
    headline=PREFERRED,
    metrics=[
        MetricInfo(
            "rewards/accuracies",
            "Reward accuracy",
            "Preference",
            "Share of answers whose reward lies on the side of the KL that their label says. One half is "
            "chance.",
            healthy=Healthy("One half is chance", low=0.5),
            better="higher",
            is_share=True,
        ),
        *(
            each
            for each in preference_metrics()
            if each.key not in ("rewards/accuracies", "mean_token_accuracy")
        ),
        MetricInfo(
            "kl",
            "Distance from the start (KL)",
            "Preference",
            "How far the model has moved on the whole; gains and losses are counted from here. Zero at the "
            "start.",
            unit="nats",
            healthy=NATS_OF_AN_ANSWER,
        ),
        MetricInfo(
            "weights/desirable",
            "Weight of good answers",
            "Balance",
            "λ_D in force: given, or worked out from the label counts.",
            exact=True,
        ),
        MetricInfo(
            "weights/undesirable",
            "Weight of bad answers",
            "Balance",
            "λ_U in force: given, or worked out from the label counts.",
            exact=True,
        ),
    ],
    aliases=(
        "Kahneman-Tversky",
        "prospect theory",
        "thumbs",
        "binary feedback",
        "unpaired preferences",
        "HALO",
    ),
    paper="arXiv 2402.01306",
    reference=True,
    order=120,
)
