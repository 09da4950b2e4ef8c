"""GSPO is GRPO that weighs and clips whole answers, not single tokens: the choice for mixtures of experts.

It learns from prompts and a reward, like GRPO. When several updates use the same answers, each must be
weighed by how much likelier it has become since. GRPO does that token by token, which is noisy and adds up
over long answers; GSPO takes one weight an answer, the geometric mean over its tokens, and clips the answer
as a whole, in the unit in which it was rewarded.

**When it fits.** Long answers, several updates per generation, and above all mixture-of-experts models: after
an update the router sends about a tenth of the tokens to other experts, so that the weights of single tokens
jump and GRPO falls apart unless the old routes are stored and replayed. The weight of a whole answer hardly
moves, so GSPO needs no such replay.

**When it fails.** With one update per generation there is nothing to weigh: it is GRPO then, so that setting
is refused. Where tokens of one answer deserve different advantages, a weight for the whole answer is too
coarse.

**Why these defaults.** Clips of 0.0003 and 0.0004 and four updates per generation are the paper's, for models
of billions of parameters. It clips far more than GRPO (15 % of tokens against 0.1 %, section 5.1), by design.
A very small model moves further per update and gets clips of 0.01 and 0.013, which hold back 3 % of its
answers where the paper's hold back 13 %. On the starter model after an epoch of supervised fine-tuning, 40
steps for exact match led from 71.5 % right (greedy) to 74.4 % with the paper's clips, to 75.2 % with 0.003
and 0.004, to 75.4 % with 0.01 and 0.013, to 74.9 % with 0.03 and 0.04: means of two seeds on 600 held-out
rows, each ± 3.5, so that what lies between them may be chance. Experts are kept in balance by the model's own
weight for that, unless you set another.

**Reads.** Prompts, with a reference answer where a grader wants one; or conversations and completions, whose
last answer is the reference. **Paper.** Zheng et al. 2025, arXiv 2507.18071.
"""

from pydantic import model_validator

from studio.errors import StudioError
from studio.parameters import setting
from studio.techniques import online
from studio.techniques.base import Suggestion, Technique, is_tiny, suggested
from studio.techniques.metrics import Healthy

PAPER = "GSPO (arXiv 2507.18071), section 5.1"


class GSPOParameters(online.KLParameters):
    """Raises StudioError where every update would learn from fresh answers: GSPO has no effect then."""

    updates_per_generation: int = setting(
        4,
        "Updates per generation",
        "Answers are made for this many updates at once, and each update takes its share. GSPO needs 2 or "
        "more: on fresh answers it is GRPO.",
        source=PAPER,
        ours=True,
        basic=True,
        ge=1,
        le=64,
    )
    epsilon: float = setting(
        3e-4,
        "Clip, bad answers",
        "A bad answer stops counting once its tokens have become less likely by this share on average.",
        source=PAPER,
        gt=0,
        lt=1,
    )
    epsilon_high: float = setting(
        4e-4,
        "Clip, good answers",
        "A good answer stops counting once its tokens have become likelier by this share on average.",
        source=PAPER,
        gt=0,
        le=10,
    )
    router_aux_loss_coef: float | None = setting(
        None,
        "Expert balance",
        "Of mixture-of-experts models: weight of the loss that keeps their experts in even use. Empty: the "
        "model's own. Leave it empty for other models.",
        source="TRL GRPOConfig default",
        ge=0,
        le=10,
    )

    @model_validator(mode="after")
    def _off_policy(self) -> "GSPOParameters":
        if self.updates_per_generation * self.num_iterations < 2:
            raise StudioError(
                "With one update per generation GSPO is exactly GRPO: the weight of every answer is 1.",
                hint="Set updates per generation to 2 or more (the paper takes 4), or choose GRPO.",
                field="updates_per_generation",
            )
        return self


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    """As those of its kin; wider clips where the model is tiny."""
    found = online.suggestions(adapter, size)
    if is_tiny(size):
        measured = "Measured on the starter model and the medication directions, as the handbook tells"
        found |= suggested(measured, epsilon=0.01, epsilon_high=0.013)
    return found


TECHNIQUE = Technique(
    name="gspo",
    title="GSPO",
    full_name="Group Sequence Policy Optimization",
    aliases=("sequence-level grpo", "mixture of experts", "moe", "rlvr", "rlaif", "reinforcement learning"),
    paper="arXiv 2507.18071",
    summary="GRPO that weighs and clips whole answers; steady for mixtures of experts.",
    group="Reasoning RL",
    phase=4,
    shapes=online.SHAPES,
    reads="prompts",
    graded=True,
    reference=True,
    trainer="worker.trainers.grpo:GRPOTrainer",
    config="trl:GRPOConfig",
    fixed={"loss_type": "grpo", "importance_sampling_level": "sequence"},
    arguments=online.arguments,
    parameters=GSPOParameters,
    handbook=__doc__,
    headline=online.HEADLINE,
    metrics=online.online_metrics(
        clipped=Healthy(
            f"{PAPER}: about 0.15 by design, where GRPO clips 0.001. Beyond one half, most answers teach "
            "nothing",
            high=0.5,
        )
    ),
    best_by=("eval_reward", "higher"),
    order=76,
    suggestions=suggestions,
)
