"""A prompt that is being written: what its form holds, kept under the key in the address. A helper, no page.

What is typed is kept as it is; `studio.prompts` says what is wrong with it.
"""

import secrets
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from app.parts import Query
from studio import drafts, prompts, sample, use_cases
from studio.datasets import library
from studio.errors import NotFound
from studio.models import Project
from studio.prompting import Example, Prompting
from studio.prompts import examples
from studio.prompts.examples import Way

MOST_EXAMPLES = 64
LONGEST = 20_000


class Shown(BaseModel):
    """An example in the form. `key` tells it from the others while they move."""

    key: str = Field(default_factory=lambda: secrets.token_hex(3), max_length=20, pattern="^[a-z0-9]+$")
    input: str = Field("", max_length=LONGEST)
    output: str = Field("", max_length=LONGEST)
    fields: dict[str, str | int | float] = Field(default_factory=dict)

    @classmethod
    def of(cls, example: Example) -> "Shown":
        return cls(input=example.input, output=example.output, fields=example.fields)

    def example(self) -> dict[str, Any]:
        return self.model_dump(exclude={"key"})


class Draft(BaseModel):
    """`parent` is the version it began as."""

    project: int
    parent: int | None = None
    name: str = Field("", max_length=200)
    system: str = Field("", max_length=LONGEST)
    template: str = Field("{input}", max_length=LONGEST)
    examples: list[Shown] = Field(default_factory=list, max_length=MOST_EXAMPLES)

    def prompting(self) -> Prompting:
        """Raises StudioError naming what is wrong."""
        about = self.model_dump(include={"system", "template"})
        return prompts.read(about | {"examples": [each.example() for each in self.examples]})


class Taking(BaseModel):
    """`count` examples of a dataset version, or its row of a number (from 0)."""

    version: int
    row: int | None = Field(None, ge=0)
    count: int = Field(3, ge=1, le=MOST_EXAMPLES)
    way: Way = Way.RANDOM
    seed: int = Field(0, ge=0, le=2**31 - 1)


class Edit(Draft):
    """What the form holds, and the button that was pressed: `add` an empty example, `remove` or move `up` the
    one of a key, `take` some from training rows."""

    draft: str = Field("", max_length=60, description="Empty starts a new one.")
    add: bool = False
    remove: str = ""
    up: str = ""
    take: Taking | None = None


def current(session: Session, project: Project, query: Query) -> Draft:
    """The draft of the address; without one the version `from`, else the one in use, else the newest; where
    there is none, the instruction of the template that the use case began as."""
    if given := drafts.get(session, query.text("draft")):
        return Draft.model_validate(given)
    known = prompts.of(session, project.id)
    wanted = query.maybe("from") or project.prompt_id or (known[0].id if known else None)
    if query.text("from") == "0":
        return Draft(project=project.id)
    if wanted is None:
        return Draft(project=project.id, system=sample.instruction(project))
    prompt = prompts.get(session, wanted)
    prompting = prompts.prompting_of(prompt)
    return Draft(
        project=project.id,
        parent=prompt.id,
        name=prompt.name,
        system=prompting.system,
        template=prompting.template,
        examples=[
            Shown.of(each).model_copy(update={"key": f"v{n}"}) for n, each in enumerate(prompting.examples)
        ],
    )


def find(session: Session, key: str) -> Draft:
    """Raises NotFound where nothing is kept under this key."""
    if not (given := drafts.get(session, key)):
        raise NotFound("This draft is no longer here.", hint="It may have been saved already.")
    return Draft.model_validate(given)


def changed(session: Session, edit: Edit) -> tuple[Draft, str]:
    """The draft once the button has done its part, and what there is to say about that."""
    draft = Draft.model_validate(edit.model_dump(include=set(Draft.model_fields)))
    message = ""
    if edit.add and len(draft.examples) < MOST_EXAMPLES:
        draft.examples.append(Shown())
    if edit.take is not None:
        message = take(session, draft, edit.take)
    draft.examples = [each for each in draft.examples if each.key != edit.remove]
    at = next((place for place, each in enumerate(draft.examples) if each.key == edit.up), 0)
    if at:
        draft.examples[at - 1 : at + 1] = reversed(draft.examples[at - 1 : at + 1])
    return draft, message


def take(session: Session, draft: Draft, wanted: Taking) -> str:
    project, version = use_cases.get(session, draft.project), library.get_version(session, wanted.version)
    room = MOST_EXAMPLES - len(draft.examples)
    if wanted.row is not None:
        found = examples.pick(session, project, version, [wanted.row])
    else:
        known = [Example(**each.example()) for each in draft.examples if each.input.strip()]
        found = examples.take(
            session, project, version, wanted.count, wanted.way, seed=wanted.seed, without=known
        )
    draft.examples += [Shown.of(each) for each in found[:room]]
    return "" if len(found[:room]) == wanted.count or wanted.row is not None else f"{len(found[:room])} added"
