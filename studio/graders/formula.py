"""Formula: combines the scores of other graders as a formula says, such as `min(right, short)`: OpenAI's
`multi`. A plain weighted sum needs none of this: give a run several graders with weights: each is charted."""

from typing import Any

import orjson
from pydantic import field_validator

from studio import graders
from studio.errors import StudioError
from studio.graders.arithmetic import LONGEST, Formula
from studio.graders.base import Grader, Score, Scorer
from studio.graders.choice import GraderChoice, settings_of
from studio.graders.reading import JsonText
from studio.parameters import Parameters, setting

MOST = 20  # graders in one formula
DEEPEST = 4  # formulas in formulas


class FormulaOf(Parameters):
    formula: str = setting(
        "",
        "Formula",
        "Arithmetic over the graders' names: + - * / ^, min, max, abs, floor, ceil, exp, sqrt, log, pow.",
        basic=True,
        kind="code",
        max_length=LONGEST,
    )
    graders: JsonText = setting(
        "{}",
        "Graders",
        'By name: {"right": {"grader": "exact_match", "parameters": {}}, …}.',
        basic=True,
        kind="json",
        max_length=1_000_000,
    )

    @field_validator("graders")
    @classmethod
    def not_too_many(cls, text: str) -> str:
        parts = orjson.loads(text or "{}")
        if not isinstance(parts, dict) or not all(isinstance(part, dict) for part in parts.values()):
            raise ValueError(
                'this must be an object of graders, such as {"right": {"grader": "exact_match"}}'
            )
        if len(parts) > MOST:
            raise ValueError(f"{MOST} graders are the most")
        return text


def prepare(parameters: FormulaOf) -> Scorer:
    return at_depth(parameters, 1)


def at_depth(parameters: FormulaOf, depth: int) -> Scorer:
    """Raises StudioError when the formula or one of its graders is wrong."""
    if not parameters.formula.strip():
        raise StudioError("There is no formula.", hint="Write one over the graders' names.", field="formula")
    if depth > DEEPEST:
        raise StudioError(
            "Formulas stand in formulas too deep.", hint=f"{DEEPEST} levels work.", field="graders"
        )
    formula = Formula(parameters.formula)
    parts: dict[str, Any] = orjson.loads(parameters.graders or "{}")
    if unknown := sorted(formula.names - parts.keys()):
        raise StudioError(
            f"The formula uses “{unknown[0]}”, and no grader is called so.",
            hint=f"The graders are called: {', '.join(parts) or 'there is none'}.",
            field="formula",
        )
    scorers = {name: part_scorer(name, parts[name], depth) for name in sorted(formula.names)}

    def score(cases: Any) -> list[Score]:
        columns = {name: scorer(cases) for name, scorer in scorers.items()}
        rows = [{name: column[at] for name, column in columns.items()} for at in range(len(cases))]
        return [result(formula, row) for row in rows]

    return score


def result(formula: Formula, row: dict[str, Score]) -> Score:
    """None where a grader the formula needs had nothing to say."""
    told = {name: score for name, score in row.items() if score is not None}
    return formula(told) if len(told) == len(row) else None


def part_scorer(name: str, part: dict[str, Any], depth: int) -> Scorer:
    unknown = sorted(part.keys() - {"grader", "parameters"})
    if unknown or not isinstance(part.get("grader"), str) or not isinstance(part.get("parameters", {}), dict):
        raise StudioError(
            f"“{name}” in the formula is no grader.",
            hint='{"grader": NAME, "parameters": {}}',
            field="graders",
        )
    choice = GraderChoice(grader=part["grader"], parameters=part.get("parameters", {}))
    grader, settings = graders.get(choice.grader), settings_of(choice)
    if grader.scorer:
        raise StudioError(
            f"“{grader.title}” needs the worker's models and cannot stand in a formula.",
            hint="Make it a grader of its own beside the formula, with a weight.",
            field="graders",
        )
    return at_depth(settings, depth + 1) if isinstance(settings, FormulaOf) else grader.ready(settings)


GRADER = Grader(
    name="formula",
    title="Formula",
    help="Combines the scores of other graders by a formula.",
    parameters=FormulaOf,
    prepare=prepare,
    group="Program",
    low=None,
    high=None,
    order=90,
)
