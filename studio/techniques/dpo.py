"""Direct preference optimisation teaches a model which of two answers is better, from pairs alone.

It learns from a prompt with a chosen and a rejected answer. Measured against the model it started from (the
reference), it makes the chosen answer relatively likelier and the rejected one relatively less likely; β
says how dearly leaving the reference is paid for. No reward model, nothing generated.

**When it fits.** The model can already do the task (supervised fine-tuning first), and people can say which
of two answers they prefer more easily than write the perfect one. 1,000 to 10,000 pairs, best made from
answers of the model itself, so that it learns about its own mistakes.

**When it fails.** It teaches no new task. Only the difference counts, so the chosen answers may get less
likely too, as long as the rejected ones fall faster: watch “Log-probability of chosen answers”. Trained too
long or too fast it over-optimises: the margin grows while the answers get worse. Where pairs are certain
and few, IPO stays bounded; where the answer is right or wrong, Iterative RPO holds on to the right ones.

**Why these defaults.** β = 0.1 is the paper's; rates for large models are those of Zephyr and Tulu 3. Of
the loss variants, `robust` takes a share of flipped pairs into account, `sigmoid_norm` takes the mean per
token so that long answers do not count more, `hinge`, `apo_zero`, `apo_down`, `nca_pair`, `bco_pair`,
`exo_pair`, `aot`, `sppo_hard` and `discopop` are further published ones.

**Reads.** Preference rows. Paper: Rafailov et al., “Direct Preference Optimization: Your Language Model is
Secretly a Reward Model”, arXiv 2305.18290.
"""

from typing import Any, Literal

from pydantic import model_validator

from studio.errors import StudioError
from studio.parameters import setting
from studio.techniques.base import Suggestion, Technique, is_tiny
from studio.techniques.preference import (
    PREFERRED,
    ReferencedParameters,
    on_the_starter,
    preference_metrics,
    rate_of_dpo,
)

SMOOTHED = ("robust", "exo_pair", "aot")  # the losses in which label smoothing means something


class DPOParameters(ReferencedParameters):
    """Raises StudioError for a smoothing that the chosen loss does not read."""

    beta: float = setting(
        0.1,
        "β",
        "How strongly the model is held to where it started. Higher stays nearer, lower moves further.",
        source="arXiv 2305.18290, section 6",
        basic=True,
        gt=0,
        le=100,
    )
    loss_type: Literal[
        "sigmoid",
        "sigmoid_norm",
        "hinge",
        "robust",
        "exo_pair",
        "nca_pair",
        "bco_pair",
        "apo_zero",
        "apo_down",
        "aot",
        "sppo_hard",
        "discopop",
    ] = setting(
        "sigmoid",
        "Loss",
        "“sigmoid” is DPO as published. “sigmoid_norm”: per token, against a preference for length. "
        "“robust”: some pairs are the wrong way round. “apo_zero”: the chosen answers are better than the "
        "model's own; “apo_down”: they are worse.",
        source="arXiv 2305.18290, eq. 7",
        basic=True,
    )
    label_smoothing: float = setting(
        0.0,
        "Label smoothing",
        "Share of pairs taken to be the wrong way round. Read by the losses robust, exo_pair and aot only.",
        source="robust: 0.1 (arXiv 2403.00409); exo_pair: 0.001 (arXiv 2402.00856)",
        ge=0,
        lt=0.5,
    )
    ld_alpha: float = setting(
        1.0,
        "Weight of the longer tail",
        "Weight of those tokens by which one answer is longer than the other; below 1 it curbs a preference "
        "for length (LD-DPO). 1: all tokens count alike.",
        source="arXiv 2409.06411",
        ge=0,
        le=1,
    )

    @model_validator(mode="after")
    def _read_by_the_loss(self) -> "DPOParameters":
        """A setting that would be ignored in silence is refused."""
        if self.label_smoothing and self.loss_type not in SMOOTHED:
            raise StudioError(
                f"Label smoothing means nothing to the loss “{self.loss_type}”.",
                hint=f"Choose the loss {', '.join(SMOOTHED[:-1])} or {SMOOTHED[-1]}, or a smoothing of 0.",
                field="label_smoothing",
            )
        return self


def arguments(given: dict[str, Any], shape: str) -> dict[str, Any]:
    """exo_pair divides by the smoothing, so it gets its paper's value where none is set."""
    loss, smoothing = given["loss_type"], given["label_smoothing"]
    return {
        "loss_type": [loss],
        "label_smoothing": smoothing or (1e-3 if loss == "exo_pair" else 0.0),
        "ld_alpha": None if given["ld_alpha"] == 1 else given["ld_alpha"],
    }


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    if is_tiny(size):
        return on_the_starter(learning_rate=3e-5 if adapter == "full" else 3e-4)
    return rate_of_dpo(adapter, size)


TECHNIQUE = Technique(
    name="dpo",
    title="DPO",
    full_name="Direct Preference Optimization",
    summary="Learns from pairs which of two answers is better.",
    group="Preference",
    phase=3,
    shapes=("preference",),
    reads="pairs",
    trainer="trl:DPOTrainer",
    config="trl:DPOConfig",
    parameters=DPOParameters,
    arguments=arguments,
    suggestions=suggestions,
    handbook=__doc__,
    headline=PREFERRED,
    metrics=preference_metrics(),
    aliases=(
        "direct preference optimisation",
        "robust DPO",
        "LD-DPO",
        "APO",
        "preference pairs",
        "alignment",
    ),
    paper="arXiv 2305.18290",
    reference=True,
    best_by=("eval_loss", "lower"),
    order=100,
)
