"""How the command line speaks: JSON or words, and refusals on stderr with code 2. Knows no command."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
import orjson

from studio.errors import StudioError


class Commands(click.Group):
    """Says a StudioError on stderr and leaves with code 2, wherever it was raised."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except StudioError as refusal:
            wants_json = "--json" in sys.argv
            click.echo(
                json.dumps(refusal.as_dict(), ensure_ascii=False) if wants_json else str(refusal), err=True
            )
            context.exit(2)


def answer(speak: Callable[[Any], str]) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """A command returns plain data: printed as JSON with `--json`, else as `speak` puts it for a person."""

    def decorate(command: Callable[..., Any]) -> Callable[..., None]:
        @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
        @wraps(command)
        def run(*, as_json: bool, **given: Any) -> None:
            data = command(**given)
            click.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode() if as_json else speak(data))

        return run

    return decorate


def table(*columns: str) -> Callable[[list[dict[str, Any]]], str]:
    """Rows as aligned columns of text."""

    def speak(rows: list[dict[str, Any]]) -> str:
        lines = [[*columns], *([_short(row.get(column)) for column in columns] for row in rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
        return "\n".join(
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines
        )

    return speak


def pairs(data: dict[str, Any]) -> str:
    """A mapping as lines of name and value."""
    width = max((len(name) for name in data), default=0)
    return "\n".join(f"{name.ljust(width)}  {_short(value, 400)}" for name, value in data.items())


def _short(value: Any, most: int = 60) -> str:
    text = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def read_json(file: Any) -> Any:
    try:
        return orjson.loads(file.read())
    except orjson.JSONDecodeError as problem:
        raise StudioError(
            f"{getattr(file, 'name', 'The file')} is no JSON: {problem.msg}, line {problem.lineno}."
        ) from problem
