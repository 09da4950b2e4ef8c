"""What an AI judge is asked, and how its reply is understood; who the judge is, and how it is reached, is not
here. Shared by the judge that is a model of the studio and the one behind an address.

A scale asks for a number; a pair asks which of two answers is better, the model's or the reference, once in
each order, because judges favour a place (arXiv 2306.05685, section 3.3)."""

import re
from dataclasses import replace
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from studio.errors import StudioError
from studio.graders import templates
from studio.graders.base import Case
from studio.graders.outgoing import Failed
from studio.graders.reading import FinalPart, NotJson, as_text, final_part, read_json
from studio.parameters import setting

SCALE = """Judge the answer to the question below: is it right, complete and to the point?

Question:
{prompt}

Reference answer, where there is one:
{reference}

Answer to judge:
{answer}"""
PAIR = """Which of two answers to the question is better: more correct, complete and to the point?

Question:
{prompt}"""
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?")
SCORE_LINE = re.compile(r"(?:score|rating|grade|result)[^\w-]{0,6}([-+]?\d+(?:\.\d+)?)", re.IGNORECASE)
BETTER = re.compile(
    r"(?:better|winner|verdict)\W{0,6}(?:(?:answer|one)\s+)?(?:is\s+)?(?:answer\s+)?(a|b|tie)\b"
    r"|answer:\W{0,5}(a|b|tie)\b"
    r"|\b(a|b)\W{0,3}\sis\s+(?!not\b)(?:\w+\s+)?better\b",
    re.IGNORECASE,
)
NAMED = re.compile(r"answer\W{0,6}(?:is\s+)?(?:answer\s+)?(a|b|tie)\b", re.IGNORECASE)
LONE = re.compile(r"\W*(?:answer\s+)?(a|b|tie)\W*", re.IGNORECASE)


class Rubric(FinalPart):
    rubric: str = setting(
        "",
        "Rubric",
        "What the judge is told; {prompt}, {answer}, {reference} and {{ item.COLUMN }} of the row are put "
        "in. How to reply is added. Empty: is the answer right, complete and to the point.",
        basic=True,
        kind="words",
        max_length=100_000,
    )
    lowest: float = setting(
        1.0, "Lowest mark", "The scale's lower end, which becomes a score of 0.", ge=-1000, le=1000
    )
    highest: float = setting(
        5.0, "Highest mark", "The scale's upper end, which becomes a score of 1.", ge=-1000, le=1000
    )

    @field_validator("highest")
    @classmethod
    def above_the_lowest(cls, value: float, info: ValidationInfo) -> float:
        if value <= info.data.get("lowest", value - 1):
            raise ValueError("it must lie above the lowest mark")
        return value


def text_of(parameters: Rubric, mode: str) -> str:
    return parameters.rubric.strip() or (PAIR if mode == "pair" else SCALE)


def scale_question(case: Case, parameters: Rubric) -> str:
    """Raises templates.Missing when the row lacks a column the rubric names."""
    ask = f"Reply with a number from {parameters.lowest:g} (worst) to {parameters.highest:g} (best)."
    return f"{templates.render(text_of(parameters, 'scale'), judged(case, parameters))}\n\n{ask}"


def pair_questions(case: Case, parameters: Rubric) -> tuple[str, str]:
    """The question twice: with the model's answer as A, and as B."""
    case = judged(case, parameters)
    asked, reference = templates.render(text_of(parameters, "pair"), case), as_text(case.reference)
    return _pair(asked, case.answer, reference), _pair(asked, reference, case.answer)


def _pair(asked: str, first: str, second: str) -> str:
    answers = f"Answer A:\n{first}\n\nAnswer B:\n{second}"
    return f"{asked}\n\n{answers}\n\nReply with the letter of the better answer, A or B."


def judged(case: Case, parameters: Rubric) -> Case:
    """The case with only the part of the answer that counts."""
    return replace(case, answer=final_part(case.answer, parameters.after).strip())


# ---- replies ------------------------------------------------------------------------------------------


def read_mark(reply: str, lowest: float, highest: float) -> float:
    """The number a judge gave, held within the scale: in JSON (`result`, `score`), after “Score:”, or the
    last one in its reply. Raises Failed when there is none."""
    reply = final_part(reply, "</think>").strip()
    mark = _json_field(reply, ("result", "score", "rating"))
    if not isinstance(mark, int | float) or isinstance(mark, bool):
        found = SCORE_LINE.findall(reply) or NUMBER.findall(reply)
        if not found:
            raise Failed(f"the judge gave no number: “{reply[:80]}”")
        mark = float(found[-1])
    return min(max(float(mark), lowest), highest)


def read_better(reply: str) -> Literal["a", "b", "tie"]:
    """Which answer a judge found better: the one it calls so last, or the only one that it names. Raises
    Failed when it does not say."""
    reply = final_part(reply, "</think>").strip()
    if lone := LONE.fullmatch(reply):
        return lone.group(1).lower()  # type: ignore[return-value]
    better = ["".join(found) for found in BETTER.findall(reply)]
    named = {letter.lower() for letter in NAMED.findall(reply)}
    if not better and len(named) != 1:
        raise Failed(f"the judge did not say A or B: “{reply[:80]}”")
    return better[-1].lower() if better else named.pop()  # type: ignore[return-value]


def read_label(reply: str, labels: list[str]) -> str:
    """The label a judge chose: its whole reply, a JSON field, or the one label its reply names last. Raises
    Failed when it names none."""
    reply = final_part(reply, "</think>").strip()
    chosen = _json_field(reply, ("result", "label"))
    exact = {label.casefold(): label for label in labels}
    for said in (chosen, reply):
        if isinstance(said, str) and said.strip(" .\"'*").casefold() in exact:
            return exact[said.strip(" .\"'*").casefold()]
    named = re.compile(
        "|".join(rf"(?<!\w){re.escape(label)}(?!\w)" for label in by_length(labels)), re.IGNORECASE
    )
    found = named.findall(reply)
    if not found:
        raise Failed(f"the judge named no label: “{reply[:80]}”")
    return exact[found[-1].casefold()]


def by_length(labels: list[str]) -> list[str]:
    """The longest first, so that “not good” is not read as “good”."""
    return sorted(labels, key=len, reverse=True)


def _json_field(reply: str, names: tuple[str, ...]) -> Any:
    try:
        value = read_json(reply, anywhere=True)
    except NotJson:
        return None
    return next((value[name] for name in names if name in value), None) if isinstance(value, dict) else None


def cannot_tell_apart(replies: list[str]) -> StudioError:
    return StudioError(
        f"The judge's vocabulary cannot tell the replies {', '.join(replies)} apart.",
        hint="Take another model as the judge, or another scale.",
        field="model",
    )
