"""Forms made from a class of settings: for each field the input that fits its type, its words, and its value.

Everything shown comes from the class (`studio.parameters.setting`); a technique, an adapter or a grader
added later needs no edit here. The HTML is `app/parts/fields.html`; where values are kept is the page's
business.
"""

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from json import JSONDecodeError as NotJson
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from app.parts.words import number
from studio import environments
from studio.errors import StudioError
from studio.parameters import Parameters, about, validate

Control = Literal["number", "switch", "choice", "text", "lines", "words", "code", "json", "model"]
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
SWITCH = (("true", "on"), ("false", "off"))


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
class Field:
    """One setting as a form shows it. `path` names it to whoever keeps the form (`parameters:learning_rate`);
    `value` is what stands in its input; `advised`, in words, what is recommended here, `default` what the
    class says and `source` why; `reason` why something is recommended in its place; `several` what a sweep
    tries instead."""

    name: str
    path: str
    title: str
    help: str
    unit: str
    control: Control
    is_whole: bool
    options: tuple[tuple[str, str], ...]
    bounds: str
    default: str
    source: str
    advised: str
    is_basic: bool
    value: str
    is_changed: bool = False
    problem: str = ""
    several: str = ""
    reason: str = ""

    @property
    def id(self) -> str:
        return id_of(self.path)


@dataclass(frozen=True)
class Marks:
    """What is said beside the fields of a form: the wrong one (a path, and what is wrong with it), and, by
    name, what a sweep tries and why something else than the class's value is recommended."""

    wrong: str = ""
    problem: str = ""
    several: Mapping[str, str] | None = None
    reasons: Mapping[str, str] | None = None


def id_of(path: str) -> str:
    """The id of a path's input: letters that need no escape in a selector."""
    return re.sub(r"[^\w-]", "-", path)


def describe(
    kind: type[Parameters],
    prefix: str,
    values: Mapping[str, Any],
    advised: Mapping[str, Any],
    marks: Marks | None = None,
) -> list[Field]:
    """Every field of `kind`, in its order, with what stands in it and what is recommended."""
    marks = marks or Marks()
    return [
        _field(kind, name, f"{prefix}:{name}", values.get(name), advised.get(name), marks)
        for name in kind.model_fields
    ]


def _field(kind: type[Parameters], name: str, path: str, value: Any, advised: Any, marks: Marks) -> Field:
    info = kind.model_fields[name]
    facts = about(info)
    control = control_of(info)
    return Field(
        name=name,
        path=path,
        title=info.title or name,
        help=info.description or "",
        unit=facts.get("unit", ""),
        control=control,
        is_whole=bare(info) is int,
        options=options_of(info),
        bounds=str(bounds_of(info)),
        default=readable(info.get_default(call_default_factory=True)),
        source=facts.get("source", ""),
        advised=readable(advised),
        is_basic=is_basic(kind, name),
        value=as_text(value),
        is_changed=not same(value, advised),
        problem=marks.problem if marks.wrong == path else "",
        several=(marks.several or {}).get(name, ""),
        reason=(marks.reasons or {}).get(name, ""),
    )


def simple(path: str, title: str, help: str, value: Any, control: Control, marks: Marks) -> Field:
    """A field that is no setting of a class, such as the weight of a grader."""
    return Field(
        name=path.rpartition(":")[2],
        path=path,
        title=title,
        help=help,
        unit="",
        control=control,
        is_whole=False,
        options=(),
        bounds="",
        default="",
        source="",
        advised="",
        is_basic=True,
        value=as_text(value),
        problem=marks.problem if marks.wrong == path else "",
    )


def is_basic(kind: type[Parameters], name: str) -> bool:
    return bool(about(kind.model_fields[name]).get("basic"))


def defaults(kind: type[Parameters]) -> dict[str, Any]:
    """The class's own values; those of a class that cannot be made without some are None."""
    return {
        name: plain(field.get_default(call_default_factory=True)) for name, field in kind.model_fields.items()
    }


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else None if repr(value) == "PydanticUndefined" else value


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


def naming_models(kind: type[Parameters]) -> list[str]:
    """The fields that name a model of the studio."""
    return [name for name, field in kind.model_fields.items() if control_of(field) == "model"]


