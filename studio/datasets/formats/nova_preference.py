"""Amazon Nova preference: the last assistant turn has two or more `candidates`, each preferred or not.

The first preferred and the first non-preferred candidate make the pair; others stay under `meta`.
"""

from typing import Any

from studio.datasets.formats.base import Format, Row, RowError, keep_meta
from studio.datasets.formats.nova_conversation import read_blocks, read_system, read_tool_config


def _candidates(row: Row) -> Any:
    messages = row.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return last.get("candidates") if isinstance(last, dict) else None


def fits(row: Row) -> str | None:
    return "preference" if isinstance(_candidates(row), list) else None


def normalise(row: Row, shape: str) -> Row:
    candidates = _candidates(row)
    if not isinstance(candidates, list) or not all(isinstance(one, dict) for one in candidates):
        raise RowError("the last message has no list of candidates")
    by_label = {
        label: [one for one in candidates if one.get("preferenceLabel") == label]
        for label in ("preferred", "non-preferred")
    }
    for label, found in by_label.items():
        if not found:
            raise RowError(f"no candidate is labelled “{label}”")
    if len(row["messages"]) < 2:
        raise RowError("has candidates but no prompt before them")
    chosen, rejected = by_label["preferred"][0], by_label["non-preferred"][0]
    made: Row = {
        "prompt": [*read_system(row.get("system")), *read_blocks(row["messages"][:-1])],
        "chosen": _answer(chosen),
        "rejected": _answer(rejected),
    }
    if tools := read_tool_config(row.get("toolConfig")):
        made["tools"] = tools
    others = [one for one in candidates if one is not chosen and one is not rejected]
    rest = {**row, "other_candidates": others} if others else row
    return keep_meta(made, rest, ("schemaVersion", "system", "messages", "toolConfig"))


def _answer(candidate: Row) -> list[Row]:
    return read_blocks([{"role": "assistant", "content": candidate.get("content")}])


FORMAT = Format(
    "nova_preference",
    "Amazon Nova preference",
    ("preference",),
    "“candidates” with “preferenceLabel” in the last message",
    fits,
    normalise,
    order=10,
)
