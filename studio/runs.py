"""Runs: launched, stopped, resumed, compared. The only place where a run's state changes.

A run in progress is never touched by the web process: it writes a wish, and the run's own runner carries
it out. What a runner may write is in `studio.attempts`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session, load_only, selectinload

from studio import adapters, events, lineage, parameters, storage, tags, techniques
from studio.adapters import Adapter
from studio.datasets import library
from studio.errors import NotFound, Refused, StudioError
from studio.graders.choice import GraderChoice
from studio.models import DatasetVersion, Kind, Run, State, Wish, now
from studio.techniques import Technique

MOVES: dict[State, set[State]] = {
    State.QUEUED: {State.CLAIMED, State.CANCELLED, State.PAUSED},
    State.CLAIMED: {State.RUNNING, State.QUEUED, State.FAILED, State.CANCELLED, State.PAUSED},
    State.RUNNING: {State.SUCCEEDED, State.QUEUED, State.FAILED, State.CANCELLED, State.PAUSED},
    State.PAUSED: {State.QUEUED, State.CANCELLED},
    State.FAILED: {State.QUEUED},
    State.CANCELLED: {State.QUEUED},
    State.SUCCEEDED: set(),
}
ACTIVE = {State.QUEUED, State.CLAIMED, State.RUNNING}
GOING = {*ACTIVE, State.PAUSED}  # will still make a model, as far as anybody knows
IN_PROGRESS = {State.CLAIMED, State.RUNNING}
CHARTED = (Kind.TRAIN, Kind.IMPORTED)  # stand in the table of runs and beside one another
RESUMABLE = {State.PAUSED, State.FAILED, State.CANCELLED}


class RunConfig(BaseModel):
    """What a person decides about a run: the form, the API and `tunesmith run start` all fill this in.

    `model` is an id, a name, a local folder, a hub id, or `run:7`, what run 7 makes; datasets are a version's
    id, `name` (its newest version) or `name@2`. `inputs` are what the technique reads besides, by the names
    it gives them; `graders` score the answers of techniques that learn from a reward.
    """

    model_config = ConfigDict(extra="forbid")
    name: str = Field("", max_length=200)
    technique: str = "sft"
    adapter: str = "lora"
    model: str | int = ""
    dataset: str | int = ""
    held_out: str | int = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    adapter_parameters: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, str | int] = Field(default_factory=dict)
    graders: list[GraderChoice] = Field(default_factory=list)
    seed: int = Field(42, ge=0, le=2**31 - 1)
    gpus: int = Field(1, ge=1, le=1024)
    priority: int = Field(0, ge=-100, le=100)
    project: int | None = None
    recommendation: int | None = None
    parent: int | None = None
    sweep: int | None = None
    tags: list[str] = Field(default_factory=list)


def missing(config: RunConfig) -> list[str]:
    """What the Start button still waits for, in words that follow “Choose”."""
    wanted = {"a model": config.model, "a dataset": config.dataset, "a technique": config.technique}
    lacking = [what for what, value in wanted.items() if value in ("", None)]
    if not techniques.has(config.technique):
        return lacking
    technique = techniques.get(config.technique)
    lacking += [
        f"a {each.title.lower()}"
        for each in technique.inputs
        if each.required and config.inputs.get(each.name) in ("", None)
    ]
    return lacking + (["a grader"] if technique.graded and not config.graders else [])


def launch(session: Session, config: RunConfig, who: str = "") -> Run:
    """Checks `config` and queues the run. Raises StudioError naming the field that is wrong.

    Wake the workers after the commit (`queue.wake_workers`)."""
    if lacking := missing(config):
        raise StudioError(f"Choose {_listed(lacking)} first.", field=lacking[0].split()[-1])
    technique, adapter = techniques.get(config.technique), adapters.get(config.adapter)
    _check_adapter(technique, adapter)
    dataset = library.find_version(session, config.dataset)
    held_out = library.find_version(session, config.held_out) if config.held_out else None
    _check_shape(technique, dataset, technique.shapes, "dataset")
    if held_out:
        _check_shape(technique, held_out, technique.shapes + technique.held_out_shapes, "held_out")
        _check_apart(dataset, held_out)
    reads = lineage.read(session, config, technique)
    start = lineage.whole(session, reads.model or lineage.awaited(session, config.model))
    suggested = technique.suggest(adapter.name, start.parameters if start else None)
    settings = parameters.validate(technique.parameters, suggested | config.parameters, technique.title)
    of_adapter = parameters.validate(adapter.parameters, config.adapter_parameters, adapter.title)
    run = Run(
        name=config.name.strip() or _default_name(session, technique, dataset),
        technique=technique.name,
        adapter=adapter.name,
        model=reads.model,
        dataset_version=dataset,
        held_out=held_out,
        project_id=config.project,
        recommendation_id=config.recommendation,
        parent_id=config.parent,
        after_id=reads.after,
        sweep_id=config.sweep,
        parameters=settings.model_dump(mode="json"),
        adapter_parameters=of_adapter.model_dump(mode="json"),
        inputs=reads.inputs,
        graders=[each.model_dump(mode="json") for each in reads.graders],
        seed=config.seed,
        gpus=config.gpus,
        priority=config.priority,
        tags=tags.cleaned(config.tags),
    )
    session.add(run)
    session.flush()
    events.record(session, "run launched", f"run:{run.id}", who, config=config.model_dump(mode="json"))
    return run


def _listed(words: list[str]) -> str:
    """“a model, a dataset and a grader”."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def serve(session: Session) -> Run:
    """The serving run that answers chats: the one in progress, or a new one in the queue. It loads whatever
    models it is asked for."""
    going = select(Run).where(Run.kind == Kind.SERVE, Run.state.in_(ACTIVE), Run.wish.is_(None))
    run = session.scalar(going.order_by(Run.id).limit(1))
    if run is None:
        run = Run(name="Chat", kind=Kind.SERVE, priority=50)
        session.add(run)
        session.flush()
    return run


