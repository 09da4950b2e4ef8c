"""Commands for graders: what there is, one answer tried, graders of other services taken over."""

from pathlib import Path
from typing import Any

import click
import orjson

from app.cli.speech import answer, pairs, read_json, table
from studio.errors import StudioError


@click.group()
def grader() -> None:
    """What scores answers: the reward of a run, the metric of an evaluation."""


@grader.command("list")
@answer(table("name", "title", "group", "help"))
def grader_list() -> list[dict[str, Any]]:
    """The graders this studio has."""
    from studio import graders

    return [
        {"name": g.name, "title": g.title, "group": g.group, "help": g.help, "needs_worker": bool(g.scorer)}
        for g in graders.all()
    ]


@grader.command("try")
@click.argument("name")
@click.argument("text", metavar="ANSWER")
@click.option("--reference", default="", help="The reference answer.")
@click.option("--prompt", default="", help="The question.")
@click.option("--row", type=click.File("rb"), help="A JSON file with further columns of the row.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting; a value may be JSON."
)
@answer(pairs)
def grader_try(
    name: str, text: str, reference: str, prompt: str, row: Any, settings: tuple[str, ...]
) -> dict[str, Any]:
    """Score one ANSWER with the grader NAME."""
    from studio.graders import Case, trial
    from studio.graders.choice import GraderChoice

    columns = read_json(row) if row else {}
    if not isinstance(columns, dict):
        raise StudioError("The row must be a JSON object.", hint='{"reference_answer": "51"}')
    reference = reference or columns.get("reference_answer", "")
    case = Case(answer=text, reference=reference, prompt=prompt, row=columns)
    found = trial.run(GraderChoice(grader=name, parameters=dict(map(_setting, settings))), case)
    return {"score": found.score, "note": found.note}


@grader.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice(["openai", "bedrock"]), help="Told from the file, when left out.")
@answer(lambda found: orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
def grader_import(file: Path, kind: str | None) -> list[dict[str, Any]]:
    """Turn OpenAI's grader JSON, or the Python of a Bedrock reward function, into graders of a run."""
    from studio.graders import imports

    return [choice.model_dump(mode="json") for choice in imports.take_over(file.read_bytes(), kind or "")]


def _setting(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found:
        raise StudioError(f"“{text}” is no setting.", hint="Write NAME=VALUE, such as absolute=0.01.")
    try:
        return name.strip(), orjson.loads(value)
    except orjson.JSONDecodeError:
        return name.strip(), value


COMMANDS = (grader,)
