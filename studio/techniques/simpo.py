"""Simple preference optimisation compares the average log-probability of two answers, with a target margin.

It learns from a prompt with a chosen and a rejected answer. Its reward is what generation maximises: β
times the mean log-probability per token. The chosen answer's should exceed the rejected one's by γ. There
is no reference model, and since it is a mean, long answers gain nothing by being long.

**When it fits.** A model that was tuned already, a few thousand pairs, best of its own answers, and little
memory: it costs half of DPO's. It shows its worth where DPO makes answers longer and longer.

**When it fails.** Nothing holds it to where it started, so it over-optimises fastest of all: the margin
grows, and the answers fall apart. The learning rate is the critical setting, in the paper too. On tasks
with one right answer the likelihood of the right one tends to fall; a weight on the likelihood of chosen
answers (the setting below, “CPO-SimPO”) holds on to it, as do ORPO and Iterative RPO.

**Why these defaults.** β = 2 and γ/β = 0.5 are where the paper's search starts; rates from 3e-7 to 1e-6.

**Reads.** Preference rows. An offline preference loss, not reinforcement learning. Paper: Meng et al.,
“SimPO: Simple Preference Optimization with a Reference-Free Reward”, arXiv 2405.14734.
"""

from studio.parameters import setting
from studio.techniques.base import Suggestion, Technique, is_tiny, suggested
from studio.techniques.preference import (
    PREFERRED,
    PreferenceParameters,
    likelihood_of_chosen,
    on_the_starter,
    preference_metrics,
)


class SimPOParameters(PreferenceParameters):
    beta: float = setting(
        2.0,
        "β",
        "Scale of the reward, the mean log-probability per token. Far larger than DPO's β.",
        source="arXiv 2405.14734, section 4: 2.0 to 2.5",
        basic=True,
        gt=0,
        le=100,
    )
    simpo_gamma: float = setting(
        1.0,
        "Target margin γ",
        "By how much the chosen answer's reward should exceed the rejected one's. Usually half of β.",
        source="arXiv 2405.14734, section 4: γ/β from 0.3 to 0.8, 0.5 to begin with",
        basic=True,
        ge=0,
        le=100,
    )
    cpo_alpha: float = setting(
        0.0,
        "Weight of the likelihood",
        "Weight of a supervised loss on the chosen answers, which keeps them likely. 0: SimPO as published.",
        source="0: arXiv 2405.14734; 1: CPO, arXiv 2401.08417",
        ge=0,
        le=100,
    )
    label_smoothing: float = setting(
        0.0,
        "Label smoothing",
        "Share of pairs taken to be the wrong way round.",
        source="TRL CPOConfig default",
        ge=0,
        lt=0.5,
    )


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    full = adapter == "full"
    if is_tiny(size):
        return on_the_starter(learning_rate=3e-5 if full else 2e-4)
    if full:
        source = (
            "arXiv 2405.14734, section 4: from 3e-7 to 1e-6 by model, for 7B to 9B; none larger was tried"
        )
        return suggested(source, learning_rate=8e-7)
    return suggested(
        "The studio's choice for all sizes: ten times the middle of the paper's 3e-7 to 1e-6",
        learning_rate=5e-6,
    )


TECHNIQUE = Technique(
    name="simpo",
    title="SimPO",
    full_name="Simple Preference Optimization",
    summary="Compares answers by their mean log-probability: no reference model, no reward for length.",
    group="Preference",
    phase=3,
    shapes=("preference",),
    reads="pairs",
    trainer="worker.trainers.reference_free:CPOTrainer",
    config="worker.trainers.reference_free:CPOConfig",
    parameters=SimPOParameters,
    fixed={"loss_type": "simpo", "remove_unused_columns": False},
    suggestions=suggestions,
    handbook=__doc__,
    headline=PREFERRED,
    metrics=preference_metrics(likelihood_of_chosen()),
    aliases=("simple preference optimisation", "CPO", "CPO-SimPO", "contrastive preference optimization"),
    paper="arXiv 2405.14734",
    order=140,
)
