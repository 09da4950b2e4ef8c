"""The shapes: what a row must look like before anything can be trained on it, and what it feeds.

The shape is our own; what people bring are formats (`studio.datasets.formats`).
"""

from dataclasses import dataclass
from typing import Any

from studio.errors import NotFound

Row = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """One shape. `turns` are the fields that hold text or messages, in reading order; where rows of one
    dataset have messages in one of them, all have (`lift`)."""

    name: str
    title: str
    meaning: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    turns: tuple[str, ...]
    example: Row


def _user(text: str) -> Row:
    return {"role": "user", "content": text}


def _assistant(text: str) -> Row:
    return {"role": "assistant", "content": text}


_SHAPES = (
    Shape(
        "chat",
        "Chat",
        "Whole conversations: the model learns what the assistant says in them.",
        ("messages",),
        ("tools",),
        ("messages",),
        {
            "messages": [
                {"role": "system", "content": "Answer in one sentence."},
                _user("Why is the sky blue?"),
                _assistant("Air scatters blue light more than red."),
            ]
        },
    ),
    Shape(
        "instruction",
        "Prompt and completion",
        "A question and the answer it should get: the model learns the answer.",
        ("prompt", "completion"),
        ("tools",),
        ("prompt", "completion"),
        {"prompt": "Translate to German: good morning", "completion": "Guten Morgen"},
    ),
    Shape(
        "preference",
        "Preference pairs",
        "Two answers to one prompt, and which of them is better.",
        ("prompt", "chosen", "rejected"),
        ("tools",),
        ("prompt", "chosen", "rejected"),
        {
            "prompt": [_user("Sum up the meeting in one sentence.")],
            "chosen": [_assistant("The launch moves to May because the audit is late.")],
            "rejected": [_assistant("It was a long meeting about many things.")],
        },
    ),
    Shape(
        "labelled",
        "Thumbs up or down",
        "One answer to a prompt, and whether it was good.",
        ("prompt", "completion", "label"),
        ("tools",),
        ("prompt", "completion"),
        {
            "prompt": "How do I reset my password?",
            "completion": "Open Settings, then Security.",
            "label": True,
        },
    ),
    Shape(
        "prompt",
        "Prompts for a grader",
        "Prompts without answers: the model answers, and a grader scores it against the other columns.",
        ("prompt",),
        ("reference_answer", "tools"),
        ("prompt",),
        {"prompt": [_user("What is 17 × 3?")], "reference_answer": "51"},
    ),
    Shape(
        "text",
        "Plain text",
        "Running text of a field: the model learns its language and facts.",
        ("text",),
        (),
        ("text",),
        {"text": "A suppository is placed in the rectum, where it melts and releases its medicine."},
    ),
    Shape(
        "rated",
        "Rated answers",
        "One answer to a prompt with a number that says how good it was.",
        ("prompt", "completion", "score"),
        ("tools",),
        ("prompt", "completion"),
        {"prompt": "Name a prime above 10.", "completion": "11", "score": 5},
    ),
    Shape(
        "classification",
        "Labelled texts",
        "A text (or an image) and the class it belongs to.",
        ("text", "label"),
        ("image",),
        ("text",),
        {"text": "The parcel never arrived.", "label": "delivery"},
    ),
    Shape(
        "retrieval",
        "Queries and passages",
        "A query with the passage that answers it: similar things should lie close together.",
        ("query", "positive"),
        ("negatives",),
        ("query", "positive"),
        {
            "query": "opening hours",
            "positive": "We are open from 9 to 17.",
            "negatives": ["We sell bicycles."],
        },
    ),
)
SHAPES: dict[str, Shape] = {shape.name: shape for shape in _SHAPES}

# The role that a plain text has when it is lifted into messages.
_LIFTED_ROLE = {"prompt": "user", "completion": "assistant", "chosen": "assistant", "rejected": "assistant"}


def get(name: str) -> Shape:
    """The shape of this name. Raises NotFound."""
    if name not in SHAPES:
        raise NotFound(f"There is no shape “{name}”.", hint=f"Choose one of: {', '.join(SHAPES)}.")
    return SHAPES[name]


def is_conversational(row: Row) -> bool:
    """Whether prompt or answers are messages rather than plain text."""
    return any(isinstance(row.get(field), list) for field in _LIFTED_ROLE)


def lift(row: Row) -> Row:
    """The same row with every prompt and answer as messages (so that a dataset has one form only)."""
    lifted = {
        field: [{"role": role, "content": row[field]}]
        for field, role in _LIFTED_ROLE.items()
        if isinstance(row.get(field), str)
    }
    return row | lifted


def extra(row: Row, name: str) -> Any:
    """A column beyond the shape's own, such as `slice`: rows of the prompt shape keep it beside the
    prompt, where graders look; all others under `meta`."""
    meta = row.get("meta")
    return meta[name] if isinstance(meta, dict) and name in meta else row.get(name)
