"""Commands for runs: start, watch, stop, resume, compare."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from app.cli.speech import answer, pairs, read_json, table
from studio.errors import StudioError

Read = TypeVar("Read", bound=BaseModel)


@click.group()
def run() -> None:
    """Start, watch, stop, resume and compare runs."""


@run.command("start")
@click.argument("config", type=click.File("rb"))
@answer(pairs)
def run_start(config: Any) -> dict[str, Any]:
    """Start a run from a JSON file: {"model", "dataset", "technique", "adapter", "parameters", …}."""
    from studio import db, queue, runs

    wanted = _read_as(runs.RunConfig, config)
    with db.transaction() as session:
        started = run_json(runs.launch(session, wanted, who="command line"))
    return started | {"workers_woken": queue.wake_workers().result()}


@run.command("list")
@answer(table("id", "name", "state", "technique", "step", "total_steps", "loss"))
def run_list() -> list[dict[str, Any]]:
    """All runs, the newest first."""
    from studio import db, runs

    with db.reading() as session:
        return [run_json(each) for each in runs.listed(session)]


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
            data = run_json(found) | {
                "parameters": found.parameters,
                "error": found.error,
                "host": found.host,
            }
        if not wait or found.state not in runs.ACTIVE:
            return data
        time.sleep(0.5)


@run.command("doctor")
@click.argument("run_id", type=int)
@answer(lambda data: _speak_doctor(data))
def run_doctor(run_id: int) -> dict[str, Any]:
    """What is wrong with a run, in its own numbers, and which settings would mend it."""
    from app import diagnosis
    from studio import db, runs

    with db.reading() as session:
        return diagnosis.of(session, runs.get(session, run_id))


def _speak_doctor(data: dict[str, Any]) -> str:
    if not data["findings"]:
        return f"Nothing wrong found: {len(data['looked'])} rules looked at {data['steps']:,} steps."
    parts = []
    for found in data["findings"]:
        mends = [
            f"  {each['name']}: {each['before']} → {each['value']} ({each['why']})"
            for each in found["changes"]
        ]
        parts.append("\n".join([f"{found['title']}: {found['diagnosis']}", *mends]))
    return "\n\n".join(parts)


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
        return run_json(runs.stop(session, run_id, who="command line"))


@run.command("resume")
@click.argument("run_id", type=int)
@answer(pairs)
def run_resume(run_id: int) -> dict[str, Any]:
    """Go on with a stopped or failed run from its last checkpoint."""
    from studio import db, queue, runs

    with db.transaction() as session:
        resumed = run_json(runs.resume(session, run_id, who="command line"))
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
            "runs": [run_json(each) for each in found],
            "settings": comparison.table(found, differences_only=not all_settings),
        }


def _speak_comparison(data: dict[str, Any]) -> str:
    names = [f"run {each['id']}" for each in data["runs"]]
    rows = [
        {"setting": row["setting"]} | dict(zip(names, row["values"], strict=True)) for row in data["settings"]
    ]
    rows.append({"setting": "loss"} | {f"run {each['id']}": each["loss"] for each in data["runs"]})
    return table("setting", *names)(rows)


def run_json(each: Any) -> dict[str, Any]:
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


@run.command("script")
@click.argument("run_id", type=int)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@answer(pairs)
def run_script(run_id: int, folder: Path) -> dict[str, Any]:
    """Write a run as a plain training script, with its rows and its libraries' lock, into a new folder."""
    from studio import db, needs, runs, script

    if folder.exists() and any(folder.iterdir()):
        raise StudioError(f"{folder} is not empty.", hint="Name a folder that is not there yet.")
    with db.reading() as session:
        files = script.bundle(session, runs.get(session, run_id))
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return {
        "folder": str(folder),
        "files": len(files),
        "next": f"pip install -r {needs.LOCK}; python train.py",
    }


@run.command("sweep")
@click.argument("config", type=click.File("rb"))
@answer(table("id", "name", "state"))
def run_sweep(config: Any) -> list[dict[str, Any]]:
    """Start several runs from a JSON file: {"config": {…}, "fields": {"learning_rate": [1e-4, 2e-4]}, …}."""
    from studio import db, queue, runs, sweeps

    given = read_json(config)
    if not isinstance(given, dict) or not {"config", "fields"} <= given.keys():
        raise StudioError("The file has no config or no fields.", hint="tunesmith run sweep --help")
    base = _as(runs.RunConfig, given["config"])
    known = {name: given[name] for name in ("name", "method", "count") if name in given}
    with db.transaction() as session:
        sweep = sweeps.launch(session, base, fields=given["fields"], who="command line", **known)
        started = [run_json(each) for each in sweeps.runs_of(session, sweep.id)]
    queue.wake_workers().result()
    return started


@run.command("chain")
@click.argument("config", type=click.File("rb"))
@answer(table("id", "name", "state", "technique"))
def run_chain(config: Any) -> list[dict[str, Any]]:
    """Start runs that wait for one another, from a JSON list of their configurations: the model "step:1" is
    what the first of them makes. RLHF comes ready-made: {"ppo": {…}, "pairs": …, "examples": …} is SFT on the
    examples, a reward model from the pairs, and PPO against it."""
    from studio import chains, db, queue, runs

    given = read_json(config)
    if isinstance(given, list):
        steps = [_as(runs.RunConfig, each) for each in given]
    else:
        steps = chains.rm_ppo(_as(chains.Rlhf, given))
    with db.transaction() as session:
        started = [run_json(each) for each in chains.launch(session, steps, who="command line")]
    queue.wake_workers().result()
    return started


