"""What the form of a new run holds until Start, and what follows from it. A helper, no page.

A setup is a draft: choices, and only those settings that differ from the recommendation, so that a change of
model, adapter or technique brings new recommended values and keeps what the person set themselves.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from app import forms
from app.parts.words import short
from studio import adapters, drafts, parameters, recommendations, runs, techniques, weights
from studio.datasets import library
from studio.datasets.shapes import SHAPES
from studio.errors import NotFound, StudioError
from studio.models import DatasetVersion, Model
from studio.runs import RunConfig
from studio.techniques import Technique


class Setup(BaseModel):
    """`parameters` and `adapter_parameters` hold what the person changed. `problem` is the last refusal."""

    technique: str = ""
    adapter: str = ""
    model: str = ""
    dataset: str = ""
    held_out: str = ""
    name: str = ""
    seed: int | float | None = 42
    parameters: dict[str, Any] = Field(default_factory=dict)
    adapter_parameters: dict[str, Any] = Field(default_factory=dict)
    recommendation: int | None = None
    clone: int | None = None
    gpus: int = 1
    priority: int = 0
    project: int | None = None
    problem: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Option:
    """A dataset version on offer; `why_not` says why it cannot be chosen."""

    version: DatasetVersion
    why_not: str = ""

    @property
    def label(self) -> str:
        return (
            f"{self.version.title} – {self.version.rows:,} rows, {SHAPES[self.version.shape].title.lower()}"
        )


# ---- beginning ----------------------------------------------------------------------------------------


def current(session: Session, key: str, asked: dict[str, str]) -> Setup:
    """The draft where there is one, else what the address asks for."""
    kept = drafts.get(session, key) if key else {}
    return Setup.model_validate(kept) if kept else begin(session, asked)


def asked_in(address: str) -> dict[str, str]:
    return dict(parse_qsl(address.removeprefix("?")))


def begin(session: Session, asked: Mapping[str, str]) -> Setup:
    """The setup an address asks for. Raises StudioError where it names what does not exist."""
    if asked.get("clone"):
        return _from_run(session, _whole(asked["clone"], "run"))
    technique = techniques.get(asked.get("technique") or techniques.all()[0].name)
    adapter = adapters.get(asked.get("adapter") or _usual_adapter())
    setup = Setup(technique=technique.name, adapter=adapter.name)
    if asked.get("model"):
        found = known_model(session, asked["model"])
        setup.model = str(found.id) if found else asked["model"]
    elif len(known := weights.listed(session)) == 1:
        setup.model = str(known[0].id)
    for name in ("dataset", "held_out"):
        if asked.get(name):
            setattr(setup, name, str(library.find_version(session, asked[name]).id))
    if asked.get("recommendation"):
        kept = recommendations.get(session, _whole(asked["recommendation"], "recommendation"))
        setup.recommendation, setup.project = kept.id, kept.project_id
    return setup


def _from_run(session: Session, run_id: int) -> Setup:
    config = runs.config_of(runs.get(session, run_id))
    setup = Setup(
        **config.model_dump(include={"technique", "adapter", "name", "seed", "gpus", "priority", "project"}),
        model=str(config.model),
        dataset=str(config.dataset),
        held_out=str(config.held_out),
        clone=run_id,
    )
    of_technique, of_adapter = recommended(session, setup)
    setup.parameters = forms.differing(config.parameters, of_technique)
    setup.adapter_parameters = forms.differing(config.adapter_parameters, of_adapter)
    return setup


def _usual_adapter() -> str:
    names = [adapter.name for adapter in adapters.all()]
    usual = RunConfig.model_fields["adapter"].default
    return usual if usual in names else names[0]


def _whole(text: str, noun: str) -> int:
    if not text.isdigit():
        raise NotFound(f"There is no {noun} “{text[:40]}”.", hint="Open this page from the list.")
    return int(text)


# ---- what follows from it -----------------------------------------------------------------------------


def known_model(session: Session, reference: str) -> Model | None:
    """The registered model, or None for a folder or hub id that is new."""
    try:
        return weights.find(session, reference) if reference.isdigit() else _by_name(session, reference)
    except NotFound:
        return None


def _by_name(session: Session, reference: str) -> Model | None:
    return next((m for m in weights.listed(session) if reference in (m.name, m.source)), None)


def recommended(session: Session, setup: Setup) -> tuple[dict[str, Any], dict[str, Any]]:
    """All settings of technique and adapter as the studio would set them for this model.

    In rising weight: the class's defaults, the technique's suggestion for model size and adapter, and the
    starting values of the guide's card this setup came from."""
    technique, adapter = techniques.get(setup.technique), adapters.get(setup.adapter)
    model = known_model(session, setup.model) if setup.model else None
    values = forms.defaults(technique.parameters)
    values |= technique.suggest(adapter.name, model.parameters if model else None)
    if setup.recommendation is not None:
        kept = recommendations.get(session, setup.recommendation)
        given = kept.result.get("start_params", {})
        values |= {name: value for name, value in given.items() if name in values}
    return values, forms.defaults(adapter.parameters)


