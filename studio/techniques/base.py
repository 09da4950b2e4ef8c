"""What a technique is, and the settings every training shares. The worker carries it out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from studio.parameters import Parameters, setting


class TrainingParameters(Parameters):
    """Settings of every technique. Names and meanings are those of transformers' TrainingArguments."""

    learning_rate: float = setting(
        2e-5,
        "Learning rate",
        "How far each step moves the weights. Too high and the loss jumps; too low and nothing is learned.",
        source="TRL SFTConfig default",
        basic=True,
        gt=0,
        le=1,
    )
    num_train_epochs: float = setting(
        3.0,
        "Epochs",
        "How often the whole dataset is seen. Ignored when a maximum of steps is set.",
        source="transformers TrainingArguments default",
        basic=True,
        gt=0,
        le=1000,
    )
    per_device_train_batch_size: int = setting(
        8,
        "Batch size",
        "Rows per step on each device. Larger is steadier and needs more memory.",
        source="transformers TrainingArguments default",
        basic=True,
        ge=1,
        le=4096,
    )
    max_length: int = setting(
        1024,
        "Longest row",
        "Rows longer than this lose their end.",
        unit="tokens",
        source="TRL SFTConfig default",
        basic=True,
        ge=16,
        le=1_000_000,
    )
    max_steps: int = setting(
        -1,
        "Maximum of steps",
        "Stop after this many steps; -1 means the epochs decide.",
        ge=-1,
        le=10_000_000,
    )
    gradient_accumulation_steps: int = setting(
        1,
        "Gradient accumulation",
        "Batches added up before one step: the effect of a larger batch without its memory.",
        source="transformers TrainingArguments default",
        ge=1,
        le=1024,
    )
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = setting(
        "cosine",
        "Learning-rate schedule",
        "How the learning rate falls during the run.",
        source="QLoRA and most SFT recipes decay; cosine is the common choice",
    )
    warmup_ratio: float = setting(
        0.03,
        "Warm-up",
        "Share of the steps in which the learning rate rises from zero.",
        source="QLoRA, arXiv 2305.14314, table 9",
        ge=0,
        le=1,
    )
    weight_decay: float = setting(0.0, "Weight decay", "Pulls weights towards zero.", ge=0, le=1)
    max_grad_norm: float = setting(
        1.0,
        "Gradient clip",
        "Longer gradients are shortened to this norm.",
        source="transformers TrainingArguments default",
        gt=0,
        le=1000,
    )
    logging_steps: int = setting(1, "Log every", "Steps between two points of a chart.", unit="steps", ge=1)
    save_steps: int = setting(
        50,
        "Checkpoint every",
        "Steps between checkpoints; at most these many are repeated after a crash.",
        unit="steps",
        ge=1,
    )
    eval_steps: int = setting(
        50,
        "Evaluate every",
        "Steps between looks at the held-out data, where there is some.",
        unit="steps",
        ge=1,
    )
    eval_rows: int = setting(
        200,
        "Held-out rows looked at",
        "Rows of the held-out data measured during training; more is steadier and slower.",
        unit="rows",
        ge=1,
        le=1_000_000,
    )
    save_total_limit: int = setting(2, "Checkpoints kept", "Older ones are removed.", ge=1, le=100)
    sample_prompts: int = setting(
        6,
        "Sample prompts",
        "Prompts answered before and after training, from the held-out data if there is some. 0: none.",
        ge=0,
        le=64,
    )
    sample_tokens: int = setting(128, "Sample length", "Longest sample.", unit="tokens", ge=1, le=4096)
    activation_checkpointing: bool = setting(
        False,
        "Activation checkpointing",
        "Recomputes activations instead of storing them: less memory, slower.",
    )
    bf16: Literal["auto", "on", "off"] = setting(
        "auto", "bfloat16", "Half-precision training. Auto: on where the GPU has it, off on a CPU."
    )


@dataclass(frozen=True)
class MetricInfo:
    """A metric a technique logs: how to title it, where to group it, and what a healthy value looks like."""

    key: str
    title: str
    group: str
    help: str
    unit: str = ""
    exact: bool = False  # drawn as it is: smoothing a schedule or a count would only falsify it
    healthy: tuple[float | None, float | None] = (None, None)


def common_metrics() -> list[MetricInfo]:
    return [
        MetricInfo("loss", "Loss", "Loss", "What training minimises. Should fall, then flatten."),
        MetricInfo(
            "eval_loss",
            "Held-out loss",
            "Loss",
            "The loss on rows the model does not train on. When it rises while the loss falls, it memorises.",
        ),
        MetricInfo("learning_rate", "Learning rate", "Optimiser", "The step size in force.", exact=True),
        MetricInfo(
            "grad_norm",
            "Gradient norm",
            "Optimiser",
            "How strongly the data pulls on the weights. Sudden peaks warn of too high a learning rate.",
        ),
    ]


@dataclass(frozen=True)
class Technique:
    """One way to tune a model. `trainer` is resolved only by the worker (`"trl:SFTTrainer"`)."""

    name: str
    title: str
    summary: str
    group: str
    phase: int
    shapes: tuple[str, ...]
    trainer: str
    config: str
    parameters: type[TrainingParameters]
    handbook: str
    metrics: list[MetricInfo] = field(default_factory=common_metrics)
    held_out_shapes: tuple[str, ...] = ()  # further shapes that can measure but not teach
    needs: tuple[str, ...] = ()
    order: int = 100
    suggest: Callable[[str, int | None], dict[str, Any]] = lambda adapter, size: {}
    """(adapter name, model parameters) → the settings that differ from the class's defaults."""
