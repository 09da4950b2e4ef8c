"""Turns canonical rows into what a trainer reads, and picks the prompts for samples."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
from datasets import Dataset

from studio.errors import StudioError
from worker.order import DataOrder

Row = dict[str, Any]


def chat(row: Row) -> Row:
    kept = {"messages": row["messages"]}
    return kept | {"tools": row["tools"]} if row.get("tools") else kept


def instruction(row: Row) -> Row:
    return {"prompt": row["prompt"], "completion": row["completion"]}


def chosen(row: Row) -> Row:
    """Supervised training on preference rows learns from the better answer."""
    return {"prompt": row["prompt"], "completion": row["chosen"]}


# (technique, shape of the rows) → what that technique's trainer reads.
COLUMNS: dict[tuple[str, str], Callable[[Row], Row]] = {
    ("sft", "chat"): chat,
    ("sft", "instruction"): instruction,
    ("sft", "preference"): chosen,
}


def load(order: DataOrder, technique: str) -> Dataset:
    """All rows in the columns the technique's trainer expects. The studio checked them when they came in."""
    column = COLUMNS[technique, order.shape]
    loaded = Dataset.from_list([column(row) for row in rows(order)])
    if not len(loaded):
        raise StudioError(f"“{order.title}” is empty.", hint="Choose a dataset with rows.", field="dataset")
    return loaded


def rows(order: DataOrder) -> Iterator[Row]:
    with order.path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


@dataclass(frozen=True)
class Prompt:
    """A question for samples: `messages` or a plain `text`, and the answer that is wanted."""

    messages: list[Row] | None
    text: str
    reference: str


def prompts(order: DataOrder, count: int) -> list[Prompt]:
    """The first `count` prompts of a dataset, without their answers."""
    return [prompt_of(row, order.shape) for row in islice(rows(order), count)]


def prompt_of(row: Row, shape: str) -> Prompt:
    if shape == "chat":
        messages = row["messages"]
        last = max((i for i, m in enumerate(messages) if m["role"] == "assistant"), default=len(messages))
        wanted = messages[last]["content"] if last < len(messages) else ""
        return Prompt(messages[:last], _last_words(messages[:last]), wanted or "")
    prompt: Any = row["prompt"]
    answer: Any = row.get("completion", row.get("chosen", ""))
    if isinstance(prompt, str):
        return Prompt(None, prompt, answer if isinstance(answer, str) else _last_words(answer))
    return Prompt(prompt, _last_words(prompt), answer if isinstance(answer, str) else _last_words(answer))


def _last_words(messages: list[Row]) -> str:
    content = messages[-1].get("content") if messages else ""
    return content if isinstance(content, str) else orjson.dumps(content).decode()