def values(session: Session, setup: Setup) -> tuple[dict[str, Any], dict[str, Any]]:
    """All settings in force: the recommendation under what the person changed."""
    of_technique, of_adapter = recommended(session, setup)
    return (
        of_technique | {name: v for name, v in setup.parameters.items() if name in of_technique},
        of_adapter | {name: v for name, v in setup.adapter_parameters.items() if name in of_adapter},
    )


def config(session: Session, setup: Setup) -> RunConfig:
    """What Start launches. Raises StudioError naming the first setting that is wrong."""
    of_technique, of_adapter = checked(session, setup)
    if (
        not isinstance(setup.seed, int | float)
        or setup.seed != int(setup.seed)
        or not 0 <= setup.seed < 2**31
    ):
        raise StudioError("The seed is a whole number.", hint="From 0 to 2,147,483,647.", field="seed")
    if len(setup.name) > 200:
        raise StudioError("That name is too long.", hint="200 characters at most.", field="name")
    return RunConfig(
        **setup.model_dump(
            include={"technique", "adapter", "model", "dataset", "held_out", "name", "gpus", "priority"}
        ),
        seed=int(setup.seed),
        parameters=of_technique,
        adapter_parameters=of_adapter,
        project=setup.project,
        recommendation=setup.recommendation,
        parent=setup.clone,
    )


def checked(session: Session, setup: Setup) -> tuple[dict[str, Any], dict[str, Any]]:
    technique, adapter = techniques.get(setup.technique), adapters.get(setup.adapter)
    of_technique, of_adapter = values(session, setup)
    return (
        parameters.validate(technique.parameters, of_technique, technique.title).model_dump(mode="json"),
        parameters.validate(adapter.parameters, of_adapter, adapter.title).model_dump(mode="json"),
    )


def missing(session: Session, setup: Setup) -> list[str]:
    """What Start still waits for, in words that follow “Choose”. Data that does not fit is none."""
    wanted = runs.missing(
        RunConfig(model=setup.model.strip(), dataset=setup.dataset, technique=setup.technique)
    )
    if setup.dataset and not fits(session, setup, setup.dataset, "dataset"):
        wanted.append("a dataset")
    return wanted


def problem(session: Session, setup: Setup) -> StudioError | None:
    """The first thing wrong with what is filled in; None while it could be launched."""
    try:
        model_exists(session, setup.model)
        config(session, setup)
    except StudioError as error:
        return error
    return None


def model_exists(session: Session, reference: str) -> None:
    """Refuses what is neither registered, nor a folder, nor looks like a hub id. Reads no weights."""
    text = reference.strip()
    if not text or known_model(session, text):
        return
    if not (weights.HUB_ID.fullmatch(text) or Path(text).expanduser().is_dir()):
        raise StudioError(
            f"“{text}” is neither a model of this studio, nor a folder on this machine, nor a hub id.",
            hint="Choose one from the list, or type a folder or an id like Qwen/Qwen3-0.6B.",
            field="model",
        )


