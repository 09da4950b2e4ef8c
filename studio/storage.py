"""Where files lie: everything below the one data folder, under names the studio made itself."""

import shutil
from pathlib import Path

from studio import settings
from studio.errors import StudioError


def inside(relative: str) -> Path:
    """The path of something below the data folder; refuses whatever would lead out of it."""
    root = settings.get().folder
    path = (root / relative).resolve()
    if not path.is_relative_to(root):
        raise StudioError("That file is outside the studio's data folder.")
    return path


def run_folder(run_id: int) -> Path:
    return inside(f"runs/{run_id}")


def uploads() -> Path:
    return made(inside("uploads"))


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def relative(path: Path) -> str:
    return str(path.resolve().relative_to(settings.get().folder))


def check_space(wanted: int, folder: Path) -> None:
    """Raises StudioError when fewer than `wanted` bytes (and a little more) are free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < wanted + 64 * 2**20:
        raise StudioError(
            f"The disk has {free / 2**30:.1f} GiB left and this needs {wanted / 2**30:.1f} GiB.",
            hint="Free some space, or point TUNESMITH_DATA at a larger disk.",
        )
