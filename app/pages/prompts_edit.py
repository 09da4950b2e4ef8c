"""The prompt lab's form: a prompt being written, the messages it makes of a row, rows to take as examples.

A helper of /prompts, no page.
"""

from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.pages import prompts_draft, waiting
from app.parts import Paced, Query, fragment, render
from studio import chats, db, prompts, use_cases, weights
from studio.datasets import canonical, library
from studio.errors import StudioError
from studio.held_out import text_of
from studio.models import DatasetVersion, Project
from studio.prompting import INPUT, PLACE, Example, fields_of
from studio.prompts import examples, trying

ROWS = 8  # offered at a time
WHILE_ANSWERING = 0.5  # seconds


def form(session: Session, project: Project, query: Query) -> dict[str, Any]:
    draft = prompts_draft.current(session, project, query)
    known = prompts.of(session, project.id)
    source = examples.asked_from(session, project)
    row = next(iter(library.rows_of(source, 0, 1)), {}) if source else {}
    return {
        "draft": draft,
        "parent": next((prompts.title(each) for each in known if each.id == draft.parent), ""),
        "next": max((each.number for each in known), default=0) + 1,
        "named": [name for name in dict.fromkeys(PLACE.findall(draft.template)) if name != INPUT],
        "fields": list(fields_of(row)),
    }


@fragment("prompt-preview")
def preview(query: Query) -> Markup:
    """The messages a model would get about one row, or what is wrong with the draft."""
    with db.reading() as session:
        project = use_cases.get(session, query.number("project"))
        source = examples.asked_from(session, project)
        draft = prompts_draft.current(session, project, query)
        number = min(query.maybe("row", 1) or 1, source.rows if source else 1)
        models = [model for model in weights.listed(session) if model.kind == "language"]
        values: dict[str, Any] = {"source": source, "number": number, "messages": [], "problem": None}
        values |= {"project": project, "models": models}
        try:
            if found := trying.asked(session, project, draft.prompting(), number - 1):
                values |= {
                    "messages": [(str(turn["role"]), text_of(turn)) for turn in found.messages],
                    "reference": found.reference,
                    "number": found.number + 1,
                }
        except StudioError as problem:
            values["problem"] = problem
        return render("prompts_preview.html", **values)


@fragment("prompt-tried")
def tried(query: Query) -> Paced:
    """The answer to the draft that was asked for last, beside the one that is wanted, with its scores."""
    with db.reading() as session:
        found = trying.find(session, query.text("tried"))
        is_busy = found is not None and found.answer.state in chats.WAITING
        run = chats.serving(session, found.answer.chat) if found and is_busy else None
        body = render("prompts_tried.html", tried=found, busy=is_busy, activity=waiting.serving(session, run))
    return Paced(body, WHILE_ANSWERING if is_busy else 0)


@fragment("prompt-rows")
def rows(query: Query) -> Markup:
    """Training rows that may be examples: `?source=3&find=tablet`."""
    with db.reading() as session:
        project = use_cases.get(session, query.number("project"))
        offered = examples.sources(session, project)
        version = next((each for each in offered if each.id == query.maybe("source")), None)
        version = version or next(iter(offered), None)
        words, start = query.text("find"), query.maybe("first", 0) or 0
        found, more = look(version, words, start) if version else ([], False)
        return render(
            "prompts_rows.html",
            version=version,
            offered=offered,
            words=words,
            found=found,
            before=link(query, max(0, start - ROWS)) if start else None,
            after=link(query, start + ROWS) if more else None,
        )


def link(query: Query, first: int) -> str:
    """The same page with other rows to take."""
    return f"/prompts?{urlencode({**query.values, 'tab': 'edit', 'first': first})}"


def look(version: DatasetVersion, words: str, start: int) -> tuple[list[tuple[int, Example]], bool]:
    """A page of the rows that have all these words, each with its number from 0; whether there are more."""
    wanted = words.lower().split()
    found: list[tuple[int, Example]] = []
    matching = 0
    for number, row in enumerate(canonical.each(library.rows_path(version))):
        example = examples.example_of(row)
        said = f"{example.input} {example.output}".lower() if example else ""
        if example is None or not all(word in said for word in wanted):
            continue
        matching += 1
        if matching > start + ROWS:
            return found, True
        if matching > start:
            found.append((number, example))
    return found, False
