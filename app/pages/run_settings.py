"""A run's settings with what each means, where its value comes from, and the command that does the same.

A helper of /run, no page.
"""

import json
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from pydantic.fields import FieldInfo
from sqlalchemy.orm import Session

from app.pages import run_words
from app.parts import Query, render
from studio import graders, lineage, mirrors, parameters, runs
from studio.graders.choice import GraderChoice
from studio.models import DatasetVersion, Model, Run
from studio.parameters import Parameters
from studio.techniques import Suggestion

TRACKERS = {"mlflow": "MLflow"}
DECIDED_BY_DEFAULT = {"name", "parent", "recommendation", "project"}


@dataclass(frozen=True)
class Setting:
    """`origin`: "default", "suggested" (by the technique, for this adapter and model size) or "changed".
    `source` says where `default` comes from: what is suggested where something is, else the class's value."""

    name: str
    title: str
    help: str
    value: str
    default: str
    origin: str
    source: str


def show(session: Session, run: Run, query: Query) -> Markup:
    groups = [(title, rows) for title, rows in groups_of(session, run) if rows]
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
        model=named(session, run.model_id or run.inputs.get("model")),
        graders=graders_of(session, run),
        is_graded=bool((technique := run_words.technique_of(run)) and technique.graded),
        inputs=inputs_of(session, run),
        mirrored=mirrored(session, run),
        reports=[report(name, told) for name, told in run.report.items()],
    )


@dataclass(frozen=True)
class Part:
    """One grader of a run; `settings` are (title, value, address) of those that are not the default; only
    models have an address."""

    name: str
    help: str
    weight: str
    settings: list[tuple[str, str, str]]


def graders_of(session: Session, run: Run) -> list[Part]:
    """The run's graders, those whose file is gone with their bare name."""
    found = []
    for choice in map(GraderChoice.model_validate, run.graders):
        grader = graders.get(choice.grader) if graders.has(choice.grader) else None
        fields = grader.parameters.model_fields if grader else {}
        settings = [
            (field.title or name, *said_of(session, field, choice.parameters[name]))
            for name, field in fields.items()
            if choice.parameters.get(name) not in (None, field.get_default(call_default_factory=True))
        ]
        found.append(Part(choice.name, grader.help if grader else "", f"{choice.weight:g}", settings))
    return found


def said_of(session: Session, field: FieldInfo, value: Any) -> tuple[str, str]:
    """A setting's value and, where it names a model, the address of that."""
    return named(session, value) if parameters.about(field).get("kind") == "model" else (worded(value), "")


def named(session: Session, reference: Any) -> tuple[str, str]:
    """(name, address) of a model that is there or, as `run:7`, will be made; else its bare reference."""
    if run := lineage.awaited(session, reference):
        return f"what “{run.name}” makes", f"/run?id={run.id}"
    model = session.get(Model, int(reference)) if str(reference).isdigit() else None
    return (model.name, f"/model?id={model.id}") if model else (worded(reference), "")


def inputs_of(session: Session, run: Run) -> list[tuple[str, str, str]]:
    """(title, name, address) of what the technique reads besides model and dataset."""
    technique = run_words.technique_of(run)
    found = []
    for wanted in technique.inputs if technique else ():
        if not (reference := run.inputs.get(wanted.name)):
            continue
        if wanted.kind == "model":
            found.append((wanted.title, *named(session, reference)))
        elif version := session.get(DatasetVersion, reference):
            address = f"/dataset?id={version.dataset_id}&version={version.number}"
            found.append((wanted.title, version.title, address))
    return found


def mirrored(session: Session, run: Run) -> list[tuple[str, str, str]]:
    """(tracker, address, trouble) of each tracker that is told of the run."""
    return [
        (TRACKERS.get(each.name, each.name), mirrors.shown(each.url), each.trouble)
        for each in mirrors.of(session, run.id)
    ]


Table = tuple[str, list[str], list[list[str]]]


def report(name: str, told: Any) -> tuple[str, list[tuple[str, str]], list[Table]]:
    """What a trainer worked out, as (title, pairs, tables): lists of rows are tables, all else is pairs."""
    given = told if isinstance(told, dict) else {name: told}
    pairs, tables = [], []
    for key, value in given.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            columns = list(value[0])
            rows = [[worded(row.get(column)) for column in columns] for row in value]
            tables.append((readable(key), [readable(column) for column in columns], rows))
        else:
            pairs.append((readable(key), found(value)))
    return readable(name), pairs, tables


def found(value: Any) -> str:
    """One thing a trainer worked out. Two numbers are the ends of a range."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, list):
        return worded(value)
    is_range = len(value) == 2 and all(isinstance(each, int | float) for each in value)
    return (" to " if is_range else ", ").join(map(found, value)) or "none"


def readable(name: str) -> str:
    return (name[:1].upper() + name[1:]).replace("_", " ")


def groups_of(session: Session, run: Run) -> list[tuple[str, list[Setting]]]:
    groups = []
    technique = run_words.technique_of(run)
    if technique:
        start = lineage.whole(session, run)
        suggested = technique.suggestions(run.adapter, start.parameters if start else None)
        groups.append((technique.title, settings(technique.parameters, run.parameters, suggested)))
    if adapter := run_words.adapter_of(run):
        groups.append((f"Adapter: {adapter.title}", settings(adapter.parameters, run.adapter_parameters, {})))
    return groups


def settings(
    kind: type[Parameters], values: dict[str, Any], suggested: dict[str, Suggestion]
) -> list[Setting]:
    """One row a setting, those first that a person would look at first."""
    rows = []
    for name, field in sorted(
        kind.model_fields.items(), key=lambda item: not parameters.about(item[1]).get("basic")
    ):
        about = parameters.about(field)
        value = values.get(name, field.default)
        usual = suggested.get(name, Suggestion(field.default, about.get("source", "")))
        rows.append(
            Setting(
                name=name,
                title=field.title or name,
                help=field.description or "",
                value=worded(value, about.get("unit", "")),
                default=worded(usual.value, about.get("unit", "")),
                origin="changed" if value != usual.value else "suggested" if name in suggested else "default",
                source=usual.source,
            )
        )
    return rows


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
