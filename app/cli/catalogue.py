"""Commands for what a run is made of: datasets, the guide, techniques, models."""

from pathlib import Path
from typing import Any

import click

from app.cli.speech import answer, pairs, read_json, table


@click.group()
def dataset() -> None:
    """Look at files, and keep them as datasets."""


@dataset.command("inspect")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "format_", help="Read it as this format instead of the detected one.")
@answer(lambda data: _speak_report(data))
def dataset_inspect(file: Path, format_: str | None) -> dict[str, Any]:
    """Say what a file contains: its format, shape, rows, bad rows and findings. Keeps nothing."""
    from studio.datasets import inspection

    return inspection.inspect(file, name=file.name, format=format_).model_dump(mode="json")


@dataset.command("add")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", default="", help="The dataset's name; the file's, when left out.")
@click.option("--format", "format_", help="Read it as this format instead of the detected one.")
@answer(pairs)
def dataset_add(file: Path, name: str, format_: str | None) -> dict[str, Any]:
    """Keep a file as a dataset, or as the next version of one."""
    from studio import db
    from studio.datasets import library

    folder, report = library.prepare(file, file.name, format=format_)
    with db.transaction() as session:
        version = library.add(session, folder, report, name=name, original=file.name)
        return {
            "dataset": version.dataset.name,
            "dataset_id": version.dataset_id,
            "version": version.number,
            "version_id": version.id,
            "shape": version.shape,
            "rows": version.rows,
            "bad_rows": version.bad_rows,
        }


@dataset.command("list")
@answer(table("id", "name", "version", "shape", "rows"))
def dataset_list() -> list[dict[str, Any]]:
    """All datasets with their newest version."""
    from studio import db
    from studio.datasets import library

    with db.reading() as session:
        newest = [(d, d.versions[-1]) for d in library.listed(session) if d.versions]
        return [
            {
                "id": d.id,
                "name": d.name,
                "version": v.number,
                "version_id": v.id,
                "shape": v.shape,
                "rows": v.rows,
            }
            for d, v in newest
        ]


def _speak_report(report: dict[str, Any]) -> str:
    lines = [f"{report['format_title']}: {report['rows']} rows of shape {report['shape']}. {report['why']}"]
    lines += [f"  line {bad['line']}: {bad['reason']}" for bad in report["bad_rows"][:20]]
    lines += [f"  {f['severity']}: {f['title']} ({f['count']}). {f['next_step']}" for f in report["findings"]]
    return "\n".join(lines)


@click.command()
@click.argument("answers", type=click.File("rb"))
@answer(
    lambda data: "\n".join([f"{data['technique']} ({data['rule']})", *data["reasons"], data["next_step"]])
)
def guide(answers: Any) -> dict[str, Any]:
    """Say which technique fits the answers in a JSON file, and why."""
    from studio import db, recommendations
    from studio.guide import questions, rules

    read = questions.read_answers(read_json(answers))
    with db.reading() as session:
        found = rules.recommend(read, recommendations.guide(session))
    wanted = {"technique", "rule", "reasons", "ruled_out", "data_gap", "phase", "flags", "next_step"}
    return found.model_dump(mode="json", include=wanted)


@click.command()
@answer(table("name", "title", "group", "phase", "shape"))
def techniques() -> list[dict[str, Any]]:
    """The techniques this studio has."""
    from studio import techniques

    return [
        {"name": t.name, "title": t.title, "group": t.group, "phase": t.phase, "shape": t.shapes[0]}
        for t in techniques.all()
    ]


@click.group()
def model() -> None:
    """Base models and what runs made."""


@model.command("list")
@answer(table("id", "name", "parameters", "source"))
def model_list() -> list[dict[str, Any]]:
    """All models."""
    from studio import db, weights

    with db.reading() as session:
        return [
            {"id": m.id, "name": m.name, "parameters": m.parameters, "source": m.source, "run": m.run_id}
            for m in weights.listed(session)
        ]


@model.command("add")
@click.argument("source")
@click.option("--name", default="")
@answer(pairs)
def model_add(source: str, name: str) -> dict[str, Any]:
    """Register a local folder or a hub id."""
    from studio import db, weights

    with db.transaction() as session:
        added = weights.add(session, source, name=name)
        return {"id": added.id, "name": added.name, "parameters": added.parameters}


COMMANDS = (dataset, guide, techniques, model)