def offer(session: Session, technique: Technique, role: str) -> list[Option]:
    """Every dataset version, the newest dataset first, and why it cannot be the `dataset` or `held_out`."""
    wanted = shapes_for(technique, role)
    titles = " or ".join(SHAPES[shape].title.lower() for shape in wanted)
    return [
        Option(version, "" if version.shape in wanted else f"has {_rows_of(version)}; needs {titles}")
        for dataset in library.listed(session)
        for version in reversed(dataset.versions)
    ]


def _rows_of(version: DatasetVersion) -> str:
    return SHAPES[version.shape].title.lower()


def shapes_for(technique: Technique, role: str) -> tuple[str, ...]:
    return technique.shapes + (technique.held_out_shapes if role == "held_out" else ())


def fits(session: Session, setup: Setup, version_id: str, role: str) -> bool:
    version = version_of(session, version_id)
    return version is not None and version.shape in shapes_for(techniques.get(setup.technique), role)


def version_of(session: Session, version_id: str) -> DatasetVersion | None:
    if not version_id:
        return None
    try:
        return library.find_version(session, version_id)
    except NotFound:
        return None


def estimate_steps(rows: int, settings: Mapping[str, Any], gpus: int = 1) -> int:
    """Optimiser steps: ceil(rows / batch / accumulation) an epoch, as transformers' Trainer counts them."""
    if (most := settings.get("max_steps", -1)) > 0:
        return int(most)
    batch = settings["per_device_train_batch_size"] * gpus * settings["gradient_accumulation_steps"]
    return math.ceil(math.ceil(rows / batch) * settings["num_train_epochs"])


# ---- for the inputs -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What the inputs of the page need to know about a setup; choices are (label, value)."""

    values: tuple[dict[str, Any], dict[str, Any]]
    changed: tuple[set[str], set[str]]
    wrong: str
    button: str
    is_ready: bool
    models: list[tuple[str, str]]
    datasets: list[tuple[str, str]]
    held_outs: list[tuple[str, str]]


def gather(session: Session, setup: Setup) -> Facts:
    advised, chosen = recommended(session, setup), values(session, setup)
    changed = [set(forms.differing(mine, theirs)) for mine, theirs in zip(chosen, advised, strict=True)]
    lacking, wrong = missing(session, setup), problem(session, setup)
    technique = techniques.get(setup.technique)
    return Facts(
        values=chosen,
        changed=(changed[0], changed[1]),
        wrong=wrong.field if wrong else "",
        button=say_button(setup, lacking, wrong),
        is_ready=not lacking and wrong is None,
        models=[(label_of(model), str(model.id)) for model in weights.listed(session)],
        datasets=fitting(session, technique, "dataset"),
        held_outs=[("None", ""), *fitting(session, technique, "held_out")],
    )


def say_button(setup: Setup, lacking: list[str], wrong: StudioError | None) -> str:
    """“Choose a dataset to start”, “Check learning rate to start”, “Start”."""
    if lacking:
        return f"Choose {' and '.join(lacking)} to start"
    if wrong is None:
        return "Start"
    kinds = (techniques.get(setup.technique).parameters, adapters.get(setup.adapter).parameters)
    kind = next((kind for kind in kinds if wrong.field in kind.model_fields), kinds[0])
    return f"Check the {forms.title(kind, wrong.field).lower()} to start"


def label_of(model: Model) -> str:
    size = f"{short(model.parameters)} parameters" if model.parameters else "size not known yet"
    made = f"made by run {model.run_id}" if model.run_id else "base model"
    return f"{model.name} – {size}, {made}"


def fitting(session: Session, technique: techniques.Technique, role: str) -> list[tuple[str, str]]:
    options = offer(session, technique, role)
    return [(option.label, str(option.version.id)) for option in options if not option.why_not]