class RunOrFile(click.File):
    """The number of a run, or a file."""

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        return int(value) if str(value).isdigit() else super().convert(value, param, context)


@run.command("trace")
@click.argument("run_or_file", metavar="ID|CONFIG.json", type=RunOrFile("rb"))
@answer(lambda data: _speak_trace(data))
def run_trace(run_or_file: Any) -> dict[str, Any]:
    """Trace how much memory a run needs, with its own trainer and without training. Needs what a worker
    has installed."""
    from app.setup import tracing
    from studio import db, runs

    with db.reading() as session:
        if isinstance(run_or_file, int):
            config = runs.config_of(runs.get(session, run_or_file))
        else:
            config = _read_as(runs.RunConfig, run_or_file)
        asked = tracing.asked_of(session, config)
    return asdict(tracing.trace(asked))


def _speak_trace(data: dict[str, Any]) -> str:
    from studio.estimate import said

    peak = f"{said(data['total'])} at the peak, {data['moment']}."
    formula = f"The formula says {said(data['closed_form'])}."
    return "\n".join([peak, formula, *data["notes"], f"Traced in {data['seconds']:.0f} s."])


@run.command("lab")
@click.argument("config", type=click.File("rb"))
@answer(lambda data: _speak_lab(data))
def run_lab(config: Any) -> dict[str, Any]:
    """Try a reward on a model before reinforcement learning, from a JSON file: {"model", "dataset",
    "graders": [{"grader": "exact_match"}], "prompts": 32, "samples": 8}. Waits for the answer."""
    from studio import db, lab, queue

    wanted = _read_as(lab.LabConfig, config)
    with db.transaction() as session:
        run_id = lab.launch(session, wanted, who="command line").id
    queue.wake_workers().result()

    def tell(session: Any, found: Any) -> dict[str, Any]:
        told = lab.as_json(session, found)
        return (told.pop("findings") or found.error) | told

    return _when_ended(run_id, tell)


@run.command("evaluate")
@click.argument("config", type=click.File("rb"))
@answer(lambda data: _speak_evaluation(data))
def run_evaluation(config: Any) -> dict[str, Any]:
    """Measure models on held-out questions, from a JSON file: {"contestants": ["a model", {"model": 3,
    "prompting": {"system": "…"}}], "dataset", "graders": ["exact_match"], "items": 300}. The base of each
    tuned model is measured too. Waits for the answers."""
    from studio import db, evaluations, queue
    from studio.evaluations import results

    wanted = _read_as(evaluations.EvaluationConfig, config)
    with db.transaction() as session:
        run_id = evaluations.launch(session, wanted, who="command line").id
    queue.wake_workers().result()

    def tell(session: Any, found: Any) -> dict[str, Any]:
        told = results.of(session, found)
        return {"contestants": evaluations.names(found)} | (asdict(told) if told else found.error)

    return _when_ended(run_id, tell)


def _when_ended(run_id: int, tell: Callable[[Any, Any], dict[str, Any]]) -> dict[str, Any]:
    """Waits until the run has ended, and tells of it."""
    from studio import db, runs

    while True:
        with db.reading() as session:
            found = runs.get(session, run_id)
            if found.state not in runs.ACTIVE:
                return {"id": run_id, "state": found.state} | tell(session, found)
        time.sleep(0.5)


def _speak_evaluation(data: dict[str, Any]) -> str:
    if "figures" not in data:
        return pairs(data)
    names = data["contestants"]
    figures = [
        {"model": names[each["contestant"]], "metric": each["metric"], "95 %": _said(each["mean"])}
        for each in data["figures"]
    ]
    differences = [
        {
            "model": names[each["contestant"]],
            "metric": each["metric"],
            f"change from {names[0]}": _said(each["change"]),
            "verdict": each["verdict"],
        }
        for each in data["differences"]
    ]
    parts = [table("model", "metric", "95 %")(figures)]
    if differences:
        parts.append(table("model", "metric", f"change from {names[0]}", "verdict")(differences))
    return "\n\n".join(parts)


def _said(interval: dict[str, float]) -> str:
    """A share with its interval: 0.7125 (0.675 to 0.7472)."""
    return "{value:.4g} ({low:.4g} to {high:.4g})".format(**interval)


def _speak_lab(data: dict[str, Any]) -> str:
    figures = {name: value for name, value in data.items() if name not in ("best", "worst")}
    lists = [
        f"{title}\n{table('reward', 'prompt', 'answer')([_on_a_line(each) for each in data[name]])}"
        for name, title in (("best", "Best answers"), ("worst", "Worst answers"))
        if data[name]
    ]
    return "\n\n".join([pairs(figures), *lists])


def _on_a_line(answer: dict[str, Any]) -> dict[str, Any]:
    words = {name: " ".join(answer[name].split()) for name in ("prompt", "answer")}
    return words | {"reward": answer["scores"]["reward"]}


def _read_as(kind: type[Read], file: Any) -> Read:
    return _as(kind, read_json(file))


def _as(kind: type[Read], given: Any) -> Read:
    """Raises StudioError naming the first field that is wrong."""
    try:
        return kind.model_validate(given)
    except ValidationError as problem:
        first = problem.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        fields = ", ".join(kind.model_fields)
        raise StudioError(f"{name}: {first['msg']}.", hint=f"Fields: {fields}.", field=name) from problem