def get(session: Session, run_id: int) -> Run:
    run = session.get(Run, run_id, options=[selectinload(Run.model), selectinload(Run.dataset_version)])
    if run is None:
        raise NotFound(f"There is no run {run_id}.", hint="The Runs page lists all of them.")
    return run


def imported(session: Session, name: str, *, source: str, who: str = "") -> Run:
    """A run that was carried out elsewhere and is over."""
    run = Run(name=name[:200], kind=Kind.IMPORTED, state=State.SUCCEEDED, attempt=1, ended=now())
    run.note = f"Imported from {source}."
    session.add(run)
    session.flush()
    events.record(session, "run imported", f"run:{run.id}", who, why=f"from {source}")
    return run


def heads(session: Session, run_ids: Sequence[int]) -> list[Run]:
    """Several runs in the order asked for, in one question and without what is long in them."""
    columns = (Run.name, Run.kind, Run.technique, Run.state, Run.attempt, Run.step, Run.total_steps)
    short = load_only(*columns, Run.created)
    found = {run.id: run for run in session.scalars(select(Run).where(Run.id.in_(run_ids)).options(short))}
    return [found.get(run_id) or get(session, run_id) for run_id in run_ids]


def listed(session: Session, *, kinds: Sequence[Kind] = CHARTED, limit: int = 500) -> list[Run]:
    """Runs, the newest first."""
    return list(
        session.scalars(
            select(Run)
            .where(Run.kind.in_(kinds))
            .order_by(Run.id.desc())
            .limit(limit)
            .options(selectinload(Run.model), selectinload(Run.dataset_version))
        )
    )


def move(session: Session, run: Run, state: State, who: str = "", **details: Any) -> None:
    """The one way a state changes; refuses a move that makes no sense."""
    if state not in MOVES[run.state]:
        raise Refused(f"Run {run.id} is {run.state}; it cannot become {state}.")
    before, run.state = run.state, state
    if state in IN_PROGRESS and run.started is None:
        run.started = now()
    if state not in ACTIVE:
        run.ended, run.wish, run.activity, run.seconds_left = now(), None, "", None
    events.record(
        session, f"run {state}", f"run:{run.id}", who, before=before, attempt=run.attempt, **details
    )


