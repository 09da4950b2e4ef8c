"""Models: where a base model comes from and what is known of it without loading it.

Only safetensors and JSON are accepted from a local folder: a pickle can run code when it is read.
"""

import hashlib
import re
import struct
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import settings, storage
from studio.errors import NotFound, StudioError
from studio.models import Model, Run

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
RISKY = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5")


def listed(session: Session) -> list[Model]:
    return list(session.scalars(select(Model).order_by(Model.run_id.is_not(None), Model.id)))


def find(session: Session, reference: str | int) -> Model:
    """A model by id, name, local folder or hub id; the latter two are registered when first used."""
    text = str(reference).strip()
    if text.isdigit():
        model = session.get(Model, int(text))
        if model is None:
            raise NotFound(f"There is no model {text}.", hint="The Models page lists them.", field="model")
        return model
    model = session.scalar(select(Model).where((Model.name == text) | (Model.source == text)))
    return model or add(session, text)


def add(session: Session, source: str, *, name: str = "", note: str = "", licence: str = "") -> Model:
    """Registers a local folder or a hub id (fetched by the worker when first needed)."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        facts = inspect(folder)
        source = str(folder.resolve())
        existing = session.scalar(select(Model).where(Model.source == source))
        if existing:
            return existing
        name = name or _free_name(session, folder.name)
    elif HUB_ID.fullmatch(source):
        facts, name = {}, name or source
    else:
        raise StudioError(
            f"“{source}” is neither a folder on this machine nor a hub id.",
            hint="Give a folder with config.json and .safetensors files, or an id like Qwen/Qwen3-0.6B.",
            field="model",
        )
    model = Model(name=name, source=source, note=note, licence=licence, **facts)
    session.add(model)
    session.flush()
    return model


def add_artifact(session: Session, run: Run, folder: Path, *, kind: str = "language") -> Model:
    """Registers what a run made. An adapter remembers the model it sits on."""
    facts = inspect(folder)
    source = storage.relative(folder)
    model = session.scalar(select(Model).where(Model.source == source)) or Model(source=source)
    model.name = model.name or _free_name(session, run.name)
    model.run_id = run.id
    model.adapter, model.kind = run.adapter, kind
    model.base_id = run.model_id
    base = run.model
    for key, value in facts.items():
        setattr(model, key, value)
    if base and (folder / "adapter_config.json").exists():
        model.architecture, model.context = base.architecture, base.context
    session.add(model)
    session.flush()
    return model


def folder_of(model: Model) -> Path | None:
    """The model's local folder; None for a hub id."""
    path = Path(model.source)
    if path.is_absolute():
        return path
    inside = storage.inside(model.source)
    return inside if inside.is_dir() else None


def base_of(session: Session, model: Model) -> Model | None:
    """The model that an adapter sits on; None for whole weights."""
    folder = folder_of(model)
    is_adapter = folder is not None and (folder / "adapter_config.json").exists()
    return session.get(Model, model.base_id) if is_adapter and model.base_id else None


def source(model: Model) -> str:
    """Where the model's files are: a folder, or a hub id."""
    return str(folder_of(model) or model.source)


def inspect(folder: Path) -> dict[str, Any]:
    """Architecture, size, context length and hash of a model folder, read from JSON and safetensors headers.

    Raises StudioError when something a training needs is missing, or when weights are pickles."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    weights = [path for path in files if path.suffix == ".safetensors"]
    config_path = folder / ("head.json" if (folder / "head.json").exists() else "config.json")
    is_adapter = (folder / "adapter_config.json").exists()
    if not config_path.exists() and not is_adapter:
        raise StudioError(
            f"{folder.name} has no config.json.", hint="Choose the folder that holds it.", field="model"
        )
    if not weights:
        pickles = [path.name for path in files if path.suffix in RISKY]
        raise StudioError(
            f"{folder.name} has no .safetensors file.",
            hint=(
                f"{pickles[0]} could run code when it is read; convert it to safetensors first."
                if pickles
                else "Choose the folder that holds the weights."
            ),
            field="model",
        )
    config = orjson.loads(config_path.read_bytes()) if config_path.exists() else {}
    if config.get("auto_map") and not settings.get().trust_remote_code:
        raise StudioError(
            f"{folder.name} brings Python code of its own, which Tunesmith does not run.",
            hint="Choose a model that transformers supports, or set TUNESMITH_TRUST_REMOTE_CODE=true.",
            field="model",
        )
    return {
        "architecture": (config.get("architectures") or [config.get("model_type", "")])[0],
        "context": config.get("max_position_embeddings"),
        "parameters": sum(_count(path) for path in weights),
        "bytes": sum(path.stat().st_size for path in files),
        "sha256": _digest(weights),
    }


def _count(path: Path) -> int:
    """Numbers in a safetensors file, from its header: 8 bytes length, then JSON with each tensor's shape."""
    with path.open("rb") as file:
        length = file.read(8)
        if len(length) < 8 or struct.unpack("<Q", length)[0] > 100_000_000:
            raise StudioError(f"{path.name} is damaged.", hint="Copy or download the model again.")
        header = orjson.loads(file.read(struct.unpack("<Q", length)[0]))
    total = 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        size = 1
        for extent in tensor["shape"]:
            size *= extent
        total += size
    return total


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _free_name(session: Session, wanted: str) -> str:
    taken = set(session.scalars(select(Model.name).where(Model.name.startswith(wanted, autoescape=True))))
    if wanted not in taken:
        return wanted
    return next(name for n in range(2, 10**6) if (name := f"{wanted} ({n})") not in taken)
