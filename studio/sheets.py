"""Files to fill in, made for a use case: its columns, fields and classes, and rows of its own as examples.

What a file is for stands in `studio/guide/plans.json`. Nothing that is held out ever gets into one: no row of
a held-out version, and no row that asks what one of those asks. Rows marked as examples, and rows nobody has
filled in, are left out when the file comes back (`studio.datasets.template`).
"""

import csv
import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import use_cases
from studio.datasets import library, template
from studio.datasets.view import fold
from studio.errors import NotFound
from studio.guide import plans
from studio.held_out import taken_apart, text_of
from studio.models import DatasetVersion, Project, Run

EXAMPLES = 5
LOOKED_AT = 2000  # rows of a version, for examples and classes
MOST_FILLED = 2000
Row = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """Which rows of the studio a file takes examples from, and how one reads there: what was asked, the
    answer, the row."""

    shapes: tuple[str, ...]
    write: Callable[[str, str, Row], Row]


SOURCES = {
    "labels": Source(("chat", "instruction", "prompt"), lambda said, right, _: _labelled(said, right)),
    "classes": Source(("classification",), lambda said, _, row: {"text": said, "label": str(row["label"])}),
    "pairs": Source(("preference",), lambda said, right, row: _pair(said, right, row["rejected"])),
    "thumbs": Source(
        ("labelled",), lambda said, right, row: _judged("prompt", said, "completion", right, row)
    ),
    "log": Source(("labelled",), lambda said, right, row: _judged("question", said, "answer", right, row)),
    "ratings": Source(("rated",), lambda said, right, row: _rated(said, right, row["score"])),
    "prompts": Source(("prompt",), lambda said, right, _: {"prompt": said, "reference_answer": right}),
    "passages": Source(("retrieval",), lambda said, _, row: {"question": said, "passage": row["positive"]}),
    "text": Source(("text",), lambda _, __, row: {"text": row["text"]}),
}
PROMPTED = ("chat", "instruction", "prompt", "preference", "labelled", "rated")
# Where a prompt of the use case goes, in files that can come with prompts.
ASKED = {"labels": "input", "pairs": "prompt", "thumbs": "prompt", "ratings": "prompt"}


@dataclass(frozen=True)
class Material:
    """What a use case has to make files of. `system` is what every one of its rows tells the model first,
    `fields` are those of its JSON answers, `classes` the labels in use, `prompts` inputs without answers."""

    examples: dict[str, list[Row]] = field(default_factory=dict)
    system: str = ""
    fields: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()


def get(name: str) -> plans.Sheet:
    found = plans.load().sheets.get(name)
    if found is None:
        raise NotFound(
            f"There is no file “{name}” to fill in.", hint=f"There are: {', '.join(plans.load().sheets)}."
        )
    return found


# ---- what the use case has -------------------------------------------------------------------------------


def material(session: Session, project: Project | None) -> Material:
    """Examples, fields, classes and prompts of a use case, nothing held out among them."""
    versions = _open_to_all(session, project)
    hidden = _asked_of_the_held_out(session, project)
    rows = {
        version.id: [row for row in library.rows_of(version, 0, LOOKED_AT) if _question(row) not in hidden]
        for version in versions
    }
    examples = {
        sheet: _examples(source, [rows[each.id] for each in versions if each.shape in source.shapes])
        for sheet, source in SOURCES.items()
    }
    everything = [row for each in rows.values() for row in each]
    return Material(
        examples=examples,
        system=_system(everything),
        fields=_fields(project, examples["labels"]),
        classes=_classes(versions),
        prompts=_prompts(everything),
    )


def of_use_case(session: Session, project: Project | None) -> list[DatasetVersion]:
    """The versions of a use case's datasets; where none is its own, of those that are nobody's."""
    every = library.listed(session)
    own = [each for each in every if project and each.project_id == project.id]
    return [version for each in own or every if own or not each.project_id for version in each.versions]


def _open_to_all(session: Session, project: Project | None) -> list[DatasetVersion]:
    """The newest version of each dataset that people may look into: not what is measured on, nor the whole
    that a held-out part was cut from."""
    kept_apart = _measured_on(session, project)
    found: dict[int, DatasetVersion] = {}
    versions = of_use_case(session, project)
    cut = {version.parent_id for version in versions if version.split == library.HELD_OUT}
    for version in versions:
        if version.split != library.HELD_OUT and version.id not in {*kept_apart, *cut}:
            found[version.dataset_id] = version
    return list(found.values())


def _measured_on(session: Session, project: Project | None) -> set[int]:
    """Versions that the use case, or any run, is measured on."""
    own = {project.held_out_id} if project and project.held_out_id else set()
    return own | {number for number in session.scalars(select(Run.held_out_id).distinct()) if number}


def has_prompts(session: Session, project: Project | None) -> bool:
    """Whether the use case has anything that is asked of a model."""
    return any(version.shape in PROMPTED for version in _open_to_all(session, project))


def _asked_of_the_held_out(session: Session, project: Project | None) -> set[bytes]:
    """What held-out rows ask, folded: a copy of one in another file is held out as well."""
    kept_apart = _measured_on(session, project)
    kept_apart |= {each.id for each in of_use_case(session, project) if each.split == library.HELD_OUT}
    versions = [library.get_version(session, number) for number in sorted(kept_apart)]
    return {_question(row) for version in versions for row in _every_row(version)}


def _every_row(version: DatasetVersion) -> Iterator[Row]:
    for start in range(0, version.rows, LOOKED_AT):
        yield from library.rows_of(version, start, LOOKED_AT)


def _question(row: Row) -> bytes:
    return fold(_last_word(row))


