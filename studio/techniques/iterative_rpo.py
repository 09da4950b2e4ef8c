"""Iterative reasoning preference optimisation is DPO that also keeps right answers likely, in rounds.

It learns from a prompt with a chosen and a rejected answer, usually a right and a wrong solution that the
model wrote itself. To DPO's loss it adds α times that of supervised fine-tuning on the chosen answer. DPO
alone may make right answers less likely as long as wrong ones fall faster; this term does not let it.

**When it fits.** Tasks with right and wrong answers: reasoning, extraction, code. Let the model answer in the
reward lab and make pairs of its best and worst answers there, train one round, try the result in the lab, and
train the next round on its pairs: the paper gains over four rounds.

**When it fails.** Rounds on the same old pairs gain little: each needs fresh answers of the model as it is
now. Where chosen answers are only preferred, not right, the likelihood term copies their faults; choose DPO
there.

**Why these defaults.** β = 0.1, α = 1 and a rate of 7e-7 are the paper's (section 3).

**Where it differs from the paper.** The likelihood term is TRL's: the mean over all tokens of a batch's
chosen answers, so that longer ones weigh more. The paper divides each answer's by its own length.

**Reads.** Preference rows; one run is one round. One of two methods called RPO: this is Iterative Reasoning
Preference Optimization (Pang et al., arXiv 2404.19733); Relative Preference Optimization is another
technique. An offline preference loss, not reinforcement learning.
"""

from typing import Any

from studio.parameters import setting
from studio.techniques.base import TEN_TIMES, Suggestion, Technique, is_tiny, suggested
from studio.techniques.preference import PREFERRED, ReferencedParameters, on_the_starter, preference_metrics


class IterativeRPOParameters(ReferencedParameters):
    beta: float = setting(
        0.1,
        "β",
        "How strongly the model is held to where it started. Higher stays nearer, lower moves further.",
        source="arXiv 2404.19733, section 3",
        basic=True,
        gt=0,
        le=100,
    )
    rpo_alpha: float = setting(
        1.0,
        "Weight of the likelihood α",
        "Weight of the supervised loss on the chosen answers beside DPO's. 0 is DPO.",
        source="arXiv 2404.19733, section 3: 1",
        basic=True,
        ours=True,
        ge=0,
        le=100,
    )


def arguments(given: dict[str, Any], shape: str) -> dict[str, Any]:
    """Eq. 2 of the paper, but for the lengths of answers: DPO's loss and α times the likelihood loss."""
    return {"loss_weights": [1.0, given["rpo_alpha"]]}


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    full = adapter == "full"
    if is_tiny(size):
        return on_the_starter(learning_rate=1e-3 if full else 5e-3, rpo_alpha=30.0)
    if full:
        return suggested(
            "arXiv 2404.19733, section 3: 7e-7 for a model of 70B; here for all sizes", learning_rate=7e-7
        )
    return suggested(TEN_TIMES, learning_rate=7e-6)


TECHNIQUE = Technique(
    name="iterative_rpo",
    title="Iterative RPO",
    full_name="Iterative Reasoning Preference Optimization",
    summary="DPO that also keeps right answers likely; trained in rounds on the model's own answers.",
    group="Preference",
    phase=3,
    shapes=("preference",),
    reads="pairs",
    trainer="trl:DPOTrainer",
    config="trl:DPOConfig",
    parameters=IterativeRPOParameters,
    fixed={"loss_type": ["sigmoid", "sft"]},
    arguments=arguments,
    suggestions=suggestions,
    handbook=__doc__,
    headline=PREFERRED,
    metrics=preference_metrics(),
    aliases=("RPO", "iterative reasoning preference optimisation", "DPO + NLL", "DPO+SFT", "rpo_alpha"),
    paper="arXiv 2404.19733",
    reference=True,
    order=160,
)
