"""Takes over graders written for other services, as they are: OpenAI's grader JSON, and Amazon Bedrock's
reward functions (the Python of the Lambda function, or the address of one).

They become graders of a run with their settings; nothing is called or run here. Scores agree with what the
service gives, but for rows it could not grade: there they count 0, here the grader says nothing."""

import ast
import json
import re
from collections.abc import Callable
from typing import Any

import orjson

from studio.errors import StudioError
from studio.graders import outgoing, templates
from studio.graders.arithmetic import Formula
from studio.graders.choice import GraderChoice, settings_of

OPENAI = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"
WRAPPERS = ("method", "reinforcement", "grader")  # the body of a fine-tuning job; a request to try a grader
SAMPLING = {"max_completions_tokens": "max_completion_tokens"}
Made = tuple[str, dict[str, Any]]


def import_openai(document: str | bytes | dict[str, Any] | list[Any]) -> list[GraderChoice]:
    """OpenAI's grader JSON, or a request or job that holds one. A `multi` that is a weighted sum becomes one
    grader a part, each charted by itself; another becomes a formula.

    Raises StudioError naming what cannot be taken over."""
    given = _parsed(document) if isinstance(document, str | bytes) else document
    for key in WRAPPERS:
        if isinstance(given, dict) and isinstance(given.get(key), dict):
            given = given[key]
    if isinstance(given, dict):
        given = given.get("testing_criteria", [given])
    if not isinstance(given, list) or not given:
        raise _not_openai("there is no grader in it")
    return _named([choice for grader in given for choice in _choices(grader)])


