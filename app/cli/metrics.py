"""Commands for what runs logged: from elsewhere, to elsewhere, thinned. They belong to `tunesmith run`."""

from pathlib import Path
from typing import Any

import click

from app.cli.running import run, run_json
from app.cli.speech import answer, pairs, table


@run.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--name", default="", help="The run's name; the folder's, when left out.")
@answer(pairs)
def run_import(path: Path, name: str) -> dict[str, Any]:
    """Make a finished run of metrics logged elsewhere, to compare it: trainer_state.json, a TensorBoard event
    file, JSONL or CSV with a step in each row, or a folder with one of the first two."""
    from studio import db
    from studio.metrics import imports

    with db.transaction() as session:
        return run_json(imports.add(session, path, name, who="command line"))


@run.command("export")
@click.argument("run_id", type=int)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--as", "way", type=click.Choice(["csv", "tensorboard", "mlflow"]), default="csv", show_default=True
)
@answer(pairs)
def run_export(run_id: int, folder: Path, way: str) -> dict[str, Any]:
    """Write a run's metrics into a folder: a CSV file, or what TensorBoard or MLflow show."""
    from studio import db, runs
    from studio.metrics import exports

    folder.mkdir(parents=True, exist_ok=True)
    with db.reading() as session:
        exports.WAYS[way](session, runs.get(session, run_id), folder)
    return {"folder": str(folder)}


@run.command("thin")
@click.option("--older-than", "days", type=click.FloatRange(min=0), required=True, help="Days since the end.")
@click.option("--dry-run", is_flag=True, help="Only say which runs they are.")
@answer(table("id", "moments"))
def run_thin(days: float, dry_run: bool) -> list[dict[str, Any]]:
    """Keep of long ended runs the extremes of every 64 points. Their pages say so; it cannot be undone."""
    from studio import db
    from studio.metrics import upkeep

    with db.reading() as session:
        found = upkeep.old(session, days)
    if dry_run:
        return [{"id": run_id, "moments": "–"} for run_id in found]
    thinned = []
    for run_id in found:
        with db.transaction() as session:
            moments = upkeep.thin(session, run_id, days, who="command line")
        thinned.append({"id": run_id, "moments": moments})
    return thinned


COMMANDS = (run,)
