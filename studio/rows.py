"""Rows as trainers read them. A technique says what its trainer reads (`Technique.reads`); which shapes can
give it, and how, stands here."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from studio.errors import StudioError

Row = dict[str, Any]

ANSWERS = ("reference_answer", "completion", "chosen")  # fields that hold the wanted answer, by shape
BY_TURNS = "by_turns"  # the name of a run's choice to cut conversations into their answers
# What the trainer is then told: the prompt says what is not learned, no longer the chat template.
LEARNED_BY_TURNS = {"assistant_only_loss": False, "completion_only_loss": True}


def chat(row: Row) -> list[Row]:
    kept = {"messages": row["messages"]}
    return [kept | {"tools": row["tools"]} if row.get("tools") else kept]


def instruction(row: Row) -> list[Row]:
    kept = {"prompt": row["prompt"], "completion": row["completion"]}
    return [kept | {"tools": row["tools"]} if row.get("tools") else kept]


def chosen(row: Row) -> list[Row]:
    """Supervised training on preference rows learns from the better answer."""
    return instruction(row | {"completion": row["chosen"]})


def referenced(row: Row) -> list[Row]:
    """A prompt whose reference answer is known measures what a supervised model should say."""
    return [{"prompt": row["prompt"], "completion": like_prompt(row["prompt"], reference_of(row))}]


def named(row: Row) -> list[Row]:
    """A language model learns to say a text's class. One that reads text alone cannot learn from an image."""
    if row.get("image"):
        return []
    answer = {"role": "assistant", "content": str(row["label"])}
    return [{"prompt": [{"role": "user", "content": row["text"]}], "completion": [answer]}]


def pair(row: Row) -> list[Row]:
    kept = {"prompt": row["prompt"], "chosen": row["chosen"], "rejected": row["rejected"]}
    return [kept | {"tools": row["tools"]} if row.get("tools") else kept]


def labelled(row: Row) -> list[Row]:
    return [{"prompt": row["prompt"], "completion": row["completion"], "label": bool(row["label"])}]


def unpaired(row: Row) -> list[Row]:
    """A pair is two thumbs: up for the chosen answer, down for the rejected one."""
    answers = ((row["chosen"], True), (row["rejected"], False))
    return [{"prompt": row["prompt"], "completion": answer, "label": label} for answer, label in answers]


def rated(row: Row) -> list[Row]:
    return [{"prompt": row["prompt"], "completion": row["completion"], "score": float(row["score"])}]


def prompt(row: Row) -> list[Row]:
    """The prompt, and the whole row as JSON for the graders: columns of mixed kinds fit no Arrow table."""
    kept = {"prompt": row["prompt"], "row": orjson.dumps(row).decode()}
    return [kept | {"tools": row["tools"]} if row.get("tools") else kept]


def chat_prompt(row: Row) -> list[Row]:
    """A conversation up to its last answer, which becomes the reference."""
    messages = row["messages"]
    last = max((at for at, message in enumerate(messages) if message["role"] == "assistant"), default=None)
    if not last:
        return []
    return prompt(row | {"prompt": messages[:last], "reference_answer": messages[last].get("content") or ""})


def instruction_prompt(row: Row) -> list[Row]:
    return prompt(row | {"reference_answer": last_words(row["completion"])})


def text(row: Row) -> list[Row]:
    return [{"text": row["text"]}]


def passage(row: Row) -> list[Row]:
    return [{"query": row["query"], "positive": row["positive"], "negatives": row.get("negatives") or []}]


def classed(row: Row) -> list[Row]:
    kept = {"text": row["text"], "label": str(row["label"])}
    return [kept | {"image": row["image"]} if row.get("image") else kept]


# (what the trainer reads, shape of the rows) → the rows it gets. An empty list leaves a row out.
CONVERTERS: dict[tuple[str, str], Callable[[Row], list[Row]]] = {
    ("answers", "chat"): chat,
    ("answers", "instruction"): instruction,
    ("answers", "preference"): chosen,
    ("answers", "prompt"): referenced,
    ("answers", "classification"): named,
    ("pairs", "preference"): pair,
    ("pairs", "labelled"): labelled,
    ("labelled", "labelled"): labelled,
    ("labelled", "preference"): unpaired,
    ("rated", "rated"): rated,
    ("rated", "preference"): pair,
    ("prompts", "prompt"): prompt,
    ("prompts", "chat"): chat_prompt,
    ("prompts", "instruction"): instruction_prompt,
    ("text", "text"): text,
    ("passages", "retrieval"): passage,
    ("classes", "classification"): classed,
}


