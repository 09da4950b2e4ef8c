"""Thumbs up or down: a prompt, one answer, and whether it was good (`label`, `kto_tag`, `thumbs`).

Conversations with such a label are taken apart: the last assistant turn is the answer.
"""

from typing import Any

from studio.datasets.formats import sharegpt
from studio.datasets.formats.base import Format, Row, RowError, first_key, keep_meta, read_side, with_system
from studio.datasets.messages import read_tools

LABELS = ("label", "kto_tag", "thumbs", "thumb", "feedback", "thumbs_up")
ANSWERS = ("completion", "response", "answer", "output")
PROMPTS = ("prompt", "query", "question", "instruction")
TALKS = ("messages", "conversations")
GOOD = {"true", "1", "1.0", "up", "yes", "good", "+1", "thumbs_up", "thumbs up", "positive", "like", "👍"}
BAD = {
    "false",
    "0",
    "0.0",
    "down",
    "no",
    "bad",
    "-1",
    "thumbs_down",
    "thumbs down",
    "dislike",
    "👎",
}


def read_label(value: Any) -> bool | None:
    """True for good, False for bad, None where it is neither."""
    text = str(value).strip().lower()
    return True if text in GOOD else False if text in BAD else None


def fits(row: Row) -> str | None:
    name = first_key(row, LABELS)
    if not name or read_label(row[name]) is None:
        return None
    answered = first_key(row, PROMPTS) and first_key(row, ANSWERS)
    return "labelled" if answered or isinstance(row.get(first_key(row, TALKS) or ""), list) else None


def normalise(row: Row, shape: str) -> Row:
    name = first_key(row, LABELS)
    if not name:
        raise RowError("has no label that says whether the answer was good")
    label = read_label(row[name])
    if label is None:
        raise RowError(f"the label {str(row[name])[:40]!r} is neither good (1, true) nor bad (0, false)")
    made, used = _sides(row)
    made["label"] = label
    if tools := read_tools(row.get("tools")):
        made["tools"] = tools
    return keep_meta(made, row, (*used, name, "system", "tools"))


def _sides(row: Row) -> tuple[Row, tuple[str, ...]]:
    prompt, answer = first_key(row, PROMPTS), first_key(row, ANSWERS)
    if prompt and answer:
        sides = {"prompt": with_system(row, read_side(row, prompt)), "completion": read_side(row, answer)}
        return sides, (prompt, answer)
    talk = first_key(row, TALKS)
    if not talk:
        raise RowError("has no prompt with an answer")
    turns = sharegpt.read_turns(row[talk], talk)
    if len(turns) < 2 or turns[-1]["role"] != "assistant":
        raise RowError("the conversation does not end with the assistant's answer")
    return {"prompt": with_system(row, turns[:-1]), "completion": turns[-1:]}, (talk,)


FORMAT = Format(
    "kto",
    "Thumbs up or down",
    ("labelled",),
    "a prompt, an answer and a label that is good or bad",
    fits,
    normalise,
    order=50,
)