def stop(session: Session, run_id: int, *, pause: bool = False, who: str = "") -> Run:
    """Asks a run to save a checkpoint and end. A run still in the queue ends at once."""
    run = get(session, run_id)
    if run.state not in ACTIVE and not (run.state == State.PAUSED and not pause):
        raise Refused(f"“{run.name}” is {run.state} already.", hint="There is nothing to stop.")
    if run.state in IN_PROGRESS:
        run.wish = Wish.PAUSE if pause else Wish.STOP
        events.record(session, f"run asked to {run.wish}", f"run:{run.id}", who)
    else:
        move(session, run, State.PAUSED if pause else State.CANCELLED, who)
    return run


def resume(session: Session, run_id: int, who: str = "") -> Run:
    """Puts a stopped or failed run back in the queue; it goes on from its newest checkpoint."""
    run = get(session, run_id)
    if run.state not in RESUMABLE:
        raise Refused(f"“{run.name}” is {run.state}, not stopped.", hint="Clone it to train again.")
    run.error, run.crashes, run.ended, run.wish = {}, 0, None, None
    move(session, run, State.QUEUED, who)
    return run


def config_of(run: Run) -> RunConfig:
    """The configuration that would launch this run again: what cloning starts from."""
    return RunConfig(
        name=f"{run.name} copy"[:200],
        technique=run.technique,
        adapter=run.adapter,
        model=run.model_id or run.inputs.get("model", ""),
        dataset=run.dataset_version_id or "",
        held_out=run.held_out_id or "",
        parameters=run.parameters,
        adapter_parameters=run.adapter_parameters,
        inputs={name: value for name, value in run.inputs.items() if name != "model"},
        graders=run.graders,
        seed=run.seed,
        gpus=run.gpus,
        priority=run.priority,
        project=run.project_id,
        parent=run.id,
        tags=run.tags,
    )


def ahead(session: Session, run: Run) -> int:
    """How many runs in the queue are served before this one."""
    earlier = (Run.priority > run.priority) | ((Run.priority == run.priority) & (Run.id < run.id))
    return (
        session.scalar(select(func.count()).where(Run.state == State.QUEUED, Run.kind == run.kind, earlier))
        or 0
    )


def delete(session: Session, run_id: int, who: str = "") -> list[Path]:
    """Removes an ended run with its metrics and samples; models made by it stay. Returns the folders to
    remove after the commit."""
    run = get(session, run_id)
    if run.state in ACTIVE:
        raise Refused(f"“{run.name}” is {run.state}.", hint="Stop it first.")
    events.record(session, "run deleted", f"run:{run.id}", who, name=run.name)
    session.delete(run)
    folder = storage.run_folder(run_id)
    return [folder / "checkpoints", folder / "attempts"]


def _check_adapter(technique: Technique, adapter: Adapter) -> None:
    if not technique.fits_adapter(adapter.name):
        fitting = " or ".join(each.title for each in adapters.all() if technique.fits_adapter(each.name))
        raise StudioError(
            f"{technique.title} does not go with {adapter.title}.", hint=f"Choose {fitting}.", field="adapter"
        )


def _check_shape(technique: Technique, version: DatasetVersion, shapes: tuple[str, ...], field: str) -> None:
    if version.shape not in shapes:
        raise StudioError(
            f"{technique.title} cannot use “{version.title}”: its rows are {version.shape}.",
            hint=f"It needs {' or '.join(shapes)} rows.",
            field=field,
        )


def _check_apart(dataset: DatasetVersion, held_out: DatasetVersion) -> None:
    if dataset.sha256 == held_out.sha256:
        raise StudioError(
            "The held-out data is the training data: the score would only show what was memorised.",
            hint="Split some rows off on the dataset's page, and measure on those.",
            field="held_out",
        )


def _default_name(session: Session, technique: Technique, dataset: DatasetVersion) -> str:
    number = (session.scalar(select(func.count()).select_from(Run).where(Run.kind == Kind.TRAIN)) or 0) + 1
    return f"{dataset.dataset.name} {technique.name} {number}"
