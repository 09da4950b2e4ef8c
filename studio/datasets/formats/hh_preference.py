"""Anthropic HH: `chosen` and `rejected` transcripts of “Human:” and “Assistant:” turns, which differ only
after the last “Assistant:”."""

import re

from studio.datasets.formats.base import Format, Row, RowError, keep_meta
from studio.datasets.messages import Message

TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")
ANSWER = "\n\nAssistant:"


def fits(row: Row) -> str | None:
    sides = (row.get("chosen"), row.get("rejected"))
    is_transcript = all(isinstance(side, str) and "Human:" in side[:20] and ANSWER in side for side in sides)
    return "preference" if is_transcript and "prompt" not in row else None


def normalise(row: Row, shape: str) -> Row:
    prompts, answers = zip(*(_split(row.get(side), side) for side in ("chosen", "rejected")), strict=True)
    if prompts[0] != prompts[1]:
        raise RowError("“chosen” and “rejected” differ before their last “Assistant:”")
    made: Row = {
        "prompt": _turns(prompts[0]),
        "chosen": [{"role": "assistant", "content": answers[0]}],
        "rejected": [{"role": "assistant", "content": answers[1]}],
    }
    return keep_meta(made, row, ("chosen", "rejected"))


def _split(transcript: object, side: str) -> tuple[str, str]:
    if not isinstance(transcript, str) or ANSWER not in transcript:
        raise RowError(f"“{side}” is not a transcript with an “Assistant:” turn")
    prompt, _, answer = transcript.rpartition(ANSWER)
    return prompt, answer.strip()


def _turns(transcript: str) -> list[Message]:
    parts = TURN.split(transcript)
    if len(parts) < 3 or parts[0].strip():
        raise RowError("the transcript does not begin with “Human:”")
    return [
        {"role": "user" if who == "Human" else "assistant", "content": said.strip()}
        for who, said in zip(parts[1::2], parts[2::2], strict=True)
    ]


FORMAT = Format(
    "hh_preference",
    "Anthropic HH",
    ("preference",),
    "“chosen” and “rejected” transcripts of Human and Assistant",
    fits,
    normalise,
    order=70,
)
