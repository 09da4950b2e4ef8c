"""JSON field by field: the share of the reference's fields that the answer has right. Where exact match gives
nothing for one wrong field, this gives all the others their due, which is a smoother reward."""

from typing import Any, Literal

import orjson
from pydantic import field_validator

from studio.graders.base import VERIFIABLE, Case, Grader, Score, Scorer
from studio.graders.reading import FinalJson, JsonText, NotJson, close, read_final, read_json
from studio.parameters import setting

Fields = dict[tuple[str | int, ...], Any]
EMPTY = (dict, list)


class JsonFields(FinalJson):
    weights: JsonText = setting(
        "",
        "Weights",
        'What fields count, such as {"dose": 3, "patient.name": 0.5}; all others 1. 0 leaves a field out.',
        basic=True,
        kind="json",
        max_length=20_000,
    )
    extra: Literal["count", "ignore"] = setting(
        "count",
        "Fields that were not asked for",
        "Count each as one wrong field, or ignore them.",
        basic=True,
    )
    absolute: float = setting(
        1e-9, "Tolerance", "Largest difference of a number that is still right.", ge=0, allow_inf_nan=False
    )
    relative: float = setting(
        1e-6, "Relative tolerance", "The same as a share of the reference; the larger one counts.", ge=0, le=1
    )
    ignore_case: bool = setting(False, "Ignore case", "Capital and small letters of texts count as the same.")

    @field_validator("weights")
    @classmethod
    def numbers_by_field(cls, text: str) -> str:
        weights = orjson.loads(text or "{}")
        if not isinstance(weights, dict) or not all(
            isinstance(weight, int | float) and not isinstance(weight, bool) and 0 <= weight <= 1e6
            for weight in weights.values()
        ):
            raise ValueError('this must be an object of numbers from 0, such as {"dose": 3}')
        return text


def prepare(parameters: JsonFields) -> Scorer:
    weights: dict[str, float] = orjson.loads(parameters.weights or "{}")
    return lambda cases: [score(case, parameters, weights) for case in cases]


def score(case: Case, parameters: JsonFields, weights: dict[str, float]) -> Score:
    """Σ weight of right fields / Σ weight of all fields. None where the reference is no JSON, or no field of
    it counts."""
    try:
        wanted = flat(read_json(case.reference) if isinstance(case.reference, str) else case.reference)
    except NotJson:
        return None
    try:
        given = flat(read_final(case.answer, parameters))
    except NotJson:
        given = {}
    counted = {path: weight_of(path, weights) for path in wanted}
    if parameters.extra == "count":
        counted |= {path: weight_of(path, weights) for path in given if is_extra(path, wanted)}
    total = sum(counted.values())
    right = sum(
        weight
        for path, weight in counted.items()
        if path in wanted and path in given and equal(given[path], wanted[path], parameters)
    )
    return right / total if total else None


def flat(value: Any) -> Fields:
    """Every leaf by its path; an empty object or list is a leaf. Without recursion: JSON may be deep."""
    leaves: Fields = {}
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        path, part = waiting.pop()
        if isinstance(part, EMPTY) and part:
            inside = part.items() if isinstance(part, dict) else enumerate(part)
            waiting += [((*path, key), entry) for key, entry in inside]
        else:
            leaves[path] = part
    return leaves


def is_extra(path: tuple[str | int, ...], wanted: Fields) -> bool:
    """A leaf that is not wanted and does not merely stand where something else is wanted: that is already
    counted as a wrong field."""
    if path in wanted or any(path[:length] in wanted for length in range(len(path))):
        return False
    return not any(other[: len(path)] == path for other in wanted)


def weight_of(path: tuple[str | int, ...], weights: dict[str, float]) -> float:
    """The weight of the field, or of the nearest part it stands in."""
    for length in range(len(path), 0, -1):
        name = ".".join(map(str, path[:length]))
        if name in weights:
            return weights[name]
    return 1.0


def equal(given: Any, wanted: Any, parameters: JsonFields) -> bool:
    if isinstance(wanted, bool) or isinstance(given, bool):
        return given is wanted
    if isinstance(wanted, int | float) and isinstance(given, int | float):
        return close(given, wanted, parameters.absolute, parameters.relative)
    if isinstance(wanted, str) and isinstance(given, str):
        fold = str.casefold if parameters.ignore_case else str
        return fold(given.strip()) == fold(wanted.strip())
    return bool(given == wanted)


GRADER = Grader(
    name="json_fields",
    title="JSON, field by field",
    help="The share of the reference's fields that the answer has right.",
    aliases=VERIFIABLE,
    parameters=JsonFields,
    prepare=prepare,
    group="Structure",
    order=25,
    as_it_is=True,
)
