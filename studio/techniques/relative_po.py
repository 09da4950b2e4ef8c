"""Relative preference optimisation also contrasts good and bad answers across similar prompts.

It learns from a prompt with a chosen and a rejected answer, or from single answers labelled good and bad.
DPO compares two answers to one prompt; here every chosen answer of a batch is compared with every rejected
one, weighted by how similar their prompts are. So an answer teaches something about its neighbours too.

**When it fits.** Many prompts that resemble each other, and few comparisons for each; or thumbs instead of
pairs, where good and bad answers belong to different prompts. Batches should be large (16 and more), as
contrasts are made within.

**When it fails.** Where neighbouring prompts want quite different answers, contrasts across them are noise:
lower the temperature, or choose DPO. Like all of its kin it over-optimises when trained too long or too
fast.

**Why these defaults.** β = 0.1 and temperature 0.5 are those of the authors' code. Their prompt embeddings
come from a sentence model; here they are the starting model's own hidden states, which need no download and
cost nothing, less their mean over the batch. Weighting “diagonal” is DPO, “uniform” takes all prompts for
equally near, which the paper found to do worse.

**Reads.** Preference rows, or labelled rows. One of two methods called RPO: this is Relative Preference
Optimization (Yin et al., arXiv 2402.10958); Iterative Reasoning Preference Optimization is another
technique. An offline preference loss, not reinforcement learning.
"""

from typing import Literal

from studio.parameters import setting
from studio.techniques.base import Suggestion, Technique, is_tiny
from studio.techniques.metrics import MetricInfo
from studio.techniques.preference import (
    PREFERRED,
    PreferenceParameters,
    on_the_starter,
    preference_metrics,
    rate_of_dpo,
)


class RelativePOParameters(PreferenceParameters):
    per_device_train_batch_size: int = setting(
        16,
        "Batch size",
        "Rows per step on each device. Answers are contrasted within a batch, so larger ones teach more.",
        source="arXiv 2402.10958: gains grow with the batch on each device",
        basic=True,
        ge=2,
        le=4096,
    )
    beta: float = setting(
        0.1,
        "β",
        "How strongly the model is held to where it started. Higher stays nearer, lower moves further.",
        source="arXiv 2402.10958, the authors' code",
        basic=True,
        gt=0,
        le=100,
    )
    weighting: Literal["similarity", "uniform", "diagonal"] = setting(
        "similarity",
        "Contrast with",
        "“similarity”: answers to similar prompts count more. “uniform”: all alike. “diagonal”: only the own "
        "pair, which is DPO.",
        source="arXiv 2402.10958, section 3",
    )
    similarity_temperature: float = setting(
        0.5,
        "Similarity temperature τ",
        "The lower, the more only the most similar prompts are contrasted.",
        source="arXiv 2402.10958, the authors' code: 0.25 and 0.5",
        basic=True,
        gt=0,
        le=100,
    )


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    if is_tiny(size):
        return on_the_starter(learning_rate=3e-5 if adapter == "full" else 3e-4)
    return rate_of_dpo(adapter, size)


TECHNIQUE = Technique(
    name="relative_po",
    title="Relative PO",
    full_name="Relative Preference Optimization",
    summary="DPO that also contrasts answers across similar prompts; reads pairs or thumbs.",
    group="Preference",
    phase=3,
    shapes=("preference", "labelled"),
    reads="pairs",
    trainer="worker.trainers.relative_po:RelativePOTrainer",
    config="worker.trainers.relative_po:RelativePOConfig",
    parameters=RelativePOParameters,
    suggestions=suggestions,
    handbook=__doc__,
    headline=PREFERRED,
    metrics=preference_metrics(
        MetricInfo(
            "contrast/own_weight",
            "Weight of the own pair",
            "Preference",
            "How much of the contrast stays with the rejected answer to the same prompt. 1 is DPO; one "
            "divided by the batch size takes every prompt for equally near.",
        )
    ),
    aliases=("RPO", "relative preference optimisation", "contrast matrix", "cross-prompt"),
    paper="arXiv 2402.10958",
    reference=True,
    order=150,
)
