"""A row of the chosen dataset to try the graders on. A helper of `app.pages.new_run`, no page.

The scores come from `POST /api/graders/try`, one request a grader; nothing is kept."""

from typing import Any

from markupsafe import Markup

from app.pages.new_run_sheet import Sheet
from app.parts import render
from studio import rows
from studio.datasets import library
from studio.rows import Row


def trial(sheet: Sheet, number: int) -> Markup:
    """Row `number`, counted round and round, as the graders will see it."""
    version = sheet.plan.dataset
    if version is None or not version.rows:
        return render("new_run_try.html", case=None)
    number %= version.rows
    kept = library.get_version(sheet.session, version.id)
    case = case_of(library.rows_of(kept, number, 1)[0], version.shape)
    return render(
        "new_run_try.html",
        case=case,
        graders=[
            (each, {"grader": each.grader.name, "parameters": each.values}) for each in sheet.plan.graders
        ],
        number=number,
        rows=version.rows,
        title=version.title,
    )


def case_of(row: Row, shape: str) -> dict[str, Any]:
    """What a grader is told besides the answer; the reference is the answer to begin with."""
    convert = rows.CONVERTERS.get(("prompts", shape))
    asked = convert(row) if convert else []
    prompt = (
        asked[0]["prompt"] if asked else row.get("prompt") or row.get("messages") or row.get("text") or ""
    )
    if asked and shape != "prompt":
        row = row | {"reference_answer": rows.last_words(reference(row))}
    return {
        "reference": row.get("reference_answer", ""),
        "prompt": rows.last_words(prompt),
        "messages": [] if isinstance(prompt, str) else prompt,
        "row": row,
        "answer": rows.reference_of(row),
    }


def reference(row: Row) -> Any:
    """What the right answer of a conversation or a completion says."""
    turns = row.get("messages") or ()
    said = [turn.get("content") or "" for turn in turns if turn.get("role") == "assistant"]
    return said[-1] if said else row.get("completion", "")
