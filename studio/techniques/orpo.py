"""Odds ratio preference optimisation learns task and preference in one go, from pairs, without a reference.

It learns from a prompt with a chosen and a rejected answer. The loss is that of supervised fine-tuning on
the chosen answer, plus λ times a penalty on the odds ratio: the chosen answer's odds should exceed the
rejected one's. There is no reference model, so it takes the memory and time of supervised fine-tuning on
both answers.

**When it fits.** There are pairs but few plain examples, or one training is all that can be afforded: it
starts from a base model and needs no supervised fine-tuning first. The likelihood term also makes it the
steadiest of the family on a model that was tuned already.

**When it fails.** Nothing holds it to the start except the likelihood term, so with bad chosen answers it
learns bad answers. With a small λ it is hardly more than supervised fine-tuning on the chosen answers. Like
that, it repeats the data rather than preferring among its own answers.

**Why these defaults.** λ = 0.1 and rates of 5e-6 to 8e-6 are the paper's for 7B models; it trains several
epochs where DPO trains one. As in the paper, the supervised term is over prompt and answer.

**Reads.** Preference rows. ORPO is Odds Ratio Preference Optimization: an offline preference loss, not
reinforcement learning. Paper: Hong et al., “ORPO: Monolithic Preference Optimization without Reference
Model”, arXiv 2403.07691.
"""

from studio.parameters import setting
from studio.techniques.base import TEN_TIMES, Suggestion, Technique, is_tiny, suggested
from studio.techniques.metrics import Healthy, MetricInfo
from studio.techniques.preference import (
    PREFERRED,
    PreferenceParameters,
    likelihood_of_chosen,
    on_the_starter,
    preference_metrics,
)


class ORPOParameters(PreferenceParameters):
    learning_rate: float = setting(
        8e-6,
        "Learning rate",
        "How far each step moves the weights. As it also learns the task, ORPO takes more than DPO.",
        source="arXiv 2403.07691, section 5",
        basic=True,
        gt=0,
        le=1,
    )
    beta: float = setting(
        0.1,
        "λ",
        "Weight of the odds ratio beside the supervised loss. TRL calls it beta.",
        source="arXiv 2403.07691, eq. 6",
        basic=True,
        gt=0,
        le=100,
    )


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    full = adapter == "full"
    if is_tiny(size):
        own = {"learning_rate": 1e-3, "beta": 0.3} if full else {"learning_rate": 5e-3, "beta": 1.0}
        return on_the_starter(num_train_epochs=2.0, **own)
    paper = "arXiv 2403.07691, section 5, for models of 2.7B and 7B; none larger was tried"
    rate = suggested(paper, learning_rate=8e-6) if full else suggested(TEN_TIMES, learning_rate=8e-5)
    epochs = "The studio's choice for all sizes: as it learns the task too, it takes more than DPO's one"
    return rate | suggested(epochs, num_train_epochs=3.0)


TECHNIQUE = Technique(
    name="orpo",
    title="ORPO",
    full_name="Odds Ratio Preference Optimization",
    summary="Learns the task and the preference at once, from pairs, without a reference model.",
    group="Preference",
    phase=3,
    shapes=("preference",),
    reads="pairs",
    trainer="worker.trainers.reference_free:ORPOTrainer",
    config="worker.trainers.reference_free:ORPOConfig",
    parameters=ORPOParameters,
    fixed={"remove_unused_columns": False},
    suggestions=suggestions,
    handbook=__doc__,
    headline=PREFERRED,
    metrics=preference_metrics(
        likelihood_of_chosen(),
        MetricInfo(
            "log_odds_chosen",
            "Log odds ratio",
            "Preference",
            "By how much the chosen answers' log odds exceed the rejected ones'. Should grow above zero.",
            healthy=Healthy("Below 0 the rejected answers are the likelier ones", low=0),
        ),
        MetricInfo(
            "log_odds_ratio",
            "Odds ratio loss",
            "Loss",
            "log σ of the log odds ratio: rises towards zero as preferences are learned.",
            healthy=Healthy("log σ(0) = −0.69, where both answers are equally likely", low=-0.69),
        ),
    ),
    aliases=("odds ratio", "odds ratio preference optimisation", "monolithic", "reference-free"),
    paper="arXiv 2403.07691",
    order=130,
)
