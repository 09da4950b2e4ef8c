"""What a technique is, and the settings every training shares. The worker carries it out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic import field_validator

from studio.adapters import Adapter
from studio.parameters import Parameters, about, setting
from studio.techniques.metrics import MetricInfo, common_metrics, gauges, in_order

Switch = Literal["auto", "on", "off"]
TINY = 50_000_000  # parameters; below, a model is trained like one being pretrained

# Sources of more than one technique.
TRANSFORMERS = "transformers TrainingArguments default"
TEN_TIMES = (
    "Ten times the rate of full fine-tuning, for all sizes (“LoRA Without Regret”, Thinking Machines, 2025)"
)
ON_THE_STARTER = "Single trials on the starter model, whose runs are short"

# Samples are numbered by their prompt; from here on they are answers that the trainer itself made and graded.
OVERHEARD = 1000


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
        source=TRANSFORMERS,
        basic=True,
        gt=0,
        le=1000,
    )
    per_device_train_batch_size: int = setting(
        8,
        "Batch size",
        "Rows per step on each device. Larger is steadier and needs more memory.",
        source=TRANSFORMERS,
        basic=True,
        ge=1,
        le=4096,
    )
    max_steps: int = setting(
        -1,
        "Maximum of steps",
        "Stop after this many steps; -1 means the epochs decide.",
        source=TRANSFORMERS,
        ge=-1,
        le=10_000_000,
    )
    gradient_accumulation_steps: int = setting(
        1,
        "Gradient accumulation",
        "Batches added up before one step: the effect of a larger batch without its memory.",
        source=TRANSFORMERS,
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
        ours=True,
        ge=0,
        lt=1,  # transformers reads 1 and more as a number of steps
    )
    weight_decay: float = setting(
        0.0, "Weight decay", "Pulls weights towards zero.", source=TRANSFORMERS, ge=0, le=1
    )
    max_grad_norm: float = setting(
        1.0,
        "Gradient clip",
        "Longer gradients are shortened to this norm.",
        source=TRANSFORMERS,
        gt=0,
        le=1000,
    )
    logging_steps: int = setting(
        1,
        "Log every",
        "Steps between two points of a chart.",
        unit="steps",
        source="The studio's choice: a curve from the first step on (transformers logs every 500)",
        ge=1,
    )
    save_steps: int = setting(
        50,
        "Checkpoint every",
        "Steps between checkpoints; at most these many are repeated after a crash.",
        unit="steps",
        source="The studio's choice: on small data, transformers' 500 may be the whole run",
        ge=1,
    )
    eval_steps: int = setting(
        50,
        "Evaluate every",
        "Steps between looks at the held-out data, where there is some.",
        unit="steps",
        source="The studio's choice: with each checkpoint, so that the best one can be kept",
        ge=1,
    )
    save_total_limit: int = setting(
        2,
        "Checkpoints kept",
        "Older ones are removed.",
        source="The studio's choice: the newest, and the best or the one before (transformers keeps all)",
        ge=1,
        le=100,
    )
    keep_best: bool = setting(
        False,
        "Keep the best",
        "The result is the checkpoint that did best on the held-out data, not the last one. Checkpoints are "
        "then made at each evaluation.",
        source="load_best_model_at_end is off in transformers TrainingArguments too",
        ours=True,
    )
    early_stopping: int = setting(
        0,
        "Stop early after",
        "Evaluations without an improvement after which training ends. 0: never. Keeps the best.",
        unit="evaluations",
        source="The studio's choice: off, as in transformers, so that a run ends where it was told to",
        ours=True,
        ge=0,
        le=1000,
    )
    eval_rows: int = setting(
        200,
        "Held-out rows looked at",
        "Rows of the held-out data measured during training; more is steadier and slower.",
        unit="rows",
        source="The studio's choice: a share measured on 200 rows is right to within 7 points (95 %)",
        ours=True,
        ge=1,
        le=1_000_000,
    )
    sample_prompts: int = setting(
        6,
        "Sample prompts",
        "Prompts answered before, during and after training, from the held-out data if there is some. "
        "0: none.",
        source="The studio's choice: as many as one looks at",
        ours=True,
        ge=0,
        le=64,
    )
    sample_tokens: int = setting(
        128,
        "Sample length",
        "Longest sample.",
        unit="tokens",
        source="The studio's choice: a paragraph, in seconds even on a CPU",
        ours=True,
        ge=1,
        le=4096,
    )
    sample_steps: int = setting(
        -1,
        "Sample every",
        "Steps between samples during training. 0: only before and after; -1: four times in between.",
        unit="steps",
        source="The studio's choice: one sees what changed when; answering stops training, so it is rare",
        ours=True,
        ge=-1,
        le=1_000_000,
    )
    activation_checkpointing: Switch = setting(
        "auto",
        "Activation checkpointing",
        "Recomputes activations instead of storing them: less memory, slower. Auto: on where the estimate "
        "says that it would not fit otherwise.",
        source="The studio's choice: paid for in time only where memory is short (arXiv 1604.06174: one more "
        "forward pass)",
        ours=True,
    )
    bf16: Switch = setting(
        "auto",
        "bfloat16",
        "Half-precision training. Auto: on where the GPU has it, off on a CPU.",
        source="TRL trains in bfloat16 too where fp16 is not asked for; on a CPU it is slower",
        ours=True,
    )
    dataloader_num_workers: int = setting(
        0,
        "Loader processes",
        "Processes that make rows ready while the device trains. 0: the trainer does it itself, which is "
        "enough unless it waits for data.",
        unit="processes",
        source=TRANSFORMERS,
        ge=0,
        le=64,
    )
    torch_compile: Switch = setting(
        "auto",
        "Compile",
        "Lets torch compile the model. Auto: on a GPU, for long runs with packed rows.",
        source="The studio's choice: only a long run over rows of one length earns the compiling back",
        ours=True,
    )
    liger: Switch = setting(
        "auto",
        "Liger kernels",
        "Fused GPU kernels: less memory. Auto: on where installed.",
        source="Liger Kernel, arXiv 2410.10989: the same results with less memory",
        ours=True,
    )

    @field_validator("activation_checkpointing", mode="before")
    @classmethod
    def _once_a_boolean(cls, value: Any) -> Any:
        """Runs of earlier versions stored true or false."""
        return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


# A technique that gives one of these another default need not say again that it is the studio's.
OURS = {name for name, field in TrainingParameters.model_fields.items() if about(field).get("ours")}


class RowParameters(TrainingParameters):
    """Settings of techniques that read whole rows, so that a row has a longest length."""

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


@dataclass(frozen=True)
class Input:
    """Something a technique reads besides its model and its dataset. `name` is also the argument under which
    the trainer gets it: `teacher_model`, `replay_dataset`. `measured` is data that is only looked at during
    training, and no more of it than of held-out data."""

    name: str
    title: str
    help: str
    kind: Literal["model", "dataset"]
    shapes: tuple[str, ...] = ()
    required: bool = True
    measured: bool = False

    def most(self, given: dict[str, Any]) -> int | None:
        """How many of its rows are read under these settings; None: all."""
        return given["eval_rows"] if self.measured else None


class Suggestion(NamedTuple):
    """A value that takes the place of the class's default, and who says so or why."""

    value: Any
    source: str


