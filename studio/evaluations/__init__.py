"""Evaluations: some models answer the same held-out questions, and graders score every answer.

An evaluation is a run of its own kind. Its contestants are models, each asked as it is or through a
`Prompting`; the base that a tuned model began as always answers too, because "better" means better than that.
What the answers say is worked out by `results`, from items that are kept one by one.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio import events, held_out, lineage, prompts, use_cases
from studio.errors import Refused, StudioError
from studio.graders.choice import GraderChoice, settings_of
from studio.models import DatasetVersion, EvaluationItem, Kind, Model, Prompt, Run
from studio.prompting import Prompting
from studio.prompts import examples

MOST_CONTESTANTS = 8


class Contestant(BaseModel):
    """A model, or `run:7`, what run 7 makes; and how it is asked: by `prompting`, or by `prompt`, the id of a
    version from the prompt lab. `name` tells two ways of asking one model apart."""

    model_config = ConfigDict(extra="forbid")
    model: str | int
    name: str = Field("", max_length=200)
    prompting: Prompting = Field(default_factory=Prompting)
    prompt: int | None = None


class EvaluationConfig(BaseModel):
    """`criteria` are those of the use case (`project`), by their place: their graders come before `graders`.

    `items` questions, all of them where it is None. Each is answered once, greedily; and `samples` times
    more at `temperature`, for pass@k, where that is not 0. A contestant may be a model alone, a grader its
    name alone."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field("", max_length=200)
    contestants: list[Contestant] = Field(default_factory=list, max_length=MOST_CONTESTANTS)
    dataset: str | int = ""
    criteria: list[int] = Field(default_factory=list, max_length=use_cases.MOST_CRITERIA)
    graders: list[GraderChoice] = Field(default_factory=list, max_length=20)
    items: int | None = Field(None, ge=1, le=100_000)
    samples: int = Field(0, ge=0, le=64)
    temperature: float = Field(1.0, gt=0, le=5)
    max_tokens: int = Field(256, ge=1, le=16_384)
    seed: int = Field(42, ge=0, le=2**31 - 1)
    project: int | None = None

    @field_validator("contestants", mode="before")
    @classmethod
    def _name_models(cls, given: Any) -> Any:
        return _each(given, "model")

    @field_validator("graders", mode="before")
    @classmethod
    def _name_graders(cls, given: Any) -> Any:
        return _each(given, "grader")

    @field_validator("criteria", mode="before")
    @classmethod
    def _list_criteria(cls, given: Any) -> Any:
        return given if isinstance(given, list | tuple) else [given]


def _each(given: Any, key: str) -> Any:
    """What forms send: one value alone, or values in place of objects."""
    if not isinstance(given, list | tuple):
        given = [given]
    return [{key: each} if isinstance(each, str | int) else each for each in given]


@dataclass(frozen=True)
class Entry:
    """A contestant that was found. `model` is None while the run that makes it is not done; `root` is the
    base it began as; `prompt` the version that `prompting` is of."""

    reference: int | str
    name: str
    prompting: Prompting
    model: Model | None
    root: Model | None
    prompt: Prompt | None = None


def launch(session: Session, config: EvaluationConfig, who: str = "") -> Run:
    """Queues an evaluation, with the bases that nobody entered before the others; it waits for runs that are
    not done. Raises StudioError naming the field that is wrong, Refused where a contestant learned from the
    questions.

    Wake the workers after the commit (`queue.wake_workers`)."""
    config = _with_criteria(session, config)
    _check_complete(config)
    dataset = held_out.questions(session, config.dataset)
    reads = lineage.Reads()
    entries = _with_bases([_enter(session, each, reads) for each in config.contestants])
    for entry in entries:
        _check_unseen(session, entry, dataset)
        examples.check_unseen(entry.prompting, dataset)
    lineage.read_graders(session, config.graders, reads)
    how = config.model_dump(mode="json", include={"items", "samples", "temperature", "max_tokens"})
    asked = [_as_kept(each) for each in entries]
    run = Run(
        name=(config.name.strip() or f"Evaluation: {dataset.title}")[:200],
        kind=Kind.EVALUATE,
        model=entries[0].model,
        held_out=dataset,
        project_id=_project(config, entries),
        after_id=reads.after,
        inputs={str(place): each.reference for place, each in enumerate(entries)},
        parameters={**how, "contestants": asked},
        graders=[each.model_dump(mode="json") for each in reads.graders],
        seed=config.seed,
        priority=10,  # before trainings: it is short, and the next decision waits for it
    )
    session.add(run)
    session.flush()
    events.record(session, "evaluation launched", f"run:{run.id}", who, config=config.model_dump(mode="json"))
    return run


def _as_kept(entry: Entry) -> dict[str, Any]:
    """A contestant as its run remembers it; `prompt` is its version's id."""
    prompt = entry.prompt.id if entry.prompt else None
    return {"name": entry.name, "prompting": entry.prompting.model_dump(mode="json"), "prompt": prompt}


