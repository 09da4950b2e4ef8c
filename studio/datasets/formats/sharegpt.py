"""ShareGPT: {"conversations": [{"from", "value"}], "system"?, "tools"?}; a preference with `chosen` and
`rejected` turns."""

from typing import Any

import orjson

from studio.datasets.formats.base import Format, Row, RowError, keep_meta, with_system
from studio.datasets.messages import (
    Message,
    looks_like_messages,
    make_tool_call,
    read_messages,
    read_role,
    read_tools,
)


def turns_of(row: Row) -> Any:
    return row.get("conversations", row.get("conversation"))


def fits(row: Row) -> str | None:
    turns = turns_of(row)
    if not (isinstance(turns, list) and turns and isinstance(turns[0], dict)):
        return None
    if not ("from" in turns[0] or "role" in turns[0]):
        return None
    return "preference" if "chosen" in row and "rejected" in row else "chat"


def normalise(row: Row, shape: str) -> Row:
    turns = with_system(row, read_turns(turns_of(row), "conversations"))
    if shape == "preference":
        made: Row = {"prompt": turns}
        for side in ("chosen", "rejected"):
            answer = row.get(side)
            made[side] = read_turns(answer if isinstance(answer, list) else [answer], side)
    else:
        made = {"messages": turns}
    if tools := read_tools(row.get("tools")):
        made["tools"] = tools
    used = ("conversations", "conversation", "system", "tools")
    return keep_meta(made, row, (*used, "chosen", "rejected") if shape == "preference" else used)


def read_turns(turns: Any, field: str) -> list[Message]:
    """ShareGPT turns as our messages."""
    if not isinstance(turns, list) or not turns:
        raise RowError(f"“{field}” is empty or not a list")
    if looks_like_messages(turns):
        return read_messages(turns, field)
    return [_turn(turn, f"turn {place} of “{field}”") for place, turn in enumerate(turns, 1)]


def _turn(turn: Any, where: str) -> Message:
    if not isinstance(turn, dict) or not isinstance(turn.get("from"), str):
        raise RowError(f"{where} has no “from”")
    value = turn.get("value")
    if not isinstance(value, str):
        raise RowError(f"{where} has no text in “value”")
    if turn["from"] in ("function_call", "tool_call"):
        return {"role": "assistant", "content": "", "tool_calls": _calls(value, where)}
    message: Message = {"role": read_role(turn["from"], where), "content": value}
    if turn.get("weight") in (0, 1):
        message["weight"] = int(turn["weight"])
    return message


def _calls(value: str, where: str) -> list[Any]:
    try:
        called = orjson.loads(value)
    except orjson.JSONDecodeError:
        raise RowError(f"{where} is a function call that is not JSON") from None
    calls = called if isinstance(called, list) else [called]
    if not calls or not all(isinstance(call, dict) and isinstance(call.get("name"), str) for call in calls):
        raise RowError(f"{where} is a function call without a name")
    return [
        make_tool_call(call["name"], call.get("arguments", call.get("parameters")), where) for call in calls
    ]


FORMAT = Format(
    "sharegpt",
    "ShareGPT",
    ("chat", "preference"),
    "“conversations” with “from” and “value”",
    fits,
    normalise,
    order=60,
)
