"""The command line: the same functions as pages and API.

Every command takes `--json`. Exit codes: 0 done, 2 refused with a message on stderr. Anything else is a bug.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
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


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tunesmith")
def main() -> None:
    """Tunesmith: a studio for fine-tuning language models, on your own machines."""


# ---- starting and looking after -------------------------------------------------------------------------


@main.command()
@click.option(
    "--open/--no-open", "open_browser", default=True, help="Open the page where there is a desktop."
)
def up(open_browser: bool) -> None:
    """Start everything on this machine: database, broker, web and worker. Ctrl-C stops it."""
    from app import launcher

    launcher.prepare()
    launcher.Studio().run("/", open_browser=open_browser)


@main.command()
@click.option(
    "--open/--no-open", "open_browser", default=True, help="Open the page where there is a desktop."
)
def demo(open_browser: bool) -> None:
    """Like `up`, with the synthetic sample use case loaded and its first run started."""
    from app import launcher
    from studio import sample

    launcher.prepare()
    run_id = sample.start()
    launcher.Studio().run(f"/run?id={run_id}", open_browser=open_browser)


@main.command()
def web() -> None:
    """Start the web process alone (for a served studio)."""
    import uvicorn

    from app import launcher
    from studio import db, migration, settings, users

    _demand_tables(*migration.current())
    with db.reading() as session:
        launcher.check_door(users.any_exist(session))
    known = settings.get()
    uvicorn.run(
        "app.main:build",
        factory=True,
        host=known.host,
        port=known.port,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )


@main.command()
def worker() -> None:
    """Start a worker alone: it joins the studio whose database and broker the settings name."""
    from app import launcher
    from studio import migration

    _demand_tables(*migration.current())
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execv(sys.executable, launcher.worker_command())


def _demand_tables(at: str | None, wanted: str | None) -> None:
    if at != wanted:
        raise StudioError("The database is not at this version's tables.", hint="Run: tunesmith migrate")


@main.command()
@answer(lambda data: f"The database is at {data['now']}.")
def migrate() -> dict[str, Any]:
    """Bring the database to this version's tables, and create what a new studio needs."""
    from app import launcher
    from studio import migration

    before = migration.current()[0]
    launcher.prepare()
    return {"before": before, "now": migration.current()[0]}


@main.command()
@answer(lambda data: "\n".join(f"{'ok  ' if c['ok'] else 'BAD '} {c['check']}: {c['says']}" for c in data))
def doctor() -> list[dict[str, Any]]:
    """Check this machine: versions, folder, database, broker, devices."""
    from app import checkup

    return checkup.all_checks()


@main.group()
def user() -> None:
    """People who may log in."""


@user.command("add")
@click.argument("name")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
@answer(lambda data: f"{data['name']} may log in.")
def user_add(name: str, password: str) -> dict[str, Any]:
    """Add somebody, or give them a new password. From then on the studio asks for a login."""
    from studio import db, users

    with db.transaction() as session:
        return {"name": users.put(session, name, password).name}


# ---- datasets, guide, techniques, models -----------------------------------------------------------------


@main.group()
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


@main.command()
@click.argument("answers", type=click.File("rb"))
@answer(
    lambda data: "\n".join([f"{data['technique']} ({data['rule']})", *data["reasons"], data["next_step"]])
)
def guide(answers: Any) -> dict[str, Any]:
    """Say which technique fits the answers in a JSON file, and why."""
    from studio.guide import questions, rules

    found = rules.recommend(questions.read_answers(_read_json(answers)))
    wanted = {"technique", "rule", "reasons", "ruled_out", "data_gap", "phase", "flags", "next_step"}
    return found.model_dump(mode="json", include=wanted)


@main.command()
@answer(table("name", "title", "group", "phase", "shape"))
def techniques() -> list[dict[str, Any]]:
    """The techniques this studio has."""
    from studio import techniques

    return [
        {"name": t.name, "title": t.title, "group": t.group, "phase": t.phase, "shape": t.shapes[0]}
        for t in techniques.all()
    ]


@main.group()
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


def _read_json(file: Any) -> Any:
    try:
        return orjson.loads(file.read())
    except orjson.JSONDecodeError as problem:
        raise StudioError(
            f"{getattr(file, 'name', 'The file')} is no JSON: {problem.msg}, line {problem.lineno}."
        ) from problem


# ---- runs --------------------------------------------------------------------------------------------------