def checked(kind: type[Parameters], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values as the class takes them. Raises StudioError naming the field that is wrong, also where a
    text should be JSON and is none, or a number is not finite."""
    for name, field in kind.model_fields.items():
        if control_of(field) == "json" and isinstance(text := values.get(name), str) and text.strip():
            check_json(text, title(kind, name), name)
    found = validate(kind, dict(values), where).model_dump(mode="json")
    for name, value in found.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise StudioError(f"{title(kind, name)} is no number.", hint="Give a finite one.", field=name)
    return found


def check_json(text: str, what: str, field: str) -> Any:
    """The value of a JSON text. Raises StudioError with the line and column at which it goes wrong."""
    try:
        return json.loads(text)
    except ValueError as problem:
        at = f"line {problem.lineno}, column {problem.colno}" if isinstance(problem, NotJson) else "somewhere"
        raise StudioError(f"{what} is not JSON: it goes wrong at {at}.", field=field) from problem
    except RecursionError as problem:
        raise StudioError(f"{what} is nested too deeply to be read.", field=field) from problem


# ---- one field ----------------------------------------------------------------------------------------


def control_of(field: FieldInfo) -> Control:
    """The input that fits: what the setting says it holds comes first, then its type."""
    said = about(field).get("kind", "")
    if said in ("model", "code", "json", "words"):
        return said
    kind = bare(field)
    if kind is bool:
        return "switch"
    if said == "environment" or get_origin(kind) is Literal:
        return "choice"
    if kind in (int, float):
        return "number"
    if get_origin(kind) in (list, tuple):
        return "lines"
    return "json" if get_origin(kind) is dict else "text"


def options_of(field: FieldInfo) -> tuple[tuple[str, str], ...]:
    """(value, words) of a choice or a switch; none of what is typed."""
    kind = bare(field)
    if kind is bool:
        return SWITCH
    if about(field).get("kind") == "environment":
        return (("", "none"), *((each.name, each.title) for each in environments.all()))
    if get_origin(kind) is not Literal:
        return ()
    given = tuple((as_text(option), readable(option)) for option in get_args(kind))
    return (("", "none"), *given) if takes_none(field) else given


def bare(field: FieldInfo) -> Any:
    """The field's type without `| None`."""
    kind = field.annotation
    if get_origin(kind) in (Union, UnionType):
        kept = [part for part in get_args(kind) if part is not NoneType]
        return kept[0] if len(kept) == 1 else str
    return kind


def takes_none(field: FieldInfo) -> bool:
    return NoneType in get_args(field.annotation)


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


# ---- values and texts ---------------------------------------------------------------------------------


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
    if isinstance(value, list | tuple):
        return ", ".join(map(readable, value)) or "none"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    return text if len(text) > 40 or "\n" in text else text.replace("_", " ")


def as_text(value: Any) -> str:
    """A value as its input takes it: a list is one entry a line, a float is written as one would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return re.sub(r"e([+-])0*(\d)", lambda found: f"e{found[1].strip('+')}{found[2]}", f"{value:.12g}")
    if isinstance(value, list | tuple):
        return "\n".join(map(as_text, value))
    return json.dumps(value, ensure_ascii=False, indent=2) if isinstance(value, dict) else str(value)


def read(kind: type[Parameters], name: str, text: str) -> Any:
    """What was typed, in the field's type where it is one; anything else stays the text it is, for the class
    to refuse by name. An emptied number is None."""
    field = kind.model_fields[name]
    if text.strip() == "" and (takes_none(field) or bare(field) is not str):
        return [] if get_origin(bare(field)) is list and not takes_none(field) else None
    return typed(bare(field), text)


def typed(kind: Any, text: str) -> Any:
    if kind is bool:
        return {"true": True, "false": False}.get(text, text)
    if get_origin(kind) is Literal:
        return next((option for option in get_args(kind) if as_text(option) == text), text)
    if kind in (int, float):
        return as_number(text, whole=kind is int)
    if get_origin(kind) in (list, tuple):
        entry = (get_args(kind) or (str,))[0]
        return [typed(entry, line.strip()) for line in text.splitlines() if line.strip()]
    if get_origin(kind) is dict:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def as_number(text: str, *, whole: bool) -> int | float | str:
    """The number a person typed (2e-5, 1,000); the text itself where it is none."""
    given = text.strip().replace("−", "-")
    given = given.replace(",", "") if THOUSANDS.fullmatch(given) else given
    try:
        value = float(given)
    except ValueError:
        return text.strip()
    if not math.isfinite(value):
        return text.strip()
    return int(value) if whole and value.is_integer() else value


def words_for(options: Collection[tuple[str, str]], value: str) -> str:
    return next((words for option, words in options if option == value), value)