def _parsed(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as problem:
        raise _not_openai(f"it is no JSON: {problem.msg}, line {problem.lineno}") from problem


def _not_openai(why: str) -> StudioError:
    return StudioError(
        f"This is no grader of OpenAI's: {why}.",
        hint=f"A JSON object with a “type”: {', '.join(KINDS)} or multi.",
        field="grader",
    )


def _choices(grader: Any) -> list[GraderChoice]:
    if isinstance(grader, dict) and grader.get("type") == "multi":
        parts, text = _parts(grader), _text(grader, "calculate_output")
        weights = Formula(text).weights()
        if weights and weights.keys() <= parts.keys():
            made = {name: _made(parts[name]) for name in weights}
            return [_choice(*made[name], name=name, weight=weights[name]) for name in weights]
    return [_choice(*_made(grader), name=str(grader.get("name") or ""))]


def _choice(grader: str, parameters: dict[str, Any], name: str, weight: float = 1.0) -> GraderChoice:
    """With every setting checked and filled in."""
    choice = GraderChoice(grader=grader, name=_plain(name), weight=weight, parameters=parameters)
    return choice.model_copy(update={"parameters": settings_of(choice).model_dump(mode="json")})


def _plain(name: str) -> str:
    return re.sub(r"[^\w .:+-]+", "-", name).strip(" -")[:50]


def _named(choices: list[GraderChoice]) -> list[GraderChoice]:
    """Names that are all different."""
    taken: set[str] = set()
    for at, choice in enumerate(choices):
        name = base = choice.name or choice.grader
        number = 1
        while name in taken:
            number += 1
            name = f"{base} {number}"
        taken.add(name)
        choices[at] = choice.model_copy(update={"name": name})
    return choices


# ---- OpenAI's kinds -----------------------------------------------------------------------------------


def _made(grader: Any) -> Made:
    """Our grader's name and its settings."""
    if not isinstance(grader, dict):
        raise _not_openai("a grader in it is no object")
    kind = grader.get("type")
    if kind == "multi":
        return _multi(grader)
    if kind not in KINDS:
        raise _not_openai(f"a grader in it has the type “{kind}”")
    return KINDS[kind](grader)


def _string_check(grader: dict[str, Any]) -> Made:
    operation = _text(grader, "operation")
    compared = {"input": _template(grader, "input"), "reference": _template(grader, "reference")}
    return "string_check", compared | {"operation": "ne" if operation == "neq" else operation}


def _text_similarity(grader: dict[str, Any]) -> Made:
    compared = {"input": _template(grader, "input"), "reference": _template(grader, "reference")}
    return "text_similarity", compared | {"metric": _text(grader, "evaluation_metric")}


def _python(grader: dict[str, Any]) -> Made:
    return "python", {"source": _text(grader, "source")}


def _score_model(grader: dict[str, Any]) -> Made:
    """The judge's score runs from 0 to 1; another range is put back by a formula."""
    low, high = _range(grader)
    made = "judge_service", _asked(grader) | {"mode": "scale", "lowest": low, "highest": high}
    if (low, high) == (0, 1):
        return made
    return "formula", {"formula": f"{low!r} + {high - low!r} * score", "graders": _nested({"score": made})}


def _label_model(grader: dict[str, Any]) -> Made:
    chosen = {name: grader.get(key) for name, key in (("labels", "labels"), ("passing", "passing_labels"))}
    return "judge_service", _asked(grader) | {"mode": "labels"} | chosen


def _multi(grader: dict[str, Any]) -> Made:
    parts, text = _parts(grader), _text(grader, "calculate_output")
    if unknown := sorted(Formula(text).names - parts.keys()):
        raise _not_openai(f"calculate_output uses “{unknown[0]}”, which is none of its graders")
    return "formula", {
        "formula": text,
        "graders": _nested({name: _made(part) for name, part in parts.items()}),
    }


KINDS: dict[str, Callable[[dict[str, Any]], Made]] = {
    "string_check": _string_check,
    "text_similarity": _text_similarity,
    "score_model": _score_model,
    "label_model": _label_model,
    "python": _python,
}


def _nested(parts: dict[str, Made]) -> str:
    """Graders as a formula takes them, their settings checked."""
    checked = {name: _choice(*made, name="") for name, made in parts.items()}
    return json.dumps(
        {name: {"grader": part.grader, "parameters": part.parameters} for name, part in checked.items()},
        ensure_ascii=False,
    )


def _parts(grader: dict[str, Any]) -> dict[str, Any]:
    parts = grader.get("graders")
    if isinstance(parts, list):
        parts = {str(part.get("name")): part for part in parts if isinstance(part, dict)}
    if not isinstance(parts, dict) or not parts:
        raise _not_openai("its “graders” are no object of graders by name")
    return parts


def _text(grader: dict[str, Any], key: str) -> str:
    found = grader.get(key)
    if not isinstance(found, str) or not found.strip():
        raise _not_openai(f"{grader.get('type')} has no “{key}”")
    return found


def _template(grader: dict[str, Any], key: str) -> str:
    found = grader.get(key)
    if not isinstance(found, str):
        raise _not_openai(f"{grader.get('type')} has no “{key}”")
    templates.check(found, key)
    return found


def _range(grader: dict[str, Any]) -> tuple[float, float]:
    match grader.get("range", [0, 1]):
        case [int() | float() as low, int() | float() as high] if low < high:
            return float(low), float(high)
    raise _not_openai("its “range” is no pair of numbers, the lower first")


def _asked(grader: dict[str, Any]) -> dict[str, Any]:
    """Who is asked, what, and how it samples."""
    given = grader.get("input")
    if not isinstance(given, list) or not given:
        raise _not_openai(f"{grader.get('type')} has no list of messages as its “input”")
    sampling = grader.get("sampling_params") or {}
    return {
        "address": OPENAI,
        "key_variable": OPENAI_KEY,
        "model": _text(grader, "model"),
        "messages": json.dumps([_message(said) for said in given], ensure_ascii=False),
        "options": json.dumps({SAMPLING.get(key, key): value for key, value in sampling.items()}),
    }


def _message(said: Any) -> dict[str, str]:
    content = said.get("content") if isinstance(said, dict) else None
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise _not_openai("a message in its “input” holds more than text")
    text = "".join(map(str, texts))
    templates.check(text, "input")
    return {"role": str(said.get("role")), "content": text}


# ---- Amazon Bedrock -----------------------------------------------------------------------------------

HANDLER = "lambda_handler"
CALL = """

# How the studio calls the function above: as reinforcement fine-tuning on Amazon Bedrock does, with one
# conversation at a time.
def grade(sample, item):
    columns = {{name: value for name, value in item.items() if name not in ("messages", "prompt")}}
    answer = {{"role": "assistant", **sample["choices"][0]["message"], "content": sample["output_text"]}}
    messages = [*(item.get("messages") or []), answer]
    found = {handler}([{{"metadata": columns, **columns, "id": "0", "messages": messages}}], None)
    return (found[0] if isinstance(found, list) else found)["aggregate_reward_score"]
"""
APART = """# The reward function, in names of its own because it has a function called grade.
_theirs = {{"__name__": "reward_function"}}
exec({source!r}, _theirs)
"""


def import_bedrock(document: str | bytes) -> list[GraderChoice]:
    """A reward function of Amazon's: its Python becomes a Python grader, its address an HTTP endpoint.

    Raises StudioError for the name of a function in Amazon's cloud, and for code without a handler."""
    text = document.decode(errors="replace") if isinstance(document, bytes) else document
    text = text.lstrip("\ufeff")
    if re.fullmatch(r"\s*https?://\S+\s*", text):
        outgoing.check_address(text.strip(), "address")
        return _named([_choice("http", {"address": text.strip(), "form": "bedrock"}, name="reward function")])
    if "arn:aws" in text and "def " not in text:
        raise StudioError(
            "This names a function in Amazon's cloud, which is not called from here.",
            hint="Import the function's Python code, or the address of an endpoint in front of it.",
            field="grader",
        )
    return _named([_choice("python", {"source": lambda_grader(text)}, name="reward function")])


def lambda_grader(source: str) -> str:
    """The Python of a Lambda function with what makes a grader of it at the end."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        line = getattr(problem, "lineno", None)
        raise StudioError(
            f"This is no Python{f', line {line}' if line else ''}: {problem}.",
            hint="Import the file with lambda_handler(event, context).",
            field="grader",
        ) from problem
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    handlers = [name for name, node in functions.items() if _is_handler(node)]
    handler = HANDLER if HANDLER in functions else handlers[0] if len(handlers) == 1 else ""
    if not handler:
        raise StudioError(
            "The code has no function lambda_handler(event, context).",
            hint="It takes a list of conversations and returns a list with aggregate_reward_score.",
            field="grader",
        )
    if "boto3" in {name.split(".")[0] for name in _imported(tree)}:
        raise StudioError(
            "The code calls Amazon's services (boto3), and the sandbox has no network.",
            hint="Put it behind an address and import that; an AI judge has a grader of its own.",
            field="grader",
        )
    if "grade" in functions:
        return APART.format(source=source) + CALL.format(handler=f'_theirs["{handler}"]')
    return source.rstrip() + "\n" + CALL.format(handler=handler)


def _is_handler(node: ast.FunctionDef) -> bool:
    return [argument.arg for argument in node.args.args] == ["event", "context"]


def _imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


KIND_OF = {"openai": import_openai, "bedrock": import_bedrock}


def take_over(document: str | bytes, kind: str = "") -> list[GraderChoice]:
    """By `kind` (openai, bedrock) or, without one, by what the document looks like."""
    if kind and kind not in KIND_OF:
        raise StudioError(f"There is no kind “{kind}”.", hint=f"One of: {', '.join(KIND_OF)}.", field="kind")
    try:
        found = orjson.loads(document)
    except orjson.JSONDecodeError:
        found = None
    is_openai = isinstance(found, dict | list) and "lambdaArn" not in str(document)
    return KIND_OF[kind or ("openai" if is_openai else "bedrock")](document)
