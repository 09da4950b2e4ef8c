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

from typing import Any

from studio.parameters import setting
from studio.techniques.base import Technique
from studio.techniques.preference import ReferencedParameters, preference_metrics, rates


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


def suggest(adapter: str, size: int | None) -> dict[str, Any]:
    return rates(
        adapter,
        size,
        full=5e-7,
        part=5e-6,
        of_full={"learning_rate": 3e-5},
        of_part={"learning_rate": 3e-4},
        per_device_train_batch_size=16,
        max_length=256,
        eval_steps=10,
    )


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
    suggest=suggest,
    handbook=__doc__,
    metrics=preference_metrics(),
    aliases=("identity preference optimisation", "identity policy optimization", "ΨPO", "Psi-PO"),
    paper="arXiv 2310.12036",
    reference=True,
    order=110,
)
