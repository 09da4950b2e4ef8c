"""verl and SageMaker RLVR: a prompt with `data_source` and `reward_model.ground_truth`.

`extra_info.answer` wins over the ground truth; older files have a plain text as prompt.
"""

from typing import Any

from studio.datasets.formats.base import Format, Row, RowError, read_side
from studio.datasets.messages import read_tools


def fits(row: Row) -> str | None:
    return "prompt" if "prompt" in row and isinstance(row.get("reward_model"), dict) else None


def normalise(row: Row, shape: str) -> Row:
    prompt = read_side(row, "prompt")
    made: Row = {"prompt": [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt}
    answer = reference(row)
    if answer is None:
        raise RowError("has no answer in “extra_info.answer” or “reward_model.ground_truth”")
    made["reference_answer"] = answer
    if tools := read_tools(row.get("tools")):
        made["tools"] = tools
    return made | {key: value for key, value in row.items() if key not in made}


def reference(row: Row) -> Any:
    """The answer the grader compares with, or None."""
    info, reward = row.get("extra_info"), row.get("reward_model")
    answer = info.get("answer") if isinstance(info, dict) else None
    if answer is not None:
        return answer
    return reward.get("ground_truth") if isinstance(reward, dict) else None


FORMAT = Format(
    "verl",
    "verl / SageMaker RLVR",
    ("prompt",),
    "“prompt” and “reward_model” with its ground truth",
    fits,
    normalise,
    order=40,
)
