"""How this studio is set up at /settings: every setting with its meaning and the variable that changes it,
versions, the data folder and the theme. Read only: settings come from the environment and are read once. What
people set for the whole studio stands below: the thresholds of the guide and of the doctor
(`settings_thresholds`).
"""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.navigation import Page
from app.pages import settings_thresholds
from app.parts import Query, assets, fragment, live, render
from app.toolkit import gr, html
from studio import db, mirrors, prices, settings
from studio.settings import Settings

SECRET = {"secret", "admin_password"}
ADDRESSES = {"database", "broker"}
MIRRORS = {"mirror_mlflow", "mirror_trackio"}
SHOWN = ("tunesmith", "gradio", "sqlalchemy", "celery", "pydantic")
NAMED = {
    "datasets": "Datasets",
    "uploads": "Uploads",
    "runs": "Runs and their models",
    "models": "Models",
    "logs": "Logs",
    "cache": "Caches",
}


@dataclass(frozen=True)
class Line:
    name: str
    title: str
    help: str
    value: str
    variable: str
    changed: bool


@fragment("settings")
def settings_page(_query: Query) -> Markup:
    known = settings.get()
    with db.reading() as session:
        kept = prices.get(session)
    return render(
        "settings.html",
        lines=[line(known, name) for name in Settings.model_fields],
        versions={"python": sys.version.split()[0]} | {name: version(name) for name in SHOWN},
        folder=str(known.folder),
        parts=parts_of(known.folder),
        prices=kept,
        disk=shutil.disk_usage(known.folder),
    )


def line(known: Settings, name: str) -> Line:
    field = Settings.model_fields[name]
    return Line(
        name=name,
        title=name.replace("_", " ").capitalize().replace("Cpu", "CPU"),
        help=field.description or "",
        value=worded(name, getattr(known, name)),
        variable=f"TUNESMITH_{name.upper()}",
        changed=name in known.model_fields_set,
    )


def worded(name: str, value: Any) -> str:
    if name in SECRET and value:
        return "set, hidden"
    if value in ("", None):
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    if name == "max_upload":
        return f"{value / 1e9:.3g} GB"
    if name in MIRRORS:
        return mirrors.shown(value)
    return without_password(str(value)) if name in ADDRESSES else str(value)


def without_password(address: str) -> str:
    try:
        return make_url(address).render_as_string(hide_password=True)
    except ArgumentError:
        return "set, hidden"


def parts_of(folder: Path) -> list[tuple[str, int]]:
    """(what it is, bytes) of each part of the data folder, the largest first."""
    sizes: dict[str, int] = {}
    for each in folder.iterdir() if folder.is_dir() else ():
        name = NAMED.get(each.name, "Database and the rest")
        sizes[name] = sizes.get(name, 0) + size_of(each)
    return sorted(sizes.items(), key=lambda part: -part[1])


def size_of(path: Path) -> int:
    """Bytes of a file or of everything below a folder; links are not followed, files that go away are 0."""
    if not path.is_dir():
        return length(path)
    return sum(length(Path(folder, name)) for folder, _folders, names in os.walk(path) for name in names)


def length(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def build() -> None:
    html(live("settings", every=0, rows=8), elem_id="settings")
    html(live(settings_thresholds.PART, every=0, rows=8), elem_id=settings_thresholds.PART)
    html(live(settings_thresholds.DOCTOR, every=0, rows=8), elem_id=settings_thresholds.DOCTOR)
    gr.HTML(
        '<span class="hidden" aria-hidden="true"></span>',
        js_on_load=f'import("{assets.address("theme_choice.js")}")',
        apply_default_css=False,
        padding=False,
    )


PAGE = Page(path="/settings", title="Settings", build=build, icon="settings", order=410)
