"""A run's settings with what each means, where its value comes from, and the command that does the same.

A helper of /run, no page.
"""

import json
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.pages import run_words
from app.parts import Query, render
from studio import parameters, runs
from studio.models import Run
from studio.parameters import Parameters

DECIDED_BY_DEFAULT = {"name", "parent", "recommendation", "project"}


@dataclass(frozen=True)
class Setting:
    """`origin`: "default", "suggested" (by the technique, for this adapter and model size) or "changed"."""

    name: str
    title: str
    help: str
    value: str
    default: str
    origin: str
    source: str


def show(_session: Session, run: Run, query: Query) -> Markup:
    groups = [(title, rows) for title, rows in groups_of(run) if rows]
    changed_only = query.text("only") == "changed"
    if changed_only:
        groups = [(title, [row for row in rows if row.origin != "default"]) for title, rows in groups]
    return render(
        "run_settings.html",
        run=run,
        say=run_words,
        groups=groups,
        changed_only=changed_only,
        command=command(run),
    )


def groups_of(run: Run) -> list[tuple[str, list[Setting]]]:
    groups = []
    technique = run_words.technique_of(run)
    if technique:
        suggested = technique.suggest(run.adapter, run.model.parameters if run.model else None)
        groups.append((technique.title, settings(technique.parameters, run.parameters, suggested)))
    if adapter := run_words.adapter_of(run):
        groups.append((f"Adapter: {adapter.title}", settings(adapter.parameters, run.adapter_parameters, {})))
    return groups


def settings(kind: type[Parameters], values: dict[str, Any], suggested: dict[str, Any]) -> list[Setting]:
    """One row a setting, those first that a person would look at first."""
    rows = []
    for name, field in sorted(
        kind.model_fields.items(), key=lambda item: not parameters.about(item[1]).get("basic")
    ):
        about = parameters.about(field)
        value = values.get(name, field.default)
        rows.append(
            Setting(
                name=name,
                title=field.title or name,
                help=field.description or "",
                value=worded(value, about.get("unit", "")),
                default=worded(suggested.get(name, field.default), about.get("unit", "")),
                origin=origin(value, field.default, suggested.get(name)),
                source=about.get("source", ""),
            )
        )
    return rows


def origin(value: Any, default: Any, suggested: Any) -> str:
    if suggested is not None:
        return "suggested" if value == suggested else "changed"
    return "default" if value == default else "changed"


def worded(value: Any, unit: str = "") -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    text = (
        f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
    )
    return f"{text} {unit[:-1] if value == 1 and unit.endswith('s') else unit}".strip()


def command(run: Run) -> str:
    """What to paste into a shell to start the same run again; datasets and models by this studio's ids."""
    config = runs.config_of(run).model_dump(mode="json", exclude_defaults=True, exclude=DECIDED_BY_DEFAULT)
    text = json.dumps({"name": run.name} | config, indent=2, ensure_ascii=False)
    return f"cat > run.json <<'JSON'\n{text}\nJSON\ntunesmith run start run.json"
