"""Canonical rows as a person reads them: turns of a conversation, answers side by side, labels, columns.

Pure functions from a row to what `dataset_rows.html` draws. Everything in here is a user's text: it is
never marked safe, only cut.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from studio.datasets.shapes import Row

HEAD = 700  # characters shown at once
MOST = 20_000  # characters shown at all, once opened
SLACK = 200  # nobody wants to open a fold for less than this

PASSAGES = {
    "query": "Query",
    "positive": "Passage that answers",
    "text": "Text",
    "reference_answer": "Reference answer",
}
KNOWN = {"messages", "prompt", "completion", "chosen", "rejected", *PASSAGES}
DRAWN_APART = {"label", "score", "negatives", "tools", "image"}


@dataclass(frozen=True)
class Cut:
    """A text in three parts: what is shown, what a fold holds, and how many characters are left out."""

    head: str
    rest: str = ""
    left_out: int = 0

    @property
    def length(self) -> int:
        return len(self.head) + len(self.rest) + self.left_out


@dataclass(frozen=True)
class Turn:
    """What one role says. `masked`: no loss is computed on it. `calls`: (tool, arguments as JSON)."""

    role: str
    said: Cut
    thinking: Cut | None = None
    calls: list[tuple[str, Cut]] = field(default_factory=list)
    name: str = ""
    masked: bool = False


@dataclass(frozen=True)
class Seen:
    """A row ready to be drawn. `sides`: (chosen or rejected, its turns); `extra`: columns beside them."""

    number: int
    turns: list[Turn] = field(default_factory=list)
    sides: list[tuple[str, list[Turn]]] = field(default_factory=list)
    passages: list[tuple[str, Cut]] = field(default_factory=list)
    label: Any = None
    score: Any = None
    tools: list[tuple[str, Cut]] = field(default_factory=list)
    extra: list[tuple[str, Cut]] = field(default_factory=list)


def see(number: int, row: Row) -> Seen:
    """The row with its 1-based `number`, whatever its shape."""
    return Seen(
        number=number,
        turns=[
            turn
            for name, role in (("messages", ""), ("prompt", "user"), ("completion", "assistant"))
            for turn in turns(row.get(name), role)
        ],
        sides=[(side, turns(row[side], "assistant")) for side in ("chosen", "rejected") if side in row],
        passages=passages(row),
        label=row.get("label"),
        score=row.get("score"),
        tools=[tool(declared) for declared in row.get("tools") or []],
        extra=extra(row),
    )


def turns(value: Any, role: str) -> list[Turn]:
    """Messages as they are; a plain text as one turn of `role`."""
    if value is None:
        return []
    return [turn(message) for message in value] if isinstance(value, list) else [Turn(role, cut(value))]


def turn(message: dict[str, Any]) -> Turn:
    thinking = message.get("thinking")
    return Turn(
        role=message["role"],
        said=cut(spoken(message.get("content"))),
        thinking=cut(thinking) if thinking else None,
        calls=[call(one["function"]) for one in message.get("tool_calls") or []],
        name=str(message.get("name") or ""),
        masked=message.get("weight") == 0,
    )


def spoken(content: Any) -> str:
    """Text of a message; parts that are no text are named in brackets."""
    if isinstance(content, list):
        return "\n".join(part_text(part) for part in content)
    return "" if content is None else str(content)


def part_text(part: Any) -> str:
    if not isinstance(part, dict):
        return str(part)
    return part["text"] if isinstance(part.get("text"), str) else f"[{part.get('type', 'attachment')}]"


def call(function: dict[str, Any]) -> tuple[str, Cut]:
    return function["name"], cut(as_json(function.get("arguments") or {}))


def tool(declared: dict[str, Any]) -> tuple[str, Cut]:
    """A declared tool: its name, and what it does and takes."""
    function = declared["function"]
    about = "\n".join(filter(None, [function.get("description"), as_json(function.get("parameters"))]))
    return function["name"], cut(about)


def passages(row: Row) -> list[tuple[str, Cut]]:
    named = [
        (title, cut(spelled(row[name]))) for name, title in PASSAGES.items() if row.get(name) is not None
    ]
    return named + [("Passage that does not", cut(text)) for text in row.get("negatives") or []]


def extra(row: Row) -> list[tuple[str, Cut]]:
    """The columns beyond the shape's own, those kept under `meta` among them."""
    beside = {name: value for name, value in row.items() if name not in KNOWN | DRAWN_APART | {"meta"}}
    meta = row.get("meta")
    beside |= meta if isinstance(meta, dict) else {}
    if row.get("image"):
        beside["image"] = "an image is attached"
    return [(str(name), cut(spelled(value))) for name, value in beside.items()]


def spelled(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def cut(text: Any) -> Cut:
    """A long text ends after a word near `HEAD`; the rest goes behind a fold, up to `MOST`."""
    whole = str(text)
    if len(whole) <= HEAD + SLACK:
        return Cut(whole)
    end = whole.rfind(" ", HEAD - 100, HEAD) + 1 or HEAD
    return Cut(whole[:end], whole[end:MOST], max(0, len(whole) - MOST))
