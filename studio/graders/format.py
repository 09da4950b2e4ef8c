"""Format: right is an answer that keeps its parts in tags, such as <think>…</think> and then the answer.
Looks at the form only; another grader reads what stands in the parts."""

import re
from itertools import pairwise
from typing import Literal

from pydantic import field_validator

from studio.graders.base import VERIFIABLE, Case, Grader
from studio.parameters import Parameters, setting


class Format(Parameters):
    tags: list[str] = setting(
        ["think", "answer"],
        "Tags",
        "In this order, each opened and closed once and not empty; one a line, without brackets.",
        source="DeepSeek-R1, arXiv 2501.12948, table 1",
        basic=True,
        kind="words",
        min_length=1,
        max_length=20,
    )
    rest: Literal["nothing", "text", "either"] = setting(
        "nothing",
        "After the last tag",
        "Nothing may follow, a text must (Qwen thinks in tags and answers without any), or either.",
        basic=True,
    )
    opened: bool = setting(
        False,
        "The prompt opens the first tag",
        "Set this when the chat template already ends with <think>, so that the answer begins inside it.",
        basic=True,
    )
    partial: bool = setting(
        False,
        "Partial credit",
        "The share of what is right: each tag, their order and what surrounds them. Off: all or nothing.",
        basic=True,
    )

    @field_validator("tags")
    @classmethod
    def plain_names(cls, tags: list[str]) -> list[str]:
        if wrong := next((tag for tag in tags if not re.fullmatch(r"[\w.:-]{1,60}", tag)), None):
            raise ValueError(f"“{wrong}” is no name of a tag; write think for <think>")
        if len(set(tags)) < len(tags):
            raise ValueError("each tag may be named once")
        return tags


def score(case: Case, parameters: Format) -> float:
    tags = parameters.tags
    text = f"<{tags[0]}>{case.answer}" if parameters.opened else case.answer
    right = [whole(text, tag) for tag in tags] + [
        ordered(text, tags),
        surrounded(text, tags, parameters.rest),
    ]
    return sum(right) / len(right) if parameters.partial else float(all(right))


def whole(text: str, tag: str) -> bool:
    """Opened once, closed once after it, and something stands between."""
    if text.count(f"<{tag}>") != 1 or text.count(f"</{tag}>") != 1:
        return False
    return bool(text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0].strip())


def ordered(text: str, tags: list[str]) -> bool:
    """Each tag begins after the one before it has ended, with white space between at most."""
    gap = ""
    for before, tag in pairwise(tags):
        end, start = text.find(f"</{before}>"), text.find(f"<{tag}>")
        if end < 0 or start < end:
            return False
        gap += text[end + len(before) + 3 : start]
    return not gap.strip()


def surrounded(text: str, tags: list[str], rest: str) -> bool:
    """Nothing before the first tag, and after the last one what may stand there."""
    before, opened, _ = text.partition(f"<{tags[0]}>")
    _, closed, after = text.rpartition(f"</{tags[-1]}>")
    if not opened or not closed or before.strip():
        return False
    return rest == "either" or bool(after.strip()) == (rest == "text")


GRADER = Grader(
    name="format",
    title="Format",
    help="Thinking and answer stand in their tags, in order, with nothing around them.",
    aliases=VERIFIABLE,
    parameters=Format,
    each=score,
    group="Structure",
    order=10,
)
