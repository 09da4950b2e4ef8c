"""What a run asks of memory: its technique, adapter and settings, said as one training step (`Setup`).

The only place of the estimate that knows techniques. A new one needs nothing here unless its trainer holds
memory in a way that no other does: what it reads, whether it is graded, keeps a reference and takes further
models says the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio.adapters import Adapter
from studio.estimate.activations import LoRA, Pass, Precision
from studio.estimate.architecture import Architecture, read
from studio.estimate.device import Device
from studio.estimate.quantities import said
from studio.estimate.training import Copy, Generation, Head, Setup, peak, trained_weights
from studio.techniques import Technique

PROMPT = 256  # tokens of a prompt, where nothing is known of them
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)  # bytes of a weight in NormalFloat 4 with double quantisation, 2305.14314
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")

# Sequences that go through the model for each row of a batch.
SEQUENCES = {"pairs": 2, "rated": 2}
# Trainers whose loss needs the logits as a whole; all others of TRL 1.16 work in tiles.
WITH_LOGITS = ("ORPOTrainer", "CPOTrainer")
# Trainers that do so on a CPU, where it is faster.
WITH_LOGITS_ON_CPU = ("PPOTrainer",)
# Trainers that compare with a teacher's distribution, outside of autocast.
WITH_TEACHER = ("distil",)
# Trainers that train a value model beside the policy, and hold the reference themselves.
WITH_CRITIC = ("PPOTrainer",)


@dataclass(frozen=True)
class Request:
    """All that an estimate is made from. `settings` and `adapter_settings` are complete; `weights` is the
    model's true number of weights, 0 where only its config.json is known; `longest` and `prompt` are the
    tokens of the longest row and prompt, 0 where unknown; `others` configs of further models, by input."""

    technique: Technique
    adapter: Adapter
    config: Mapping[str, Any]
    settings: dict[str, Any]
    adapter_settings: dict[str, Any]
    device: Device
    weights: int = 0
    longest: int = 0
    prompt: int = 0
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def with_settings(self, **settings: Any) -> "Request":
        return replace(self, settings=self.settings | settings)


@dataclass(frozen=True)
class Demand:
    """The step, what was decided or assumed on the way, and why."""

    setup: Setup
    device: Device
    notes: tuple[str, ...] = ()


def demand(request: Request) -> Demand:
    """The training step of a request. Activation checkpointing on "auto" is off where the run fits so."""
    notes: list[str] = []
    setup = _setup(request, notes)
    wish = request.settings.get("activation_checkpointing", "off")
    if wish == "auto" and request.device.memory and _total(setup, request.device) > request.device.memory:
        setup = replace(setup, checkpointing=True)
        notes.append("Activation checkpointing is counted on: without it the run would not fit.")
    # Where memory is short enough for checkpointing, a CPU's allocator is told to give it back.
    device = replace(request.device, returns=request.device.returns or setup.checkpointing)
    return Demand(setup, device, tuple(notes))


def _total(setup: Setup, device: Device) -> float:
    heaviest = peak(setup)
    return heaviest.total + device.framework()[0] + device.slack(setup, heaviest)[0]


def _setup(request: Request, notes: list[str]) -> Setup:
    model = read(request.config)
    weights = request.weights or model.weights()
    settings, technique = request.settings, request.technique
    half = uses_bf16(settings, request.device)
    forward = _pass(request, model, half, notes)
    frozen = technique.model == "classifier"
    trained = 0 if frozen else weights if forward.lora is None else trained_weights(model, forward)
    width = 2 if half and forward.lora is None else 4
    each = _bytes_each(request, model, weights, half)
    return Setup(
        forward=forward,
        weights=weights,
        trained=trained,
        weight_bytes=each,
        width=width,
        head=_head(request),
        scored=_scored(request, forward),
        triton=request.device.is_gpu and request.device.triton,
        checkpointing=frozen or settings.get("activation_checkpointing") == "on",
        accumulates=settings.get("gradient_accumulation_steps", 1) > 1 or _one_at_a_time(request),
        copies=_copies(request, forward, weights, each, trained, notes),
        generation=_generation(request, notes),
    )


def uses_bf16(settings: Mapping[str, Any], device: Device) -> bool:
    """Whether a run computes in bfloat16: as wished, else where the device is a GPU that has it."""
    wish = settings.get("bf16", "auto")
    return wish == "on" or (wish == "auto" and device.is_gpu and device.bf16)


def _bytes_each(request: Request, model: Architecture, weights: int, half: bool) -> float:
    """Bytes of a weight of the base. Four-bit ones leave embeddings, head and norms as they are."""
    usual = 2 if half else 4
    if request.adapter.bits != 4:
        return usual
    matrices = min(weights, model.layer_weights())
    return (matrices * NF4 + (weights - matrices) * usual) / weights


def _pass(request: Request, model: Architecture, half: bool, notes: list[str]) -> Pass:
    settings, reads = request.settings, request.technique.reads
    batch = int(settings.get("per_device_train_batch_size", 8))
    precision: Precision = "bfloat16" if half else "float32"
    lora = _lora(request, model)
    if reads == "prompts" and not _from_answers(request):
        length = _prompt(request, notes) + int(settings.get("max_completion_length", 256))
        casts = not _runs(request.technique, WITH_TEACHER)
        return Pass(model, batch, length, precision, lora, autocast=casts)
    rows = batch * _sequences(request)
    if reads == "passages" and settings.get("cached_rows"):  # GradCache: some rows at a time
        rows = min(rows, int(settings["cached_rows"]))
    length = _length(request)
    masked = rows > 1 and not request.device.flash
    if _packs(settings):
        if settings.get("packing_strategy") == "wrapped":
            return Pass(model, rows, length, precision, lora, masked=False)
        if request.device.flash:  # end to end in one sequence
            return Pass(model, 1, rows * length, precision, lora, masked=False)
        if _one_at_a_time(request):  # see `worker.hardware`
            return Pass(model, 1, length, precision, lora, masked=True)
        return Pass(model, 1, rows * length, precision, lora, masked=True)
    return Pass(model, rows, length, precision, lora, masked=masked)


def _one_at_a_time(request: Request) -> bool:
    """Packed rows where attention would need a mask of all tokens of a batch against all."""
    wrapped = request.settings.get("packing_strategy") == "wrapped"
    alone = request.device.is_gpu and not request.device.flash and _packs(request.settings)
    return alone and not wrapped and int(request.settings.get("per_device_train_batch_size", 8)) > 1


def _packs(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("packing") or settings.get("packing_strategy"))


def _length(request: Request) -> int:
    """Tokens of the longest row: what the settings allow, or less where the data is known to be shorter."""
    allowed = int(request.settings.get("max_length", 1024))
    known = request.longest and not _packs(request.settings)
    return min(allowed, request.longest) if known else allowed


def _sequences(request: Request) -> int:
    if request.technique.reads == "passages":
        return 2 + int(request.settings.get("hard_negatives", 0))
    if request.technique.reads == "rated" and request.settings.get("ratings") == "scores":
        return 1
    return SEQUENCES.get(request.technique.reads, 1)


def _lora(request: Request, model: Architecture) -> LoRA | None:
    if not request.adapter.peft:
        return None
    given = request.adapter_settings
    every = tuple(linear.name for linear in model.linears())
    wished = given.get("target_modules", "all-linear")
    targets = ATTENTION if wished == "attention" else every if wished == "all-linear" else tuple(wished)
    return LoRA(
        rank=int(given.get("r", 16)),
        targets=targets,
        dropout=float(given.get("lora_dropout", 0.0)),
        dora=bool(dict(request.adapter.fixed).get("use_dora")),
    )


def _head(request: Request) -> Head:
    technique = request.technique
    if technique.model != "language":
        return "none"
    if _runs(technique, WITH_TEACHER) and not _from_answers(request):
        return "divergence"
    whole = WITH_LOGITS if request.device.is_gpu else WITH_LOGITS + WITH_LOGITS_ON_CPU
    return "logits" if _runs(technique, whole) else "fused"


def _scored(request: Request, forward: Pass) -> int:
    """Of a generated answer, its own tokens; of a row it is not known."""
    if request.technique.reads != "prompts" or _from_answers(request):
        return 0
    return forward.rows * int(request.settings.get("max_completion_length", 256))


def _runs(technique: Technique, trainers: tuple[str, ...]) -> bool:
    return technique.trainer.rpartition(":")[2] in trainers


def from_answers(technique: Technique, settings: Mapping[str, Any]) -> bool:
    """Distillation from the teacher's answers is supervised training once these are there."""
    return settings.get("mode") == "answers" and technique.reads == "prompts"


