"""Turns canonical rows into what a trainer reads, and picks the prompts for samples."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


def referenced(row: Row) -> Row:
    """A prompt whose reference answer is known measures what a supervised model should say."""
    if isinstance(row["prompt"], str):
        return {"prompt": row["prompt"], "completion": _reference(row)}
    return {"prompt": row["prompt"], "completion": [{"role": "assistant", "content": _reference(row)}]}


# (technique, shape of the rows) → what that technique's trainer reads.
COLUMNS: dict[tuple[str, str], Callable[[Row], Row]] = {
    ("sft", "chat"): chat,
    ("sft", "instruction"): instruction,
    ("sft", "preference"): chosen,
    ("sft", "prompt"): referenced,
}


def load(
    order: DataOrder, technique: str, *, most: int | None = None, like: Dataset | None = None
) -> Dataset:
    """All rows (or `most` of them, spread evenly) in the columns the technique's trainer expects; held-out
    rows in those of the training rows.

    The studio checked the rows when they came in. Raises StudioError when there are none."""
    column = COLUMNS[technique, order.shape]
    found = [column(row) for row in rows(order, most)]
    if not found:
        raise StudioError(f"“{order.title}” is empty.", hint="Choose a dataset with rows.", field="dataset")
    if like is not None:
        found = [_in_form_of(row, like.column_names, order.title) for row in found]
    return Dataset.from_list(found)


def _in_form_of(row: Row, columns: list[str], title: str) -> Row:
    """Whole conversations and (prompt, completion) conversations are the same thing cut differently."""
    if ("messages" in row) == ("messages" in columns):
        return row
    if "messages" in columns and not isinstance(row["prompt"], str):
        return {"messages": [*row["prompt"], *row["completion"]]}
    if "messages" in row and row["messages"][-1]["role"] == "assistant":
        return {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}
    raise StudioError(
        f"“{title}” has rows of another form than the training data.",
        hint="Choose held-out data of the same shape, or split some off the training data.",
        field="held_out",
    )


def rows(order: DataOrder, most: int | None = None) -> Iterator[Row]:
    """The rows in order; with `most`, that many spread evenly over the file, so that a file sorted by kind
    is still seen as a whole."""
    wanted = None
    if most is not None:
        with order.path.open("rb") as file:
            total = sum(1 for _ in file)
        wanted = {place * total // most for place in range(most)} if total > most else None
    with order.path.open("rb") as file:
        for place, line in enumerate(file):
            if wanted is None or place in wanted:
                yield orjson.loads(line)


@dataclass(frozen=True)
class Prompt:
    """A question for samples: `messages` or a plain `text`, and the answer that is wanted."""

    messages: list[Row] | None
    text: str
    reference: str


def prompts(order: DataOrder, count: int) -> list[Prompt]:
    """`count` prompts spread evenly over a dataset, without their answers."""
    return [prompt_of(row, order.shape) for row in rows(order, count)] if count else []


def prompt_of(row: Row, shape: str) -> Prompt:
    if shape == "chat":
        messages = row["messages"]
        last = max((i for i, m in enumerate(messages) if m["role"] == "assistant"), default=len(messages))
        wanted = messages[last]["content"] if last < len(messages) else ""
        return Prompt(messages[:last], _last_words(messages[:last]), wanted or "")
    prompt: Any = row["prompt"]
    answer: Any = _reference(row) if shape == "prompt" else row.get("completion", row.get("chosen", ""))
    if isinstance(prompt, str):
        return Prompt(None, prompt, answer if isinstance(answer, str) else _last_words(answer))
    return Prompt(prompt, _last_words(prompt), answer if isinstance(answer, str) else _last_words(answer))


def _reference(row: Row) -> str:
    """The wanted answer as text; one given as a JSON value is written as JSON."""
    wanted = row.get("reference_answer", "")
    return wanted if isinstance(wanted, str) else orjson.dumps(wanted).decode()


def _last_words(messages: list[Row]) -> str:
    content = messages[-1].get("content") if messages else ""
    return content if isinstance(content, str) else orjson.dumps(content).decode()
