"""OpenAI chat: {"messages": [{"role", "content", …}], "tools"?}, also as produced by most libraries."""

from studio.datasets.formats.base import Format, Row, keep_meta
from studio.datasets.messages import looks_like_messages, read_messages, read_tools


def fits(row: Row) -> str | None:
    return "chat" if looks_like_messages(row.get("messages")) else None


def normalise(row: Row, shape: str) -> Row:
    made: Row = {"messages": read_messages(row.get("messages"))}
    if tools := read_tools(row.get("tools") or row.get("functions")):
        made["tools"] = tools
    return keep_meta(made, row, ("messages", "tools", "functions")) if len(row) > 1 else made


FORMAT = Format(
    "openai_chat",
    "OpenAI chat",
    ("chat",),
    "“messages” with “role” and “content”",
    fits,
    normalise,
    order=110,
)
