"""Supervised fine-tuning teaches a model to answer as your examples do.

It learns from pairs of a prompt and the one right answer, by raising the probability of each token of that
answer. It is the first technique to try once prompt engineering has been measured: it fixes format, terms,
and tasks that have one right output per input.

**When it fits.** 500 to 5,000 good examples, consistent with one another. A few hundred careful ones
beat thousands that contradict each other.

**When it fails.** It cannot say what is *better* of two acceptable answers (preference alignment does),
it does not add facts reliably (retrieval does), and it copies the mistakes in the data faithfully.

**Why these defaults.** Only the answer's tokens count in the loss, since the prompt is given at use. LoRA
takes about ten times the learning rate of full fine-tuning ("LoRA Without Regret", Thinking Machines, 2025).
Very small models, such as the built-in starter, need a far higher rate than large ones
(measured: `benchmarks/sft_sample.py`).

**Reads.** Chat, prompt/completion, preference rows (the chosen answer), or labelled texts (it learns to say
the label).
"""

from typing import Any, Literal

from studio.parameters import setting
from studio.techniques.base import RowParameters, Suggestion, Technique, is_tiny, suggested
from studio.techniques.metrics import KNOWS_THE_LANGUAGE, MetricInfo, common_metrics

UP_TO_13B = 14_000_000_000  # parameters, generously counted: above, QLoRA halves its rate


class SFTParameters(RowParameters):
    loss_on: Literal["answers", "everything"] = setting(
        "answers",
        "Learn from",
        "“answers”: only the assistant's words count in the loss. “everything”: the prompt too.",
        source="Answers alone is what instruction tuning measures at use",
        ours=True,
    )
    thinking: Literal["learn", "drop"] = setting(
        "learn",
        "Reasoning",
        "Where answers come with reasoning: learn it before the answer, in <think> tags, or drop it.",
        source="Qwen3 and DeepSeek-R1 write it so; their chat templates take it out of earlier turns",
        ours=True,
    )
    packing: bool = setting(
        False,
        "Packing",
        "Puts several short rows into one sequence: up to 3.4 times faster on short rows, on a GPU.",
        source="TRL SFTConfig default",
    )
    neftune_noise_alpha: float = setting(
        0.0,
        "NEFTune noise",
        "Noise on the embeddings; 5 has helped chat models. 0 turns it off.",
        source="arXiv 2310.05914",
        ge=0,
        le=50,
    )


def arguments(given: dict[str, Any], shape: str) -> dict[str, Any]:
    """Whole conversations are masked by the template, prompt and completion by where one ends."""
    only_answers, is_chat = given["loss_on"] == "answers", shape == "chat"
    return {
        "assistant_only_loss": only_answers and is_chat,
        "completion_only_loss": None if is_chat else only_answers,
        "neftune_noise_alpha": given["neftune_noise_alpha"] or None,
    }


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    """Rates by adapter and model size: a tiny model is trained like one being pretrained."""
    full = adapter == "full"
    if is_tiny(size):
        return suggested(
            "Measured on the starter model: benchmarks/sft_sample.py",
            learning_rate=2e-3 if full else 1e-2,
            num_train_epochs=8.0 if full else 10.0,
            per_device_train_batch_size=16,
            max_length=256,
            warmup_ratio=0.08,
        )
    if full:
        source = (
            "Llama 2 (arXiv 2307.09288, section 3.1): 2e-5 from 7B to 70B. Tulu 3 (arXiv 2411.15124), with "
            "far more data, goes lower: 5e-6 for 8B, 2e-6 for 70B"
        )
        return suggested(source, learning_rate=2e-5)
    if size is not None and size > UP_TO_13B:
        return suggested("QLoRA (arXiv 2305.14314), table 9: 1e-4 for 33B and 65B", learning_rate=1e-4)
    return suggested("QLoRA (arXiv 2305.14314), table 9: 2e-4 for 7B and 13B", learning_rate=2e-4)


TECHNIQUE = Technique(
    name="sft",
    title="Supervised fine-tuning",
    summary="Learns to answer as your examples do.",
    group="Supervised",
    phase=2,
    shapes=("chat", "instruction", "preference", "classification"),
    held_out_shapes=("prompt",),
    trainer="trl:SFTTrainer",
    config="trl:SFTConfig",
    parameters=SFTParameters,
    handbook=__doc__,
    order=10,
    arguments=arguments,
    suggestions=suggestions,
    metrics=[
        *common_metrics(),
        MetricInfo(
            "mean_token_accuracy",
            "Token accuracy",
            "Accuracy",
            "Share of answer tokens the model would have chosen itself.",
            healthy=KNOWS_THE_LANGUAGE,
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "eval_mean_token_accuracy",
            "Held-out token accuracy",
            "Accuracy",
            "The same on rows the model does not train on.",
            healthy=KNOWS_THE_LANGUAGE,
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "entropy",
            "Entropy",
            "Accuracy",
            "How undecided the model is about each token; falls as it learns.",
            unit="nats",
        ),
        MetricInfo(
            "eval_entropy",
            "Held-out entropy",
            "Accuracy",
            "The same on rows the model does not train on.",
            unit="nats",
        ),
        MetricInfo("num_tokens", "Tokens seen", "Throughput", "Tokens trained on so far.", exact=True),
    ],
)
