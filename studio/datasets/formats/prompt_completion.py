"""Prompt and completion under the names people use: question and answer, query and response, …"""

from studio.datasets.formats.base import Format, Row, RowError, keep_meta, read_side, with_system
from studio.datasets.messages import read_tools

PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "answer"),
    ("prompt", "output"),
    ("query", "response"),
    ("query", "answer"),
    ("question", "answer"),
    ("question", "response"),
    ("input", "output"),
    ("input", "target"),
    ("source", "target"),
)


def pair(row: Row) -> tuple[str, str] | None:
    """The names of question and answer in this row."""
    return next((names for names in PAIRS if names[0] in row and names[1] in row), None)


def fits(row: Row) -> str | None:
    return "instruction" if pair(row) else None


def normalise(row: Row, shape: str) -> Row:
    names = pair(row)
    if not names:
        raise RowError("has no question and answer (such as “prompt” and “completion”)")
    asked, answered = names
    prompt = read_side(row, asked)
    context = row.get("context")
    if asked == "question" and isinstance(context, str) and isinstance(prompt, str):
        prompt = f"{context}\n\n{prompt}" if context else prompt
    made: Row = {"prompt": with_system(row, prompt), "completion": read_side(row, answered)}
    if tools := read_tools(row.get("tools")):
        made["tools"] = tools
    used = (asked, answered, "system", "tools", *(["context"] if asked == "question" else []))
    return keep_meta(made, row, used)


FORMAT = Format(
    "prompt_completion",
    "Prompt and completion",
    ("instruction",),
    "a question and its answer (“prompt” and “completion”, or names like them)",
    fits,
    normalise,
    order=150,
)
