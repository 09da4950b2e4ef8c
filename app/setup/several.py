"""Several values of a setting: what a sweep can vary, and the values typed for it.

Which runs follow from them, and how they are started, is `studio.sweeps`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app import forms
from app.setup import Several, Sweep
from studio import adapters, parameters
from studio.adapters import Adapter
from studio.errors import StudioError
from studio.parameters import Parameters
from studio.techniques import Technique

SEED, ADAPTER = "seed", "adapter"
OF_ADAPTER = "adapter."  # begins the name of a setting of the adapter
LARGEST_SEED = 2**31 - 1
Way = Literal["values", "range", "picks"]


@dataclass(frozen=True)
class Varied:
    """One thing a sweep can vary: by values typed, by the ends of a range, or by ticking some options."""

    name: str
    title: str
    way: Way
    options: tuple[tuple[str, str], ...] = ()
    bounds: str = ""
    kind: type[Parameters] | None = None

    @property
    def field(self) -> str:
        return self.name.removeprefix(OF_ADAPTER)


def choices(technique: Technique, adapter: Adapter, method: str) -> list[Varied]:
    """Everything that could be varied, the settings shown first before the others."""
    fitting = [each for each in adapters.all() if technique.fits_adapter(each.name)]
    found = _of(technique.parameters, "", "", method)
    found += _of(adapter.parameters, OF_ADAPTER, f"{adapter.title}: ", method)
    whole = [Varied(SEED, "Seed", "values", bounds=f"0 to {LARGEST_SEED:,}")]
    if len(fitting) > 1:
        whole.append(Varied(ADAPTER, "Adapter", "picks", tuple((each.name, each.title) for each in fitting)))
    return [*whole, *found]


def _of(kind: type[Parameters], prefix: str, title: str, method: str) -> list[Varied]:
    found = []
    for name, field in kind.model_fields.items():
        control = forms.control_of(field)
        if control == "number":
            way: Way = "range" if method == "random" else "values"
        elif control in ("choice", "switch"):
            way = "picks"
        else:
            continue
        found.append(
            Varied(
                prefix + name,
                title + forms.title(kind, name),
                way,
                forms.options_of(field),
                str(forms.bounds_of(field)),
                kind,
            )
        )
    return sorted(found, key=lambda each: not forms.is_basic(kind, each.field))


def read(
    sweep: Sweep, possible: list[Varied], now: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[Any] | dict[str, Any]]:
    """What `studio.sweeps` takes: a list of values or a range for each setting. `now` are the settings in
    force, by the prefix of their names. Raises StudioError naming the setting (`sweep:learning_rate`)."""
    known = {each.name: each for each in possible}
    return {
        name: _read_one(known[name], given, now)
        for name, given in sweep.fields.items()
        if name in known  # one of another technique or adapter waits until that is chosen again
    }


def _read_one(
    varied: Varied, given: Several, now: Mapping[str, Mapping[str, Any]]
) -> list[Any] | dict[str, Any]:
    where = f"sweep:{varied.name}"
    if varied.way == "range":
        return _read_range(varied, given, now, where)
    values = _picked(varied, given) if varied.way == "picks" else _typed(varied, given)
    if not values:
        raise StudioError(
            f"{varied.title} has no values to try.", hint="Give two or more, or leave it out.", field=where
        )
    for value in values:
        check(varied, value, now, where)
    return values


def _read_range(
    varied: Varied, given: Several, now: Mapping[str, Mapping[str, Any]], where: str
) -> dict[str, Any]:
    is_whole = varied.kind is not None and forms.bare(varied.kind.model_fields[varied.field]) is int
    ends = [forms.as_number(text, whole=is_whole) for text in (given.low, given.high)]
    for end in ends:
        if isinstance(end, str):
            raise StudioError(
                f"{varied.title} needs a lowest and a highest value.", hint=varied.bounds, field=where
            )
        check(varied, end, now, where)
    low, high = ends
    if not low < high:  # type: ignore[operator]
        raise StudioError(f"{varied.title}: the lowest value is not below the highest.", field=where)
    if given.log and low <= 0:  # type: ignore[operator]
        raise StudioError(
            f"{varied.title}: a range by powers begins above 0.", hint="Or draw evenly.", field=where
        )
    return {"low": low, "high": high, "log": given.log, "whole": is_whole}


def _picked(varied: Varied, given: Several) -> list[Any]:
    picked = [value for value, _ in varied.options if value in given.picked]
    if varied.kind is None:
        return picked
    return [forms.read(varied.kind, varied.field, value) for value in picked]


def _typed(varied: Varied, given: Several) -> list[Any]:
    texts = filter(None, re.split(r"[\s,;]+", given.values))
    if varied.kind is None:
        values: list[Any] = [forms.as_number(text, whole=True) for text in texts]
    else:
        values = [forms.read(varied.kind, varied.field, text) for text in texts]
    return list(dict.fromkeys(values))


def check(varied: Varied, value: Any, now: Mapping[str, Mapping[str, Any]], where: str) -> None:
    """Refuses a value that its setting would not take."""
    if varied.kind is None:
        if varied.name == SEED and not (isinstance(value, int) and 0 <= value <= LARGEST_SEED):
            raise StudioError(f"Seed: {value} is none.", hint="A whole number from 0.", field=where)
        return
    prefix = OF_ADAPTER if varied.name.startswith(OF_ADAPTER) else ""
    try:
        parameters.validate(varied.kind, {**now[prefix], varied.field: value}, varied.title)
    except StudioError as problem:
        raise StudioError(problem.message, hint=varied.bounds or problem.hint, field=where) from problem


def worded(value: list[Any] | dict[str, Any]) -> str:
    """What is tried, in words: 0.001, 0.01 or 1e-5 to 1e-3."""
    if isinstance(value, list):
        return ", ".join(map(forms.readable, value))
    return f"{forms.readable(value['low'])} to {forms.readable(value['high'])}"


def now(varied: Varied, of_technique: Mapping[str, Any], of_adapter: Mapping[str, Any]) -> str:
    """The value in force, as it would be typed; nothing for what is no setting."""
    values = of_adapter if varied.name.startswith(OF_ADAPTER) else of_technique
    return forms.as_text(values.get(varied.field)) if varied.kind else ""
