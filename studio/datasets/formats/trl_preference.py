"""TRL preference: `prompt`, `chosen`, `rejected` as texts or messages; the prompt may be implicit, as
what both answers begin with."""

from studio.datasets.formats.base import Format, Row, RowError, first_key, keep_meta, read_side, with_system
from studio.datasets.messages import Message, read_tools

PROMPTS = ("prompt", "question", "instruction", "query", "input")
Side = str | list[Message]


def fits(row: Row) -> str | None:
    return "preference" if row.get("chosen") and row.get("rejected") else None


def normalise(row: Row, shape: str) -> Row:
    if "chosen" not in row or "rejected" not in row:
        raise RowError("does not have both “chosen” and “rejected”")
    chosen, rejected = read_side(row, "chosen"), read_side(row, "rejected")
    asked = first_key(row, PROMPTS)
    if isinstance(chosen, list) != isinstance(rejected, list):
        raise RowError("of “chosen” and “rejected” one is text and one is messages")
    prompt = read_side(row, asked) if asked else None
    if isinstance(chosen, list) and isinstance(rejected, list):
        prompt, chosen, rejected = _messages(prompt, chosen, rejected)
    elif prompt is None:
        prompt, chosen, rejected = _texts(str(chosen), str(rejected))
    made: Row = {"prompt": with_system(row, prompt), "chosen": chosen, "rejected": rejected}
    if tools := read_tools(row.get("tools")):
        made["tools"] = tools
    return keep_meta(made, row, ("chosen", "rejected", "system", "tools", *([asked] if asked else [])))


def _messages(prompt: Side | None, chosen: list[Message], rejected: list[Message]) -> tuple[Side, Side, Side]:
    """Answers that repeat the conversation (UltraFeedback does) are cut to what differs."""
    same = 0
    while same < min(len(chosen), len(rejected)) - 1 and chosen[same] == rejected[same]:
        same += 1
    if chosen[0]["role"] != "assistant" and same:
        prompt = chosen[:same]
        chosen, rejected = chosen[same:], rejected[same:]
    if prompt is None:
        raise RowError("has no prompt, and “chosen” and “rejected” share no first message")
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    return prompt, chosen, rejected


def _texts(chosen: str, rejected: str) -> tuple[str, str, str]:
    """The common beginning, up to its last white space, is the prompt."""
    pairs = enumerate(zip(chosen, rejected, strict=False))
    length = next((place for place, (one, other) in pairs if one != other), min(len(chosen), len(rejected)))
    space = max(chosen.rfind(blank, 0, length) for blank in " \n\t")
    same = chosen[: space + 1]
    if not same.strip() or chosen == rejected:
        raise RowError("has no “prompt”, and “chosen” and “rejected” share no beginning that could be one")
    return same, chosen[len(same) :], rejected[len(same) :]


FORMAT = Format(
    "trl_preference",
    "TRL preference pairs",
    ("preference",),
    "“chosen” and “rejected”",
    fits,
    normalise,
    order=75,
)