@main.group()
def run() -> None:
    """Start, watch, stop, resume and compare runs."""


@run.command("start")
@click.argument("config", type=click.File("rb"))
@answer(pairs)
def run_start(config: Any) -> dict[str, Any]:
    """Start a run from a JSON file: {"model", "dataset", "technique", "adapter", "parameters", …}."""
    from pydantic import ValidationError

    from studio import db, queue, runs

    given = _read_json(config)
    try:
        wanted = runs.RunConfig.model_validate(given)
    except ValidationError as problem:
        first = problem.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        fields = ", ".join(runs.RunConfig.model_fields)
        raise StudioError(f"{name}: {first['msg']}.", hint=f"Fields: {fields}.", field=name) from problem
    with db.transaction() as session:
        started = _run_json(runs.launch(session, wanted, who="command line"))
    return started | {"workers_woken": queue.wake_workers().result()}


@run.command("list")
@answer(table("id", "name", "state", "technique", "step", "total_steps", "loss"))
def run_list() -> list[dict[str, Any]]:
    """All runs, the newest first."""
    from studio import db, runs

    with db.reading() as session:
        return [_run_json(each) for each in runs.listed(session)]


@run.command("show")
@click.argument("run_id", type=int)
@click.option("--wait", is_flag=True, help="Return when the run has ended.")
@answer(pairs)
def run_show(run_id: int, wait: bool) -> dict[str, Any]:
    """One run, with its settings."""
    from studio import db, runs

    while True:
        with db.reading() as session:
            found = runs.get(session, run_id)
            data = _run_json(found) | {
                "parameters": found.parameters,
                "error": found.error,
                "host": found.host,
            }
        if not wait or found.state not in runs.ACTIVE:
            return data
        time.sleep(0.5)


@run.command("logs")
@click.argument("run_id", type=int)
@answer(lambda data: str(data["log"]).rstrip())
def run_logs(run_id: int) -> dict[str, Any]:
    """The end of what the trainer printed."""
    from studio import attempts, db, runs

    with db.reading() as session:
        return {"log": attempts.log_of(session, runs.get(session, run_id).id)}


@run.command("stop")
@click.argument("run_id", type=int)
@answer(pairs)
def run_stop(run_id: int) -> dict[str, Any]:
    """Ask a run to save a checkpoint and end."""
    from studio import db, runs

    with db.transaction() as session:
        return _run_json(runs.stop(session, run_id, who="command line"))


@run.command("resume")
@click.argument("run_id", type=int)
@answer(pairs)
def run_resume(run_id: int) -> dict[str, Any]:
    """Go on with a stopped or failed run from its last checkpoint."""
    from studio import db, queue, runs

    with db.transaction() as session:
        resumed = _run_json(runs.resume(session, run_id, who="command line"))
    queue.wake_workers()
    return resumed


@run.command("compare")
@click.argument("run_ids", type=int, nargs=-1, required=True)
@click.option("--all", "all_settings", is_flag=True, help="Also the settings that do not differ.")
@answer(lambda data: _speak_comparison(data))
def run_compare(run_ids: tuple[int, ...], all_settings: bool) -> dict[str, Any]:
    """Settings that differ between runs, and where each got to."""
    from studio import comparison, db, runs

    if len(run_ids) < 2:
        raise StudioError("Name at least two runs.", hint="tunesmith run compare 7 8")
    with db.reading() as session:
        found = [runs.get(session, run_id) for run_id in run_ids]
        return {
            "runs": [_run_json(each) for each in found],
            "settings": comparison.table(found, differences_only=not all_settings),
        }


def _speak_comparison(data: dict[str, Any]) -> str:
    names = [f"run {each['id']}" for each in data["runs"]]
    rows = [
        {"setting": row["setting"]} | dict(zip(names, row["values"], strict=True)) for row in data["settings"]
    ]
    rows.append({"setting": "loss"} | {f"run {each['id']}": each["loss"] for each in data["runs"]})
    return table("setting", *names)(rows)


def _run_json(each: Any) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "state": each.state,
        "technique": each.technique,
        "adapter": each.adapter,
        "step": each.step,
        "total_steps": each.total_steps,
        "loss": each.latest.get("loss") if each.latest else None,
        "activity": each.activity,
        "attempt": each.attempt,
        "created": each.created,
    }


if __name__ == "__main__":
    main()
