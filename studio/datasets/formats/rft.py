"""Reinforcement fine-tuning (Bedrock, Nova, OpenAI): messages that end with the user, and a reference.

Only `messages` and `tools` are reserved; every other key stays beside the prompt for the grader.
"""

from studio.datasets.formats.base import Format, Row, RowError
from studio.datasets.messages import looks_like_messages, read_messages, read_tools

RESERVED = {"messages", "tools"}


def fits(row: Row) -> str | None:
    messages = row.get("messages")
    if not isinstance(messages, list) or not looks_like_messages(messages):
        return None
    last = messages[-1]
    asks = isinstance(last, dict) and last.get("role") in ("user", "tool")
    return "prompt" if asks and row.keys() - RESERVED - {"id", "meta"} else None


def normalise(row: Row, shape: str) -> Row:
    prompt = read_messages(row.get("messages"))
    if prompt[-1]["role"] == "assistant":
        raise RowError("the last message is the assistant's: a prompt has to end with the user")
    made: Row = {"prompt": prompt}
    if "reference_answer" in row:
        made["reference_answer"] = row["reference_answer"]
    if tools := read_tools(row.get("tools")):
        made["tools"] = tools
    return made | {key: value for key, value in row.items() if key not in RESERVED}


FORMAT = Format(
    "rft",
    "Reinforcement fine-tuning",
    ("prompt",),
    "“messages” ending with the user, and reference keys for a grader",
    fits,
    normalise,
    order=100,
)