def _last_word(row: Row) -> str:
    asked, _ = taken_apart(row)
    return next((text_of(turn) for turn in reversed(asked) if turn["role"] == "user"), "")


def _examples(source: Source, datasets: list[list[Row]]) -> list[Row]:
    """The first rows that have something in every column."""
    rows = itertools.chain.from_iterable(datasets)
    made = (source.write(_last_word(row), taken_apart(row)[1], row) for row in rows)
    return list(itertools.islice((row for row in made if all(row.values())), EXAMPLES))


def _labelled(said: str, right: str) -> Row:
    return {"input": said, "output": right}


def _pair(said: str, chosen: str, rejected: Any) -> Row:
    worse = rejected if isinstance(rejected, str) else "\n".join(map(text_of, rejected))
    return {"prompt": said, "chosen": chosen, "rejected": worse}


def _judged(asking: str, said: str, answering: str, answer: str, row: Row) -> Row:
    return {asking: said, answering: answer, "label": "good" if row["label"] else "bad"}


def _rated(said: str, answer: str, score: float) -> Row:
    return {"prompt": said, "completion": answer, "score": f"{score:g}"}


def _system(rows: list[Row]) -> str:
    """The system text, where all rows that have a question share one."""
    told = {
        "\n".join(text_of(turn) for turn in asked if turn["role"] == "system")
        for asked, _ in map(taken_apart, rows)
        if any(turn["role"] == "user" for turn in asked)
    }
    return told.pop() if len(told) == 1 else ""


def _fields(project: Project | None, examples: list[Row]) -> tuple[str, ...]:
    """The fields of a JSON answer: the schema's that a criterion is graded by, else the examples' own."""
    for criterion in use_cases.criteria(project) if project else []:
        schema = criterion.grader.parameters.get("json_schema") if criterion.grader else None
        if schema and (named := _properties(schema)):
            return named
    for example in examples:
        if named := _keys(example["output"]):
            return named
    return ()


def _properties(schema: Any) -> tuple[str, ...]:
    try:
        read = orjson.loads(schema) if isinstance(schema, str) else schema
    except orjson.JSONDecodeError:
        return ()
    return tuple(read.get("required") or read.get("properties") or ()) if isinstance(read, dict) else ()


def _keys(answer: str) -> tuple[str, ...]:
    try:
        read = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return ()
    return tuple(read) if isinstance(read, dict) else ()


def _classes(versions: list[DatasetVersion]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for version in versions:
        if version.shape == "classification":
            found |= dict.fromkeys(version.report.get("statistics", {}).get("labels", {}))
    return tuple(sorted(found))


def _prompts(rows: list[Row]) -> tuple[str, ...]:
    """What is asked in rows without an answer, each once; where all have one, in any row."""
    asked = [(_last_word(row), taken_apart(row)[1]) for row in rows if "prompt" in row or "messages" in row]
    without = dict.fromkeys(words for words, answer in asked if words and not answer)
    return tuple(without or dict.fromkeys(words for words, _ in asked if words))[:MOST_FILLED]


# ---- the files -------------------------------------------------------------------------------------------


def columns(name: str, found: Material) -> dict[str, str]:
    """The file's columns with their help; what the use case tells its model stands in one of its own."""
    named = dict(get(name).columns)
    if found.system and name in ASKED:
        named["system"] = "What the model is told first; leave it as it is."
    return named | {template.NOTE: "Leave it empty. Rows that say EXAMPLE here are left out."}


def rows(name: str, found: Material, *, fill: int = 0, extraction: bool = False) -> list[Row]:
    """Examples first, then `fill` of the use case's own prompts, or a blank row, to be completed."""
    shown = found.examples.get(name) or [dict(each) for each in get(name).examples]
    blank: Row = dict.fromkeys(columns(name, found), "")
    if found.system and name in ASKED:
        blank["system"] = found.system
    if name == "labels" and extraction and found.fields:
        blank["output"] = dict.fromkeys(found.fields)
    if name == "log":
        shown = [{"date": get(name).examples[0]["date"]} | each for each in shown]
    given = found.prompts[: min(fill, MOST_FILLED)] if name in ASKED else ()
    open_rows = [blank | {ASKED[name]: words} for words in given] or [blank]
    return [blank | each | {template.NOTE: template.EXAMPLE} for each in shown] + open_rows


def as_jsonl(made: list[Row]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in made)


def as_csv(made: list[Row]) -> bytes:
    """With a byte-order mark, by which spreadsheets know UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(made[0]))
    writer.writeheader()
    for row in made:
        writer.writerow({name: template.guarded(_cell(value)) for name, value in row.items()})
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def as_markdown(name: str, found: Material, steps: list[plans.Step]) -> str:
    """How the file is filled in, to be handed out with it."""
    sheet = get(name)
    lines = [f"# {sheet.title}", "", "One row each. The columns:", ""]
    lines += [f"- `{column}`: {help}" for column, help in columns(name, found).items()]
    if name == "classes" and found.classes:
        lines += ["", "The classes in use, to be written exactly so:", ""]
        lines += [f"- {each}" for each in found.classes]
    if name == "labels" and found.fields:
        lines += ["", "The output is one JSON object with the fields " + ", ".join(found.fields) + "."]
    lines += [
        "",
        "The first rows are examples. They are left out when the file is uploaded, as is every row with an "
        "empty cell in a column that must be filled.",
        "",
        "## How it is done",
        "",
    ]
    lines += [f"{place}. **{step.title}** ({step.who}). {step.says}" for place, step in enumerate(steps, 1)]
    return "\n".join(lines) + "\n"
