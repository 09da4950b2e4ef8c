"""Reads an order's rows, as tables for a trainer and as prompts for samples. What a trainer's columns are
stands in `studio.rows`."""

from dataclasses import dataclass, field
from typing import Any

from datasets import Dataset

from studio import rows
from studio.errors import StudioError
from studio.rows import Row, last_words, reference_of
from worker.order import DataOrder


def load(
    order: DataOrder,
    reads: str,
    *,
    most: int | None = None,
    like: Dataset | None = None,
    thinking: bool = True,
) -> Dataset:
    """All rows (or `most` of them, spread evenly) in the columns of a trainer that reads `reads`; held-out
    rows in those of the training rows.

    The studio checked the rows when they came in. Raises StudioError when there are none."""
    found = list(rows.converted(order.path, order.shape, reads, most=most, thinking=thinking))
    if not found:
        raise StudioError(f"“{order.title}” is empty.", hint="Choose a dataset with rows.", field="dataset")
    if like is not None:
        found = [rows.in_form_of(row, like.column_names, order.title) for row in found]
    return table(found)


def table(found: list[Row]) -> Dataset:
    """The rows as a table. Values of several forms, such as the arguments of different tools, stay as they
    are: as columns of a struct each tool would get the others' arguments too, empty."""
    return Dataset.from_list(found, on_mixed_types="use_json")


def by_turns(dataset: Dataset) -> Dataset:
    """Conversations as one row an answer."""
    return table([turn for row in dataset for turn in rows.turns(row)])


@dataclass(frozen=True)
class Prompt:
    """A question for samples: `messages` or a plain `text`, the answer that is wanted, and its row."""

    messages: list[Row] | None
    text: str
    reference: str
    row: Row = field(default_factory=dict)


def prompts(order: DataOrder, count: int) -> list[Prompt]:
    """`count` prompts spread evenly over a dataset, without their answers."""
    return [prompt_of(row, order.shape) for row in rows.read(order.path, count)] if count else []


def prompt_of(row: Row, shape: str) -> Prompt:
    """Raises StudioError for a shape that asks nothing."""
    if shape == "chat":
        messages = row["messages"]
        last = max((i for i, m in enumerate(messages) if m["role"] == "assistant"), default=len(messages))
        wanted = messages[last]["content"] if last < len(messages) else ""
        return Prompt(messages[:last], last_words(messages[:last]), wanted or "", row)
    if shape == "text":  # running text has no question: the model goes on from its beginning
        words = row["text"].split(" ")
        return Prompt(None, " ".join(words[: max(1, len(words) // 3)]), "", row)
    if shape == "classification" and not row.get("image"):
        text = row["text"]
        return Prompt([{"role": "user", "content": text}], text, str(row["label"]), row)
    if "prompt" not in row:
        raise StudioError(f"Rows of the shape “{shape}” ask nothing.", hint="Choose rows with prompts.")
    prompt: Any = row["prompt"]
    answer: Any = reference_of(row) if shape == "prompt" else row.get("completion", row.get("chosen", ""))
    if isinstance(prompt, str):
        return Prompt(None, prompt, last_words(answer), row)
    return Prompt(prompt, last_words(prompt), last_words(answer), row)