def suggested(source: str, **values: Any) -> dict[str, Suggestion]:
    """These settings, all from one source."""
    return {name: Suggestion(value, source) for name, value in values.items()}


def is_tiny(size: int | None) -> bool:
    return size is not None and size < TINY


HEADLINE = ("loss", "eval_loss")  # what most runs are judged by

ModelKind = Literal["language", "reward", "embedding", "classifier"]

# What a trainer's rows look like; `studio.rows` makes them from each shape.
Reads = Literal["answers", "pairs", "labelled", "rated", "prompts", "text", "passages", "classes"]


@dataclass(frozen=True)
class Technique:
    """One way to tune a model. `trainer` and `config` are resolved only by the worker (`"trl:SFTTrainer"`).

    `fixed` are the trainer's arguments that make it this technique; `graded` ones learn from a reward that
    the run's graders give; `reference` ones measure against the model they started from, which the trainer
    reads again from its folder. `headline` are the metrics a run is judged by while it trains, the first one
    first, as far as they are logged."""

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
    reads: Reads = "answers"
    metrics: list[MetricInfo] = field(default_factory=common_metrics)
    held_out_shapes: tuple[str, ...] = ()  # further shapes that can measure but not teach
    full_name: str = ""
    aliases: tuple[str, ...] = ()
    paper: str = ""
    inputs: tuple[Input, ...] = ()
    graded: bool = False
    fixed: dict[str, Any] = field(default_factory=dict)
    arguments: Callable[[dict[str, Any], str], dict[str, Any]] = lambda given, shape: {}
    """(validated settings, shape of the rows) → further arguments of the trainer; they win."""
    model: ModelKind = "language"
    reference: bool = False
    adapters: tuple[str, ...] = ()  # the only ones that fit; empty: all
    headline: tuple[str, ...] = HEADLINE
    best_by: tuple[str, Literal["lower", "higher"]] = ("eval_loss", "lower")
    order: int = 100
    suggestions: Callable[[str, int | None], dict[str, Suggestion]] = lambda adapter, size: {}
    """(adapter name, model parameters) → the settings for which this model wants another value."""

    def __post_init__(self) -> None:
        """The worker's own readings are among what the trainer logs."""
        object.__setattr__(self, "metrics", in_order([*self.metrics, *gauges()], self.headline))

    def suggest(self, adapter: str, size: int | None) -> dict[str, Any]:
        """The values of `suggestions`."""
        return {name: each.value for name, each in self.suggestions(adapter, size).items()}

    def trainer_arguments(self, given: dict[str, Any], shape: str, *, measured: bool) -> dict[str, Any]:
        """The arguments of `config` that follow from validated settings; `measured` says that there is
        held-out data. The run's folder, its seed and what the machine can do are the worker's to add."""
        fields = self.parameters.model_fields
        theirs = [name for name in given if name not in OURS and not about(fields[name]).get("ours")]
        kept = {name: given[name] for name in theirs}
        warmup = {"warmup_steps": given["warmup_ratio"]}  # below 1 it is a share (transformers 5)
        found = kept | warmup | self.fixed | self.arguments(given, shape)
        return found | (
            self._measuring(given, found) if measured else {"eval_strategy": "no", "eval_steps": None}
        )

    def _measuring(self, given: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        found = {
            "eval_strategy": "steps",
            "eval_on_start": True,  # gain and forgetting are told from where the model began
            "per_device_eval_batch_size": found.get(
                "per_device_eval_batch_size", found["per_device_train_batch_size"]
            ),
        }
        if not (given["keep_best"] or given["early_stopping"]):
            return found
        metric, better = self.best_by
        return found | {
            "load_best_model_at_end": True,
            "metric_for_best_model": metric,
            "greater_is_better": better == "higher",
            "save_steps": given["eval_steps"],  # the best must be among the checkpoints
        }

    def starts_whole(self, adapter: Adapter) -> bool:
        """Whether the start has to lie in a folder as whole weights, because it is read there once more: as
        the trainer's reference, by an exported classifier, or in fewer bits."""
        twice = (self.reference and not adapter.peft) or self.model == "classifier"
        return twice or adapter.bits is not None

    def fits_adapter(self, name: str) -> bool:
        return name in self.adapters if self.adapters else name != "frozen"
