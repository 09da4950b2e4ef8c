"""OpenAI preference: {"input": {"messages", "tools"}, "preferred_output", "non_preferred_output"}."""

from studio.datasets.formats.base import Format, Row, RowError, keep_meta
from studio.datasets.messages import read_messages, read_tools


def fits(row: Row) -> str | None:
    return "preference" if "preferred_output" in row and "non_preferred_output" in row else None


def normalise(row: Row, shape: str) -> Row:
    given = row.get("input")
    if not isinstance(given, dict):
        raise RowError("“input” is not an object with messages")
    made: Row = {
        "prompt": read_messages(given.get("messages"), "input.messages"),
        "chosen": read_messages(row.get("preferred_output"), "preferred_output"),
        "rejected": read_messages(row.get("non_preferred_output"), "non_preferred_output"),
    }
    if tools := read_tools(given.get("tools")):
        made["tools"] = tools
    return keep_meta(made, row, ("input", "preferred_output", "non_preferred_output"))


FORMAT = Format(
    "openai_preference",
    "OpenAI preference pairs",
    ("preference",),
    "“preferred_output” and “non_preferred_output”",
    fits,
    normalise,
    order=20,
)