def converted(
    path: Path, shape: str, reads: str, *, most: int | None = None, thinking: bool = True
) -> Iterator[Row]:
    """The rows of a file of one shape, as a trainer that reads `reads` takes them. The reasoning of an answer
    is written before it, between <think> tags, or left out."""
    convert = CONVERTERS[reads, shape]
    for row in read(path, most):
        yield from convert(_thought(row, thinking))


def further(reads: str, shape: str) -> str:
    """What data beside the training rows is read as: as they are; as answers, where this shape cannot be."""
    return reads if (reads, shape) in CONVERTERS else "answers"


def in_form_of(row: Row, columns: Collection[str], title: str) -> Row:
    """A held-out row in the columns of the training rows: whole conversations and (prompt, completion)
    conversations are the same thing cut differently.

    Raises StudioError, naming the dataset by its `title`, for a row that is not."""
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


def turns(row: Row) -> list[Row]:
    """A conversation as one row for each answer that is to be learned: what came before, and the answer. An
    answer with the weight 0 is only ever part of what came before."""
    messages = row["messages"]
    tools = {"tools": row["tools"]} if row.get("tools") else {}
    return [
        {"prompt": _plain(messages[:at]), "completion": _plain(messages[at : at + 1]), **tools}
        for at, message in enumerate(messages)
        if message["role"] == "assistant" and at and message.get("weight") != 0
    ]


def has_weights(row: Row) -> bool:
    """Whether some answer of a conversation is not to be learned."""
    return any(message.get("weight") == 0 for message in row.get("messages") or ())


def _plain(messages: list[Row]) -> list[Row]:
    return [{key: value for key, value in message.items() if key != "weight"} for message in messages]


def _thought(row: Row, thinking: bool) -> Row:
    """The row with every message's `thinking` in its text, where chat templates look for it, or without."""
    found = {
        name: [_with_thinking(message, thinking) for message in value]
        for name, value in row.items()
        if isinstance(value, list) and any(isinstance(m, dict) and m.get("thinking") for m in value)
    }
    return row | found if found else row


def _with_thinking(message: Row, thinking: bool) -> Row:
    kept = {key: value for key, value in message.items() if key != "thinking"}
    if thinking and message.get("thinking") and isinstance(kept.get("content"), str):
        kept["content"] = f"<think>\n{message['thinking']}\n</think>\n\n{kept['content']}"
    return kept


def read(path: Path, most: int | None = None) -> Iterator[Row]:
    """The rows in order; with `most`, those of `places`."""
    wanted = set(places(path, most)) if most is not None else None
    with path.open("rb") as file:
        for place, line in enumerate(file):
            if wanted is None or place in wanted:
                yield orjson.loads(line)


def places(path: Path, most: int | None = None) -> Sequence[int]:
    """The numbers of the rows, from 0; with `most`, of that many spread evenly over the file, so that a file
    sorted by kind is still seen as a whole."""
    with path.open("rb") as file:
        total = sum(1 for _ in file)
    return range(total) if most is None or total <= most else [n * total // most for n in range(most)]


def reference_of(row: Row) -> str:
    """The wanted answer as text; one given as a JSON value is written as JSON."""
    wanted = row.get("reference_answer", "")
    return wanted if isinstance(wanted, str) else orjson.dumps(wanted).decode()


def like_prompt(prompt: Any, answer: str) -> Any:
    """An answer in the form of its prompt: text, or messages."""
    return answer if isinstance(prompt, str) else [{"role": "assistant", "content": answer}]


def last_words(messages: Any) -> str:
    """A text, or what the last message says."""
    if isinstance(messages, str):
        return messages
    content = (messages[-1].get("content") if messages else "") or ""  # none where it only calls a tool
    return content if isinstance(content, str) else orjson.dumps(content).decode()
