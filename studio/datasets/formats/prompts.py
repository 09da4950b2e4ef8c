"""Prompts alone, as TRL's online trainers take them: `prompt` and any columns for graders."""

from studio.datasets.formats.base import Format, Row, first_key, read_side, with_system
from studio.datasets.messages import read_tools

ANSWERED = {"completion", "response", "output", "answer", "chosen", "rejected"}
REFERENCES = ("reference_answer", "ground_truth", "solution", "reference", "target", "expected")


def fits(row: Row) -> str | None:
    return "prompt" if row.get("prompt") and not ANSWERED & row.keys() else None


def normalise(row: Row, shape: str) -> Row:
    prompt = with_system(row, read_side(row, "prompt"))
    made: Row = {"prompt": [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt}
    if reference := first_key(row, REFERENCES):
        made["reference_answer"] = row[reference]
    if tools := read_tools(row.get("tools")):
        made["tools"] = tools
    return made | {key: value for key, value in row.items() if key not in (*made, "system", "tools")}


FORMAT = Format(
    "prompts",
    "Prompts with reference columns",
    ("prompt",),
    "“prompt” without an answer",
    fits,
    normalise,
    order=160,
)