def _project(config: EvaluationConfig, entries: list[Entry]) -> int | None:
    """The use case it is for: the one named, which its prompt versions must be of, or else theirs."""
    theirs = {entry.prompt.project_id for entry in entries if entry.prompt}
    if len(theirs | {config.project} - {None}) > 1:
        raise StudioError(
            "A prompt version belongs to another use case.",
            hint="Choose versions of the use case that is measured.",
            field="contestants",
        )
    return next(iter(theirs), config.project)


def names(run: Run) -> list[str]:
    """The contestants, the one that the others are measured against first."""
    return [each["name"] for each in run.parameters["contestants"]]


def deciding(run: Run) -> str:
    """The metric that decides: the first."""
    return str(run.graders[0]["name"])


def metric_of(run: Run, wanted: GraderChoice) -> str | None:
    """What an evaluation calls the scores of this grader with these settings; None where it has none."""
    exact = (wanted.grader, settings_of(wanted).model_dump(mode="json"))
    found = (str(each["name"]) for each in run.graders if (each["grader"], each["parameters"]) == exact)
    return next(found, None)


def models(session: Session, run: Run) -> list[Model]:
    """The contestants' models, in their order. Only of a run that waits for no other."""
    return [session.get_one(Model, int(run.inputs[str(place)])) for place in range(len(names(run)))]


def answered(session: Session, run: Run) -> int:
    """How many of its answers are kept."""
    counted = select(func.count()).select_from(EvaluationItem).where(EvaluationItem.run_id == run.id)
    return session.scalar(counted) or 0


def base_of(session: Session, model: Model) -> Model:
    """What a tuned model once began as; a base itself."""
    seen = {model.id}
    while model.base_id and model.base_id not in seen:
        seen.add(model.base_id)
        model = session.get_one(Model, model.base_id)
    return model


def _with_criteria(session: Session, config: EvaluationConfig) -> EvaluationConfig:
    """The same with the graders of the criteria in its graders."""
    if not config.criteria or config.project is None:
        return config
    known = use_cases.criteria(use_cases.get(session, config.project))
    found = [known[place].grader for place in config.criteria if place < len(known)]
    chosen = [each for each in found if each is not None]
    others = [each for each in config.graders if each not in chosen]
    return config.model_copy(update={"graders": [*chosen, *others], "criteria": []})


def _check_complete(config: EvaluationConfig) -> None:
    wanted = {"a model": "contestants", "questions": "dataset", "a metric": "graders"}
    for what, field in wanted.items():
        if not getattr(config, field):
            raise StudioError(f"Choose {what} first.", hint="Then the evaluation can start.", field=field)


def _enter(session: Session, contestant: Contestant, reads: lineage.Reads) -> Entry:
    reads.model = None
    lineage.read_model(session, contestant.model, {"language"}, reads)
    prompt, prompting = _asking(session, contestant)
    manner = f", {prompts.title(prompt)}" if prompt else "" if prompting.is_plain else ", prompted"
    if reads.model is not None:
        model, reference = reads.model, reads.model.id
        called, root = model.name, base_of(session, model)
        return Entry(reference, _named(contestant, called, manner), prompting, model, root, prompt)
    awaited = reads.inputs.pop("model")
    maker = lineage.awaited(session, awaited)
    assert maker is not None
    begun = base_of(session, maker.model) if maker.model else None
    return Entry(awaited, _named(contestant, maker.name, manner), prompting, None, begun, prompt)


def _named(contestant: Contestant, called: str, manner: str) -> str:
    return (contestant.name.strip() or f"{called}{manner}")[:200]


def _asking(session: Session, contestant: Contestant) -> tuple[Prompt | None, Prompting]:
    if contestant.prompt is None:
        return None, contestant.prompting
    if not contestant.prompting.is_plain:
        raise StudioError(
            "A contestant is asked in a prompt version, or in a prompting of its own.",
            hint="Leave one of them out.",
            field="contestants",
        )
    prompt = prompts.get(session, contestant.prompt)
    return prompt, prompts.prompting_of(prompt)


def _with_bases(entries: list[Entry]) -> list[Entry]:
    there = {entry.reference for entry in entries if entry.prompting.is_plain}
    roots = {entry.root.id: entry.root for entry in entries if entry.root}
    bases = [
        Entry(root.id, root.name, Prompting(), root, root) for root in roots.values() if root.id not in there
    ]
    every = [*bases, *entries]
    called = [entry.name for entry in every]
    if twice := next((name for name in called if called.count(name) > 1), None):
        raise StudioError(
            f"Two contestants are called “{twice}”.",
            hint="Give one of them another name: tables tell them apart by it.",
            field="contestants",
        )
    return every


def _check_unseen(session: Session, entry: Entry, dataset: DatasetVersion) -> None:
    maker_id = entry.model.run_id if entry.model else None
    maker = session.get(Run, maker_id) if maker_id else lineage.awaited(session, entry.reference)
    for run in [maker, *lineage.ancestors(session, maker)] if maker else []:
        if run.dataset_version_id == dataset.id:
            raise Refused(
                f"“{entry.name}” learned from “{dataset.title}”: it would be asked what it was told.",
                hint="Choose rows that were held out, or split some off before training.",
                field="dataset",
            )
