"""The memory of a training at its peak: what is always held, and the moments at which most comes on top.

A closed form: it follows a step from the forward pass to the update, adds up what lives at each of its
heaviest moments, and takes the largest. Says nothing of techniques (`studio.estimate.demand`) or machines
(`studio.estimate.device`).
"""

from dataclasses import dataclass, replace
from typing import Literal

from studio.estimate.activations import Pass
from studio.estimate.architecture import Architecture

Head = Literal["fused", "divergence", "logits", "chunked", "none"]
"""How a loss is made of the last hidden states. fused: TRL's, in tiles, so that logits never exist as a
whole; divergence: likewise, beside a teacher's; logits: all of them, in float32 too; chunked: all of them, in
float32 an eighth at a time; none: a head with one output, such as a reward model's."""

TILE_TOKENS, TILE_WORDS = 4096, 32768  # of TRL's fused head: trl/kernels/chunked_logprob.py
TILES_IN_TORCH = 8  # copies of a tile in float32 that its backward holds where it has no Triton kernel
CHUNKS = 8
WINDOW = 3  # copies of a step's logits while sampling: as they come, in float32, and their probabilities

MOMENTS = {
    "loss": "when the loss is computed and all activations are held",
    "value": "when the value model's backward pass begins",
    "layer": "when the backward pass begins",
    "end": "when the backward pass ends",
    "update": "when the weights are updated",
    "generation": "while answers are generated",
}


@dataclass(frozen=True)
class Copy:
    """A further model in memory: `bytes_each` a weight. A trained one also has gradients and optimiser
    states, and activations where `passed` says what goes through it."""

    name: str
    weights: int
    bytes_each: float
    trained: int = 0
    passed: Pass | None = None


@dataclass(frozen=True)
class Generation:
    """`answers` written side by side, each of `length` tokens with its prompt."""

    answers: int
    length: int


@dataclass(frozen=True)
class Setup:
    """One training step. `weights` and `trained` are counts; `width` are the bytes of a trained weight, its
    gradient and each of its two optimiser states. `triton` says that the fused head runs in kernels, on the
    `scored` tokens only (0: all)."""

    forward: Pass
    weights: int
    trained: int
    weight_bytes: float
    width: int
    head: Head = "fused"
    triton: bool = False
    scored: int = 0
    checkpointing: bool = False
    accumulates: bool = False
    copies: tuple[Copy, ...] = ()
    generation: Generation | None = None
    optimiser_bytes: float = 0  # of both states of a trained weight together; 0: two of `width`


@dataclass(frozen=True)
class Peak:
    """Bytes of each part at the heaviest moment."""

    moment: str
    weights: float
    gradients: float
    optimiser: float
    activations: float
    head: float
    cache: float
    copies: tuple[tuple[str, float], ...]

    @property
    def total(self) -> float:
        own = self.weights + self.gradients + self.optimiser + self.activations + self.head + self.cache
        return own + sum(amount for _, amount in self.copies)


def peak(setup: Setup) -> Peak:
    """The heaviest of a step's moments."""
    return max(moments(setup), key=lambda each: each.total)


def moments(setup: Setup) -> list[Peak]:
    """Every moment that can be the heaviest."""
    found = [_loss(setup), _layer(setup), _end(setup), _update(setup)]
    if any(each.passed for each in setup.copies):
        found.append(_value(setup))
    return [*found, _generation(setup)] if setup.generation else found


def _held(setup: Setup, keeps: int | None = None) -> Peak:
    """What is there all the time: weights, both optimiser states, and further models with theirs, of which
    trained ones may keep gradients."""
    states = setup.optimiser_bytes or 2 * setup.width
    kept = _kept_gradient(setup) if keeps is None else keeps
    copies = tuple(
        (each.name, each.weights * each.bytes_each + each.trained * (states + kept)) for each in setup.copies
    )
    weights = setup.weights * setup.weight_bytes
    if _adapts(setup):
        weights += setup.trained * setup.width
    return Peak("held", weights, 0, setup.trained * states, 0, 0, 0, copies)


def _adapts(setup: Setup) -> bool:
    return setup.forward.lora is not None


def _kept_gradient(setup: Setup) -> int:
    """Gradients wait for the next batch only where batches are added up."""
    return setup.width if setup.accumulates else 0


def _loss(setup: Setup) -> Peak:
    return replace(
        _held(setup),
        moment="loss",
        gradients=setup.trained * _kept_gradient(setup) + _value_gradients(setup),
        activations=_kept(setup, setup.forward) + _cast_weights(setup),
        head=head(setup),
    )


def _value(setup: Setup) -> Peak:
    """A value model reads after the policy has and goes back before it does: both's activations are there."""
    passes = [setup.forward, *(each.passed for each in setup.copies if each.passed)]
    return replace(
        _held(setup),
        moment="value",
        gradients=setup.trained * _kept_gradient(setup),
        activations=sum(_kept(setup, each) for each in passes) + _recomputed(setup) + _working(setup),
    )