def _from_answers(request: Request) -> bool:
    return from_answers(request.technique, request.settings)


def _prompt(request: Request, notes: list[str]) -> int:
    if not request.prompt:
        notes.append(f"Prompts are taken to be {PROMPT} tokens long; longer ones need more.")
    return request.prompt or PROMPT


def _generation(request: Request, notes: list[str]) -> Generation | None:
    """Answers are written a whole generation at a time: batch × accumulation × updates per generation."""
    if request.technique.reads != "prompts":
        return None
    settings = request.settings
    answers = int(settings.get("per_device_train_batch_size", 8))
    if not _from_answers(request):
        answers *= int(settings.get("gradient_accumulation_steps", 1))
        answers *= int(settings.get("updates_per_generation", settings.get("num_mini_batches", 1)))
    length = (request.prompt or PROMPT) + int(settings.get("max_completion_length", 256))
    return Generation(answers, length)


def _copies(
    request: Request, forward: Pass, weights: int, each: float, trained: int, notes: list[str]
) -> tuple[Copy, ...]:
    """Reference, value model, and the models a run's inputs and graders name."""
    technique, settings = request.technique, request.settings
    found: list[Copy] = []
    kl = settings.get("beta", settings.get("kl_coef", 1.0))
    holds = technique.reference or _runs(technique, WITH_CRITIC)
    if holds and kl and forward.lora is None and not settings.get("precompute_ref_log_probs"):
        found.append(Copy("reference model", weights, each))
    if _runs(technique, WITH_CRITIC):
        own = weights if forward.lora is None else trained
        wide = each if forward.lora is None else 4
        found.append(Copy("value model", own, wide, trained, forward))
    half = 2 if uses_bf16(settings, request.device) else 4
    for wanted in technique.inputs:
        if wanted.kind == "model" and wanted.name != "value_model" and wanted.required:
            found.append(_input(wanted.name, wanted.title, request, weights, half, notes))
    for name in request.others:
        if name not in {wanted.name for wanted in technique.inputs}:
            found.append(Copy(name, read(request.others[name]).weights(), half))
    return tuple(found)


def _input(name: str, title: str, request: Request, weights: int, half: int, notes: list[str]) -> Copy:
    if name in request.others:
        return Copy(title.lower(), read(request.others[name]).weights(), half)
    notes.append(f"The {title.lower()} is taken to be as large as the model: {said(weights * half)}.")
    return Copy(title.lower(), weights, half)
