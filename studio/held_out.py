"""Rows that are kept apart: what models and use cases are measured on, and, for the chat, such rows as
questions with their answers."""

from typing import Any

import orjson
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import weights
from studio.datasets import library
from studio.errors import NotFound, StudioError
from studio.models import Dataset, DatasetVersion, Project, Run
from studio.rows import ANSWERS

# Shapes whose rows are questions, with or without an answer.
ASKING = ("prompt", "chat", "instruction", "classification")


def questions(session: Session, reference: str | int) -> DatasetVersion:
    """A version whose rows ask something. Raises StudioError for another."""
    found = library.find_version(session, reference)
    if found.shape not in ASKING:
        raise StudioError(
            f"“{found.title}” asks nothing: its rows are {found.shape}.",
            hint=f"Choose {', '.join(ASKING)} rows.",
            field="dataset",
        )
    return found


def held_out_of(session: Session, project: Project) -> DatasetVersion | None:
    """What a use case is measured on: what it says, else the newest of its own held-out rows that ask
    something."""
    if project.held_out_id is not None:
        return library.get_version(session, project.held_out_id)
    own = select(DatasetVersion).join(Dataset).where(Dataset.project_id == project.id)
    asking = own.where(DatasetVersion.split == library.HELD_OUT, DatasetVersion.shape.in_(ASKING))
    return session.scalar(asking.order_by(DatasetVersion.id.desc()).limit(1))


class Example(BaseModel):
    """What to ask, and what a good answer is (may be empty). `number` counts from 0 through `rows`."""

    message: str
    system: str
    reference: str
    source: str
    number: int
    rows: int


def of_models(session: Session, models: list[int]) -> DatasetVersion | None:
    """The held-out version of the newest run that made one of these models, or began with one of them."""
    made_by = [model.run_id for model in weights.listed(session) if model.id in models and model.run_id]
    return session.scalar(
        select(DatasetVersion)
        .join(Run, Run.held_out_id == DatasetVersion.id)
        .where(Run.id.in_(made_by) | Run.model_id.in_(models))
        .order_by(Run.id.in_(made_by).desc(), Run.id.desc())
        .limit(1)
    )


def example(session: Session, models: list[int], number: int) -> Example:
    """One held-out row as a question. Raises NotFound where these models have none."""
    version = of_models(session, models)
    if version is None:
        raise NotFound(
            "No held-out data belongs to these models.",
            hint="Give a run held-out data when you start it, and its rows are offered here.",
        )
    number %= max(version.rows, 1)
    row = library.rows_of(version, number, 1)[0]
    asked, reference = taken_apart(row)
    system = "\n".join(text_of(turn) for turn in asked if turn["role"] == "system")
    words = [text_of(turn) for turn in asked if turn["role"] == "user"]
    return Example(
        message=words[-1] if words else "",
        system=system,
        reference=reference,
        source=version.title,
        number=number,
        rows=version.rows,
    )


def taken_apart(row: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """The messages before the answer, and the answer."""
    if "messages" in row:
        turns = row["messages"]
        last = max((at for at, turn in enumerate(turns) if turn["role"] == "assistant"), default=len(turns))
        return turns[:last], text_of(turns[last]) if last < len(turns) else ""
    if "text" in row and "label" in row:
        return [{"role": "user", "content": row["text"]}], str(row["label"])
    prompt = row.get("prompt") or row.get("text") or row.get("query") or ""
    asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    answer = next((row[name] for name in ANSWERS if row.get(name)), "")
    return asked, written(answer)


def written(answer: Any) -> str:
    """A wanted answer as text: words, the words of messages, or a JSON value as JSON."""
    if isinstance(answer, str):
        return answer
    said = isinstance(answer, list) and all(isinstance(turn, dict) and "role" in turn for turn in answer)
    return "\n".join(map(text_of, answer)) if said else orjson.dumps(answer).decode()


def text_of(turn: dict[str, Any]) -> str:
    content = turn.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else part.get("text", "") for part in content)
