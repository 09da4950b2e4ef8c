"""What the preference techniques share: settings, charts, and rates by model size. No technique itself.

All of them learn offline, from answers that people (or graders) compared or judged, without generating any.
Their common danger is over-optimisation: the margin goes on growing while the answers get worse. Hence the
defaults here: low rates, one epoch, and the checkpoint that did best on held-out pairs.
"""

from typing import Any

from studio.parameters import setting
from studio.techniques.base import ON_THE_STARTER, TEN_TIMES, RowParameters, Suggestion, suggested
from studio.techniques.metrics import KNOWS_THE_LANGUAGE, Healthy, MetricInfo, common_metrics

LARGE = 60_000_000_000  # parameters; recipes that change with size change at 70B


class PreferenceParameters(RowParameters):
    """Settings of techniques that learn from compared or judged answers."""

    learning_rate: float = setting(
        5e-7,
        "Learning rate",
        "How far each step moves the weights. Preference losses want far less than supervised fine-tuning: "
        "when answers get worse while the margin grows, lower it first.",
        source="Zephyr (arXiv 2310.16944), Tulu 3 (arXiv 2411.15124): 5e-7 for full fine-tuning",
        basic=True,
        gt=0,
        le=1,
    )
    num_train_epochs: float = setting(
        1.0,
        "Epochs",
        "How often the whole dataset is seen. More than a few over-optimise. Ignored when a maximum of steps "
        "is set.",
        source="DPO (arXiv 2305.18290) and Tulu 3 train one",
        basic=True,
        gt=0,
        le=1000,
    )
    keep_best: bool = setting(
        True,
        "Keep the best",
        "The result is the checkpoint that did best on the held-out data, not the last one: the guard "
        "against over-optimisation. Checkpoints are then made at each evaluation.",
        source="Gao et al., arXiv 2210.10760: the true score rises, then falls, as the proxy grows",
        ours=True,
    )


class ReferencedParameters(PreferenceParameters):
    """Settings of those that measure against the model they started from."""

    precompute_ref_log_probs: bool = setting(
        False,
        "Reference computed beforehand",
        "Computes what the starting model says of all rows before training, so that it need not stay in "
        "memory. For full fine-tuning; an adapter needs no second model anyway.",
        source="TRL DPOConfig default",
    )


def rate_of_dpo(adapter: str, size: int | None) -> dict[str, Suggestion]:
    """The learning rate of DPO and its nearest kin."""
    is_large = size is not None and size >= LARGE
    if adapter != "full":
        return suggested(TEN_TIMES, learning_rate=2e-6 if is_large else 5e-6)
    if is_large:
        return suggested("DPO in Tulu 3 (arXiv 2411.15124): 2e-7 for 70B and 405B", learning_rate=2e-7)
    source = "DPO in Zephyr (arXiv 2310.16944, 7B) and Tulu 3 (arXiv 2411.15124, 8B): 5e-7"
    return suggested(source, learning_rate=5e-7)


def on_the_starter(**values: Any) -> dict[str, Suggestion]:
    """What a tiny model wants: `values` of the technique's own, and short rows and runs."""
    shared = {"per_device_train_batch_size": 16, "max_length": 256, "eval_steps": 10}
    return suggested(ON_THE_STARTER, **shared | values)


# Which answer is preferred, and by how much.
PREFERRED = ("rewards/accuracies", "eval_rewards/accuracies", "rewards/margins")


def preference_metrics(*more: MetricInfo, nats: str = "") -> list[MetricInfo]:
    """What every trainer on pairs logs, and `more` of its own."""
    return [
        *common_metrics(),
        MetricInfo(
            "rewards/accuracies",
            "Reward accuracy",
            "Preference",
            "Share of pairs in which the chosen answer has the higher reward. One half is chance; a share "
            "that stays at 1 has nothing left to teach.",
            healthy=Healthy("One half is chance; before anything has moved it may be less", low=0.5),
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "rewards/margins",
            "Reward margin",
            "Preference",
            "How much higher the chosen answer's reward is. Should grow, then flatten; one that grows "
            "without end is over-optimisation.",
            healthy=Healthy("Below 0 the rejected answers are the ones preferred", low=0),
        ),
        MetricInfo(
            "rewards/chosen",
            "Reward of chosen answers",
            "Preference",
            "How much likelier than at the start, times β. Falling well below zero means that the margin is "
            "bought by unlearning good answers too.",
        ),
        MetricInfo(
            "rewards/rejected",
            "Reward of rejected answers",
            "Preference",
            "The same for the rejected answers. Should fall below that of the chosen ones.",
        ),
        MetricInfo(
            "logps/chosen",
            "Log-probability of chosen answers",
            "Likelihood",
            "How likely the model finds the chosen answers. Falling is a warning sign: lower the learning "
            "rate, or choose a technique with a likelihood term (Iterative RPO, ORPO).",
            unit="nats",
        ),
        MetricInfo(
            "logps/rejected",
            "Log-probability of rejected answers",
            "Likelihood",
            "How likely the model finds the rejected answers. Should fall faster than the chosen ones.",
            unit="nats",
        ),
        *more,
        MetricInfo(
            "mean_token_accuracy",
            "Token accuracy",
            "Likelihood",
            "Share of the chosen answers' tokens that the model would have written itself.",
            healthy=KNOWS_THE_LANGUAGE,
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "entropy",
            "Entropy",
            "Likelihood",
            "How undecided the model is about each token.",
            unit="nats",
        ),
        MetricInfo(
            "logits/chosen",
            "Logits of chosen answers",
            "Likelihood",
            "Mean raw output over the chosen answers. A steady drift warns of divergence.",
        ),
        MetricInfo(
            "logits/rejected",
            "Logits of rejected answers",
            "Likelihood",
            "The same over the rejected answers.",
        ),
        MetricInfo(
            "aux_loss",
            "Expert balance loss",
            "Loss",
            "Of mixture-of-experts models: how unevenly their experts are used.",
        ),
        MetricInfo("num_tokens", "Tokens seen", "Throughput", "Tokens trained on so far.", exact=True),
    ]


def likelihood_of_chosen() -> MetricInfo:
    return MetricInfo(
        "nll_loss",
        "Likelihood loss",
        "Loss",
        "The supervised part of the loss: what the chosen answers' tokens cost. Should fall.",
        unit="nats",
    )
