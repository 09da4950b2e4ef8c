"""What a planned run will need of memory on the machines the studio knows (`studio.estimate`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select

from app import forms
from app.setup import offers
from app.setup.plan import Both, Plan
from studio import estimate, lineage, pace, weights
from studio.datasets import library
from studio.errors import StudioError
from studio.estimate import Device, Estimate, advice
from studio.estimate.advice import Change
from studio.estimate.quantities import GIGA
from studio.models import Host, Kind, Model, Run

AROUND = 64  # tokens that a chat template adds to a row at most
LONG_WORD = 12  # characters: on average, words are shorter
WRITTEN = 8192  # characters: longer rows fill what the settings allow


@dataclass(frozen=True)
class Room:
    """One kind of device, what the run needs there, and what would make it fit."""

    device: Device
    found: Estimate
    changes: tuple[Change, ...]

    @property
    def fits(self) -> bool | None:
        return None if self.device.memory is None else self.found.total <= self.device.memory

    @property
    def title(self) -> str:
        memory = f", {estimate.said(self.device.memory)}" if self.device.memory else ""
        return f"{self.device.title}{memory}"

    @property
    def share(self) -> float | None:
        return self.found.total / self.device.memory if self.device.memory else None


@dataclass(frozen=True)
class Memory:
    """`unknown` says why there is no estimate."""

    rooms: tuple[Room, ...] = ()
    unknown: str = ""


def estimated(plan: Plan, settings: Both) -> Memory:
    """The memory of one run with these settings, on each kind of device; valid settings are wanted."""
    folder, model = model_folder(plan)
    config = read(folder)
    if config is None:
        return Memory(unknown="Known once the model's files are here.")
    more = known(plan, model)
    try:
        found = [
            estimate.for_run(
                plan.technique,
                plan.adapter,
                config,
                settings.technique,
                device,
                adapter_settings=settings.adapter,
                **more,
            )
            for device in devices(plan)
        ]
    except StudioError as problem:
        return Memory(unknown=str(problem))
    return Memory(tuple(Room(each.request.device, each, tuple(advice.changes(each))) for each in found))


def known(plan: Plan, model: Model | None) -> dict[str, Any]:
    """What else an estimate takes, as far as it is known."""
    weights = (model.parameters or 0) if model else 0
    longest = {"longest": longest_row(plan), "prompt": longest_prompt(plan)}
    return {"weights": weights, "others": other_models(plan), **longest}


def written(change: Change) -> dict[str, str]:
    """A change as edits of the form, by path."""
    edits = {f"parameters:{name}": forms.as_text(value) for name, value in change.settings.items()}
    return edits | {"adapter": change.adapter}


def devices(plan: Plan) -> list[Device]:
    """The different devices that train, the largest first; a processor where no worker was ever seen."""
    found: dict[tuple[Any, ...], Device] = {}
    for each in (each for offered in plan.session.scalars(select(Host.devices)) for each in offered):
        if Kind.TRAIN.value in each.get("kinds", ()):
            is_gpu, gb = each["name"].startswith("gpu"), each.get("gb")
            made = Device(
                "cuda" if is_gpu else "cpu", round(gb * GIGA) if gb else None, each.get("title", "")
            )
            found[made.kind, made.name, gb] = made
    return sorted(found.values(), key=lambda each: -(each.memory or 0)) or [Device()]


def model_folder(plan: Plan) -> tuple[Path | None, Model | None]:
    """The folder of the model, or of the one it is an adapter of, and that model where it is known."""
    if start := plan.awaited or plan.model:
        return _folder_of(plan, start)
    text = plan.setup.model.strip()
    return (Path(text).expanduser() if text else None), None


def _folder_of(plan: Plan, start: Model | Run | None) -> tuple[Path | None, Model | None]:
    under = lineage.whole(plan.session, start)
    return (weights.folder_of(under) if under else None), under


def read(folder: Path | None) -> dict[str, Any] | None:
    """The config.json in a folder, where there is one."""
    path = folder / "config.json" if folder else None
    if path is None or not path.is_file():
        return None
    try:
        read = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        return None
    return read if isinstance(read, dict) else None


def other_models(plan: Plan) -> dict[str, dict[str, Any]]:
    """The configurations of the models that inputs and graders name, where their files are here."""
    named = {
        each.name: plan.inputs[each.name] for each in plan.technique.inputs if _is_model(plan, each.name)
    }
    for graded in plan.graders:
        for field in forms.naming_models(graded.grader.parameters):
            if reference := graded.values.get(field):
                named[graded.given.name or graded.grader.title.lower()] = str(reference)
    found = {}
    if plan.pairs and (start := read(model_folder(plan)[0])):
        found["reward model"] = start
    for name, reference in named.items():
        model = offers.known_model(plan.session, reference)
        config = read(_folder_of(plan, model or lineage.awaited(plan.session, reference))[0])
        if config is not None:
            found[name] = config
    return found


def _is_model(plan: Plan, name: str) -> bool:
    return name in plan.inputs and any(
        each.name == name and each.kind == "model" for each in plan.technique.inputs
    )


def longest_row(plan: Plan) -> int:
    """Tokens of the longest row at most, by its characters; 0 where that says nothing."""
    most = _lengths(plan, "row").get("max", 0)
    return int(most) + AROUND if 0 < most < WRITTEN else 0


def longest_prompt(plan: Plan) -> int:
    """Tokens of the longest prompt, likewise. Of text in words a token has two characters at least, nearly
    always; where there are few spaces, as in Chinese or in code, each may be one."""
    characters = _lengths(plan, "prompt")
    if not 0 < characters.get("max", 0) < WRITTEN:
        return longest_row(plan)
    words = _lengths(plan, "prompt", "words")
    in_words = characters["total"] < LONG_WORD * words.get("total", 0)
    return int(characters["max"]) // (2 if in_words else 1) + AROUND


def _lengths(plan: Plan, field: str, of: str = "characters") -> dict[str, float]:
    if plan.dataset is None:
        return {}
    return pace.lengths(library.get_version(plan.session, plan.dataset.id), field, of)
