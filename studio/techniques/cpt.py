"""Continued pre-training goes on with what a base model was made by: predicting the next word, on your texts.

It learns the language of a field from running text without labels: its terms, its abbreviations, its way of
writing. It does not learn to answer; supervised fine-tuning must follow, and the guide always says so.

**When it fits.** The model stumbles over the vocabulary of the field, and there are tens of millions of
tokens of text. With less, supervised fine-tuning on the labelled examples brings more.

**When it fails.** It forgets. Without general text mixed in, abilities outside the field fade: that is what
replay is for, and why perplexity is measured on the field and on general text. Facts seen once are not
remembered; retrieval serves them better.

**Why these defaults.** Texts are cut into full sequences with nothing left out (“wrapped” packing), as in
pre-training. 5 % of replay kept most general ability in continued training under a small shift of domain
(Ibrahim et al., arXiv 2403.08763, section 4); the learning rate rises again from a low start and decays
(same paper). LoRA learns less of a field than full training, and forgets less (arXiv 2405.09673).

**Reads.** Plain text. A second dataset of general text or conversations can be replayed, a third measured.
"""

from typing import Literal

from studio.parameters import setting
from studio.techniques.base import Input, RowParameters, Suggestion, Technique, is_tiny, suggested
from studio.techniques.metrics import KNOWS_THE_LANGUAGE, Healthy, MetricInfo, common_metrics


class CPTParameters(RowParameters):
    replay_share: float = setting(
        0.05,
        "Replay",
        "Share of the text trained on that is general. Counts only where replay data is chosen.",
        source="arXiv 2403.08763, section 4: 5 % under a small shift of domain",
        basic=True,
        ge=0,
        le=0.9,
    )
    packing_strategy: Literal["wrapped", "bfd"] = setting(
        "wrapped",
        "Packing",
        "“wrapped” cuts the stream of text into full sequences; “bfd” fits whole texts together.",
        source="TRL: wrapped is for pre-training",
    )


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    """Rates by adapter and model size: a tiny model is trained like one being pretrained."""
    full = adapter == "full"
    if is_tiny(size):
        return suggested(
            "Measured on the starter model: benchmarks/behaviour/supervised.py",
            learning_rate=1e-3 if full else 5e-3,
            num_train_epochs=3.0,
            per_device_train_batch_size=8,
            max_length=256,
            warmup_ratio=0.05,
        )
    rate = (
        "The studio's choice for all sizes, within what arXiv 2405.09673 tries (1e-5 to 5e-4): a higher rate "
        "learns more of the field and forgets more (arXiv 2403.08763)"
    )
    return (
        suggested(rate, learning_rate=2e-5 if full else 1e-4)
        | suggested(
            "One pass, for all sizes; up to four cost little (arXiv 2305.16264)", num_train_epochs=1.0
        )
        | suggested(
            "LLaMA (arXiv 2302.13971) was pre-trained on sequences of 2,048 in all its sizes", max_length=2048
        )
    )


PERPLEXITY = "How many tokens the model hesitates between, on average: exp(loss). Lower is better."
READS_THE_LANGUAGE = Healthy(
    "GPT-2 with 117 million parameters reads corpora it never saw at 29 to 75 a word (its paper, table 3); "
    "far above, it is another language than the model's",
    high=100,
)

TECHNIQUE = Technique(
    name="cpt",
    title="Continued pre-training",
    full_name="Continued pre-training (domain-adaptive pre-training)",
    aliases=("continued pretraining", "domain adaptation", "dapt", "language modelling", "pretraining"),
    paper="arXiv 2004.10964",
    summary="Learns the language of a field from running text.",
    group="Supervised",
    phase=2,
    shapes=("text",),
    reads="text",
    trainer="worker.trainers.cpt:CPTTrainer",
    config="worker.trainers.cpt:CPTConfig",
    parameters=CPTParameters,
    handbook=__doc__,
    headline=("perplexity", "eval_perplexity", "eval_general_perplexity"),
    fixed={"packing": True},
    inputs=(
        Input(
            "replay_dataset",
            "General text to replay",
            "Mixed into the field's text so that the model keeps what it knew.",
            "dataset",
            ("text", "chat", "instruction"),
            required=False,
        ),
        Input(
            "general_dataset",
            "General text to measure",
            "Only measured, beside the held-out data: shows what is forgotten.",
            "dataset",
            ("text", "chat", "instruction"),
            required=False,
            measured=True,
        ),
    ),
    order=15,
    suggestions=suggestions,
    metrics=[
        *common_metrics(),
        MetricInfo(
            "perplexity", "Perplexity", "Perplexity", PERPLEXITY, healthy=READS_THE_LANGUAGE, better="lower"
        ),
        MetricInfo(
            "eval_perplexity",
            "Perplexity, held out",
            "Perplexity",
            PERPLEXITY,
            healthy=READS_THE_LANGUAGE,
            better="lower",
        ),
        MetricInfo(
            "eval_general_perplexity",
            "Perplexity of general text",
            "Perplexity",
            "The same on general text. If it rises while the field's falls, the model forgets: replay more.",
            better="lower",
        ),
        MetricInfo(
            "eval_general_loss",
            "Loss on general text",
            "Perplexity",
            "What the perplexity is made of.",
            better="lower",
        ),
        MetricInfo(
            "mean_token_accuracy",
            "Token accuracy",
            "Accuracy",
            "Share of tokens the model would have chosen.",
            healthy=KNOWS_THE_LANGUAGE,
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "entropy", "Entropy", "Accuracy", "How undecided the model is about each token.", unit="nats"
        ),
        MetricInfo(
            "eval_general_mean_token_accuracy",
            "Token accuracy, general text",
            "Accuracy",
            "On general text.",
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "eval_general_entropy", "Entropy, general text", "Accuracy", "On general text.", unit="nats"
        ),
        MetricInfo("num_tokens", "Tokens seen", "Throughput", "Tokens trained on so far.", exact=True),
    ],
)
