"""JSON schema: right is an answer that is JSON and valid against a schema (draft 2020-12, or the one its
`$schema` names). The schema is a setting, or a column where every row has its own.

A schema is data: patterns in it are searched within a bound of time, and nothing is fetched for a `$ref`."""

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from studio.errors import StudioError
from studio.graders import patterns
from studio.graders.base import VERIFIABLE, Case, Grader, Score, Scorer
from studio.graders.reading import FinalJson, JsonText, NotJson, read_final
from studio.parameters import setting

Check = Callable[[Any], bool]
KEPT = 256  # schemas of rows that are ready at once


class JsonSchema(FinalJson):
    json_schema: JsonText = setting(
        "",
        "Schema",
        "A JSON schema. Empty: each row has its own, in the column named below.",
        basic=True,
        kind="json",
        max_length=200_000,
    )
    column: str = setting(
        "schema", "Schema column", "The column that holds a row's schema.", basic=True, max_length=200
    )


def prepare(parameters: JsonSchema) -> Scorer:
    fixed = checker(parameters.json_schema) if parameters.json_schema else None

    def score(case: Case) -> Score:
        """None where the row has no usable schema, or a pattern in it takes too long."""
        check = fixed or of_row(case.row.get(parameters.column))
        if check is None:
            return None
        try:
            return float(check(read_final(case.answer, parameters)))
        except NotJson:
            return 0.0
        except (patterns.TooSlow, RecursionError):
            return None

    return lambda cases: [score(case) for case in cases]


def of_row(schema: Any) -> Check | None:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    try:
        return checker(text) if text.strip() not in ("", "null") else None
    except StudioError:
        return None


@functools.lru_cache(KEPT)
def checker(text: str) -> Check:
    """Whether a value is valid against the schema. Raises StudioError when the schema itself is wrong."""
    from jsonschema import Draft202012Validator, SchemaError, validators
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        schema = orjson.loads(text)
        kind = validators.validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
        validator = bounded(kind)(schema, registry=Registry())
        validator.is_valid(None)
        for each in written(schema):
            ready(each)
    except orjson.JSONDecodeError as problem:
        raise _wrong(f"it is no JSON: {problem.msg}") from problem
    except SchemaError as problem:
        raise _wrong(problem.message) from problem
    except (Unresolvable, RecursionError) as problem:
        raise _wrong("a $ref in it leads nowhere, or round in a circle") from problem
    if "unevaluatedProperties" in text and "patternProperties" in text:
        raise _wrong("unevaluatedProperties together with patternProperties is not supported")

    def check(value: Any) -> bool:
        try:
            return bool(validator.is_valid(value))
        except Unresolvable:
            return False

    return check


def _wrong(why: str) -> StudioError:
    return StudioError(
        f"The schema cannot be used: {why[:300]}.",
        hint='JSON schema, such as {"type": "object", "required": ["dose"]}; only references inside it work.',
        field="json_schema",
    )


# ---- the keywords with patterns, bounded --------------------------------------------------------------


def bounded(kind: Any) -> Any:
    """The validator class with its own search for patterns, which the library does with `re`."""
    from jsonschema import validators

    library = kind.VALIDATORS.get("additionalProperties")

    def additional(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if not validator.is_type(instance, "object") or "patternProperties" not in schema:
            yield from library(validator, allowed, instance, schema) or ()
            return
        kinds = [ready(pattern) for pattern in schema["patternProperties"]]
        known = schema.get("properties", {})
        further = {
            name: value
            for name, value in instance.items()
            if name not in known and not any(patterns.find(kind, name) for kind in kinds)
        }
        for name, value in further.items():
            yield from validator.descend(value, allowed, path=name)

    return validators.extend(
        kind,
        {"pattern": pattern, "patternProperties": by_pattern, "additionalProperties": additional},
    )


def pattern(validator: Any, wanted: str, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if validator.is_type(instance, "string") and not patterns.find(ready(wanted), instance):
        yield ValidationError(f"{instance!r} does not match {wanted!r}")


def by_pattern(validator: Any, schemas: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    for wanted, schema in schemas.items():
        for name, value in instance.items():
            if patterns.find(ready(wanted), name):
                yield from validator.descend(value, schema, path=name, schema_path=wanted)


def written(schema: Any) -> Iterator[str]:
    """Every pattern in a schema, wherever a `$ref` may lead."""
    if isinstance(schema, dict):
        if isinstance(single := schema.get("pattern"), str):
            yield single
        if isinstance(names := schema.get("patternProperties"), dict):
            yield from names
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            yield from written(each)


@functools.lru_cache(KEPT)
def ready(text: str) -> Any:
    return patterns.compile(text, field="json_schema")


GRADER = Grader(
    name="json_schema",
    title="JSON schema",
    help="The answer is JSON and valid against a schema.",
    aliases=VERIFIABLE,
    parameters=JsonSchema,
    prepare=prepare,
    group="Structure",
    order=20,
)