def _value_gradients(setup: Setup) -> float:
    """Those that a value model's backward pass has left, beyond what is kept from batch to batch."""
    return sum(each.trained for each in setup.copies) * (setup.width - _kept_gradient(setup))


def _layer(setup: Setup) -> Peak:
    """The last layer's backward pass, activations computed again first where they were not kept."""
    return replace(
        _held(setup),
        moment="layer",
        gradients=setup.trained * _kept_gradient(setup) + _table(setup) + _value_gradients(setup),
        activations=_kept(setup, setup.forward) + _recomputed(setup) + _working(setup) + _cast_weights(setup),
    )


def _end(setup: Setup) -> Peak:
    """The first layer's backward pass: nearly all gradients are there, and one layer's activations still."""
    return replace(
        _held(setup, keeps=0),
        moment="end",
        gradients=_all_gradients(setup),
        activations=_of_layer(setup, setup.forward) + _recomputed(setup) + _working(setup),
    )


def _working(setup: Setup) -> float:
    """What a layer's backward pass makes on its way: gradients of its feed-forward part's tensors."""
    model = setup.forward.model
    widest = max(model.intermediate, model.chosen * model.expert_width)
    return setup.forward.tokens * setup.forward.width * (3 * widest + 2 * model.hidden)


def _recomputed(setup: Setup) -> float:
    return setup.forward.layer() if setup.checkpointing else 0


def _all_gradients(setup: Setup) -> float:
    return (setup.trained + sum(each.trained for each in setup.copies)) * setup.width


def _update(setup: Setup) -> Peak:
    """All gradients are there. A tied table gets two, one as head and one as embedding, added at the end."""
    twice = setup.forward.model.tied and setup.head != "none"
    gradients = _all_gradients(setup) + (_table(setup) if twice else 0)
    return replace(_held(setup, keeps=0), moment="update", gradients=gradients)


def _generation(setup: Setup) -> Peak:
    """Keys and values of all answers, and the logits of one step."""
    assert setup.generation is not None
    model, width = setup.forward.model, setup.forward.width
    tokens = setup.generation.answers * setup.generation.length
    cache = 2 * model.keys * width * tokens * (model.layers + 1)  # one layer's is copied as it grows
    logits = setup.generation.answers * model.vocabulary * 4 * WINDOW
    return replace(_held(setup), moment="generation", cache=cache + logits)


def _kept(setup: Setup, forward: Pass) -> float:
    """Activations between a model's forward and backward pass."""
    return forward.model.layers * _of_layer(setup, forward) + forward.last_norm()


def _of_layer(setup: Setup, forward: Pass) -> float:
    return forward.layer_input() if setup.checkpointing else forward.layer()


def _cast_weights(setup: Setup) -> float:
    """Autocast keeps a copy in bfloat16 of every matrix it has used, until the backward pass has."""
    if setup.forward.precision != "mixed":
        return 0
    layers = setup.forward.model.layer_weights() * 2
    return layers / setup.forward.model.layers if setup.checkpointing else layers


def _table(setup: Setup) -> float:
    """The gradient of the output head."""
    model = setup.forward.model
    trains = not _adapts(setup) and setup.head != "none" and setup.trained
    return model.vocabulary * model.hidden * setup.width if trains else 0


def head(setup: Setup) -> float:
    """What the loss needs while it is computed and differentiated.

    fused (TRL 1.16): a tile of logits, gradients of the hidden states and of the table in float32, then that
    in the weights' precision. logits: as the model gives them, in float32 (once more where the Trainer makes
    outputs so), their log-softmax, gradients."""
    forward = setup.forward
    model, tokens = forward.model, forward.tokens
    if setup.scored and (setup.triton or setup.head in ("logits", "divergence")):
        tokens = setup.scored
    if setup.head == "none":
        return 0
    table = _table(setup)
    if setup.head in ("logits", "chunked"):
        parts = 1 if setup.head == "logits" else CHUNKS
        again = 4 if forward.width < 4 and forward.autocast and setup.head == "logits" else 0
        return tokens * model.vocabulary * (forward.width + 12 / parts + again) + table
    summed = model.vocabulary * model.hidden * 4 if table else 0
    cast = table if setup.width < 4 else 0
    tile = min(tokens, TILE_TOKENS)
    if setup.triton:
        both = 8 if setup.head == "divergence" else 0  # a tile in float32 each of student and teacher
        tiles = tile * TILE_WORDS * (forward.width + both)
    else:
        tiles = tile * min(model.vocabulary, TILE_WORDS) * (forward.width + 4 * (TILES_IN_TORCH - 1))
    return tiles + tokens * model.hidden * 4 + summed + cast


def trained_weights(model: Architecture, forward: Pass) -> int:
    """How many weights learn."""
    return forward.lora.weights(model) if forward.lora else model.weights()
