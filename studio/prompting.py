"""How a question is put to a model: an instruction, solved examples, and a template around the question.

A template may name the question as `{input}` and any text field of its row as `{field}`, but not its answer.
Applied to rows before a model sees them; the rows themselves stay as they are.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from studio.errors import StudioError
from studio.rows import ANSWERS

PLACE = re.compile(r"\{(\w+)\}")
INPUT = "input"
SECRET = (*ANSWERS, "label")  # what a row's answer stands in; telling a model would measure nothing
ASKED = ("prompt", "text", "query")  # what its question stands in, which is {input}


class Example(BaseModel):
    """A solved question, shown before the one that is asked. `fields` are the row's others that the template
    names."""

    model_config = ConfigDict(extra="forbid")
    input: str = Field(min_length=1, max_length=20_000)
    output: str = Field(max_length=20_000)
    fields: dict[str, str | int | float] = Field(default_factory=dict)


class Prompting(BaseModel):
    """`system` takes the place of the rows' own system message where it is given."""

    model_config = ConfigDict(extra="forbid")
    system: str = Field("", max_length=20_000)
    template: str = Field("{input}", max_length=20_000)
    examples: list[Example] = Field(default_factory=list, max_length=64)

    @field_validator("template")
    @classmethod
    def _asks(cls, template: str) -> str:
        places = PLACE.findall(template)
        if INPUT not in places:
            raise StudioError(
                "The template leaves the question out.",
                hint="Write {input} where the question belongs.",
                field="template",
            )
        if told := next((name for name in places if name in SECRET), None):
            raise StudioError(
                f"The template names {{{told}}}, which is the wanted answer.",
                hint="Take it out: a model that is told the answer shows nothing.",
                field="template",
            )
        return template

    @property
    def named(self) -> list[str]:
        """The fields of a row that the template names beside the question, each once."""
        return [name for name in dict.fromkeys(PLACE.findall(self.template)) if name != INPUT]

    @property
    def is_plain(self) -> bool:
        """Changes nothing."""
        return self == Prompting()


def apply(
    prompting: Prompting, messages: list[dict[str, Any]], row: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The messages a model is asked with. The last user message is the question; solved examples stand right
    before it.

    Raises StudioError naming a field of the template that the row does not have."""
    at = max((place for place, each in enumerate(messages) if each["role"] == "user"), default=-1)
    if prompting.is_plain or at < 0:
        return messages
    before, question, after = messages[:at], messages[at], messages[at + 1 :]
    if prompting.system:
        before = [
            {"role": "system", "content": prompting.system},
            *(each for each in before if each["role"] != "system"),
        ]
    shown = [turn for each in prompting.examples for turn in _turns(prompting, each)]
    asked = {**question, "content": fill(prompting.template, str(question["content"]), row)}
    return [*before, *shown, asked, *after]


def fill(template: str, question: str, row: Mapping[str, Any]) -> str:
    """The template with the question and the row's fields in their places."""
    known = fields_of(row)

    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == INPUT:
            return question
        if name in known:
            return str(known[name])
        raise StudioError(
            f"The template names {{{name}}}, which the rows do not have.",
            hint=f"They have {', '.join(['input', *known])}.",
            field="template",
        )

    return PLACE.sub(put, template)


def fields_of(row: Mapping[str, Any]) -> dict[str, str | int | float]:
    """What a template may name of a row beside its question."""
    return {
        name: value
        for name, value in row.items()
        if isinstance(value, str | int | float) and name not in (*SECRET, *ASKED)
    }


def _turns(prompting: Prompting, example: Example) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": fill(prompting.template, example.input, example.fields)},
        {"role": "assistant", "content": example.output},
    ]
