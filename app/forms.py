"""Forms made from a class of settings: one Gradio input a field, with its help, bounds, default and source.

Everything shown comes from the class (`studio.parameters.setting`); a technique or an adapter added later
needs no edit here. What the values are for, and where they are kept, is the page's business.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from gradio.components import Component
from pydantic.fields import FieldInfo

from app.parts.words import number
from app.toolkit import gr
from studio.parameters import Parameters, about

FEW = 3  # up to this many options are laid out beside each other; more drop down
SLIDER_STEP = 0.001


@dataclass(frozen=True)
class Bounds:
    """The ends a number may have; None is open. `above` and `below` leave the end itself out."""

    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'at least'} {readable(self.low)}"
        high = f"{'below' if self.below else 'at most'} {readable(self.high)}"
        if self.low is not None and self.high is not None:
            plain = not (self.above or self.below)
            return f"{readable(self.low)} to {readable(self.high)}" if plain else f"{low}, {high}"
        return low if self.low is not None else high if self.high is not None else ""


@dataclass(frozen=True)
class Form:
    """The inputs of one class, by field: the basic ones first. Made unrendered; a page places both groups."""

    kind: type[Parameters]
    inputs: dict[str, Component]

    def place_basic(self) -> None:
        self._place(basic=True)

    def place_rest(self) -> None:
        self._place(basic=False)

    def _place(self, basic: bool) -> None:
        for name, component in self.inputs.items():
            if is_basic(self.kind, name) is basic:
                component.render()

    def read(self, given: Sequence[Any]) -> dict[str, Any]:
        """What stands in the inputs, by field, in the types of the class. An emptied one is None."""
        return {
            name: typed(self.kind.model_fields[name], value)
            for name, value in zip(self.inputs, given, strict=True)
        }

    def show(self, values: Mapping[str, Any], changed: Collection[str] = (), wrong: str = "") -> list[Any]:
        """An update for every input: its value, and whether it is marked as changed or wrong."""
        return [
            gr.update(value=shown(values[name]), **self._marks(name, changed, wrong)) for name in self.inputs
        ]

    def mark(self, changed: Collection[str], wrong: str = "") -> list[Any]:
        """The marks alone: what is being typed is left alone."""
        return [gr.update(**self._marks(name, changed, wrong)) for name in self.inputs]

    def _marks(self, name: str, changed: Collection[str], wrong: str) -> dict[str, Any]:
        marks = [word for word, holds in (("changed", name in changed), ("wrong", name == wrong)) if holds]
        return {"elem_classes": ["setting", *marks]}


def build(kind: type[Parameters], prefix: str) -> Form:
    """The inputs of `kind`, not yet placed. `prefix` begins their element ids: `sft-learning_rate`."""
    order = sorted(kind.model_fields, key=lambda name: not is_basic(kind, name))
    inputs = {name: make_input(kind.model_fields[name], name, f"{prefix}-{name}") for name in order}
    return Form(kind, inputs)


def is_basic(kind: type[Parameters], name: str) -> bool:
    return bool(about(kind.model_fields[name]).get("basic"))


def defaults(kind: type[Parameters]) -> dict[str, Any]:
    return kind().model_dump(mode="json")


def differing(values: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `values` that are not what `baseline` says."""
    return {name: value for name, value in values.items() if not same(value, baseline.get(name))}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9) and isinstance(one, bool) is isinstance(other, bool)
    return bool(one == other)


def title(kind: type[Parameters], name: str) -> str:
    field = kind.model_fields.get(name)
    return (field.title if field else "") or name


# ---- one input ----------------------------------------------------------------------------------------


def make_input(field: FieldInfo, name: str, elem_id: str) -> Component:
    """The component that fits the field's type, prefilled with its default."""
    kind, bounds = bare(field), bounds_of(field)
    unit = about(field).get("unit", "")
    common: dict[str, Any] = {
        "value": shown(field.get_default(call_default_factory=True)),
        "label": f"{field.title or name}{f' ({unit})' if unit else ''}",
        "info": explain(field),
        "elem_id": elem_id,
        "elem_classes": ["setting"],
        "interactive": True,
        "render": False,
    }
    if kind is bool:
        return gr.Checkbox(**common)
    if get_origin(kind) is Literal:
        options = [(readable(option), option) for option in get_args(kind)]
        return gr.Radio(options, **common) if len(options) <= FEW else gr.Dropdown(options, **common)
    if kind is float and slides(field, bounds):
        low, high = bounds.low or 0.0, bounds.high or 1.0
        return gr.Slider(low, high - SLIDER_STEP * bounds.below, step=SLIDER_STEP, **common)
    if kind in (int, float):
        return gr.Number(precision=0 if kind is int else None, **common)
    return gr.Textbox(lines=3 if get_origin(kind) is list else 1, **common)


def slides(field: FieldInfo, bounds: Bounds) -> bool:
    """A share of one whose default a slider can show; a learning rate of 0.00002 needs a number."""
    default = field.get_default(call_default_factory=True)
    is_share = (bounds.low, bounds.high, bounds.above) == (0, 1, False)
    return is_share and isinstance(default, float | int) and (default == 0 or default >= 0.01)


def bare(field: FieldInfo) -> Any:
    """The field's type without `| None`."""
    kind = field.annotation
    if get_origin(kind) in (Union, UnionType):
        kept = [part for part in get_args(kind) if part is not NoneType]
        return kept[0] if len(kept) == 1 else str
    return kind


def bounds_of(field: FieldInfo) -> Bounds:
    found: dict[str, Any] = {}
    for part in field.metadata:
        if isinstance(part, Ge):
            found |= {"low": part.ge}
        elif isinstance(part, Gt):
            found |= {"low": part.gt, "above": True}
        elif isinstance(part, Le):
            found |= {"high": part.le}
        elif isinstance(part, Lt):
            found |= {"high": part.lt, "below": True}
    return Bounds(**found)


def explain(field: FieldInfo) -> str:
    """Help, bounds, default and where the default comes from, in one line."""
    bounds, source = str(bounds_of(field)), about(field).get("source", "")
    default = readable(field.get_default(call_default_factory=True))
    facts = "; ".join(filter(None, [bounds, f"default {default}" + (f" ({source})" if source else "")]))
    return f"{field.description or ''} {facts[:1].upper()}{facts[1:]}.".strip()


def readable(value: Any) -> str:
    """A value as a person reads it."""
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}" if 1e-4 <= abs(value) < 1e6 else number(value)
    if isinstance(value, int):
        return number(value)
    if isinstance(value, list):
        return ", ".join(map(readable, value)) or "none"
    return str(value).replace("_", " ")


def shown(value: Any) -> Any:
    """A value as its input takes it: a list is one entry a line."""
    return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value


def typed(field: FieldInfo, value: Any) -> Any:
    """What an input gave, in the field's type where that loses nothing; the class has the last word."""
    kind = bare(field)
    if get_origin(kind) is list and isinstance(value, str):
        return [line.strip() for line in value.splitlines() if line.strip()]
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return None if value == "" and kind is not str else value
