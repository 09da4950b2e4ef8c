"""Identity preference optimisation learns from pairs like DPO, but towards a margin of a set size.

It learns from a prompt with a chosen and a rejected answer. DPO always gains by pushing the two further
apart; IPO pulls the difference of their log-ratios to the reference, per token, to 1/(2τ) by a squared
loss, and has no reason to go further. τ is the one thing to set: higher stays nearer to the start.

**When it fits.** Few pairs, or pairs about which everybody agrees: there DPO forgets its reference and
drives rejected answers to probability zero, while IPO stays where τ says (`benchmarks/behaviour/bandit.py`
shows both on a bandit whose solution is known in closed form).

**When it fails.** Like all of its kin it teaches no new task. A small τ asks for a large distance, and
reaching it can cost the likelihood of good answers too; the squared loss then also punishes pairs that are
further apart already. Watch “Log-probability of chosen answers”, and raise τ.

**Why these defaults.** τ = 0.1 lies in the middle of what the paper tries, and is TRL's default; it asks
for 5 nats a token. As in TRL, log-ratios are averaged over the answer's tokens, which the authors confirmed
is what the paper's results correspond to.

**Reads.** Preference rows. An offline preference loss, not reinforcement learning. Paper: Azar et al., “A
General Theoretical Paradigm to Understand Learning from Human Preferences”, arXiv 2310.12036.
"""

from studio.parameters import setting
from studio.techniques.base import Suggestion, Technique, is_tiny
from studio.techniques.preference import (
    PREFERRED,
    ReferencedParameters,
    on_the_starter,
    preference_metrics,
    rate_of_dpo,
)


class IPOParameters(ReferencedParameters):
    beta: float = setting(
        0.1,
        "τ",
        "The distance aimed at: chosen and rejected answers are moved apart by 1/(2τ) nats a token, measured "
        "against the start, and no further. TRL calls it beta; higher stays nearer to the start.",
        source="arXiv 2310.12036, eq. 17; TRL DPOConfig default",
        basic=True,
        gt=0,
        le=100,
    )


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    if is_tiny(size):
        return on_the_starter(learning_rate=3e-5 if adapter == "full" else 3e-4)
    return rate_of_dpo(adapter, size)


TECHNIQUE = Technique(
    name="ipo",
    title="IPO",
    full_name="Identity Preference Optimization",
    summary="Like DPO, but towards a margin of a set size: certain pairs do not run away.",
    group="Preference",
    phase=3,
    shapes=("preference",),
    reads="pairs",
    trainer="trl:DPOTrainer",
    config="trl:DPOConfig",
    parameters=IPOParameters,
    fixed={"loss_type": ["ipo"]},
    suggestions=suggestions,
    handbook=__doc__,
    headline=PREFERRED,
    metrics=preference_metrics(),
    aliases=("identity preference optimisation", "identity policy optimization", "ΨPO", "Psi-PO"),
    paper="arXiv 2310.12036",
    reference=True,
    order=110,
)
