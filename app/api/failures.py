"""Failures of evaluations over REST, and the kinds that a use case's people name them."""

import csv
import io
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.api.evaluations import find
from app.api.plain import plain
from app.people import who
from studio import db, evaluations, failures, runs
from studio.models import FailureKind

router = APIRouter(prefix="/api/failures", tags=["failures"])


class Named(BaseModel):
    """How a kind of failure is called; a note of null stays as it is."""

    name: str = Field(max_length=100)
    note: str | None = Field(None, max_length=2000)


class NewKind(Named):
    project: int


class Into(BaseModel):
    into: int


class Mark(BaseModel):
    """Whether contestant (from 0) `contestant`'s answer about row `number` (from 0) is of this kind."""

    run: int
    contestant: int = Field(ge=0)
    number: int = Field(ge=0)
    kind: int
    on: bool = True


@router.get("")
def listed(run: int, contestant: int) -> list[dict[str, Any]]:
    """A contestant's failures, the lowest scores first."""
    with db.reading() as session:
        return failures.listed(session, find(runs.get(session, run)), contestant)


@router.get("/counts")
def counts(run: int, project: int) -> dict[str, Any]:
    """How many failures of each contestant are of each kind, and which share of all its failures."""
    with db.reading() as session:
        found = find(runs.get(session, run))
        told = failures.counts(session, found, failures.kinds_of(session, project))
        return {
            "contestants": evaluations.names(found),
            "failed": told.failed,
            "asked": told.asked,
            "kinds": [
                {"numbers": each.numbers, "shares": each.shares, "kind": each.kind and kind_json(each.kind)}
                for each in told.kinds
            ],
        }


@router.get("/export")
def export(run: int, contestant: int, form: Literal["csv", "jsonl"] = "csv") -> Response:
    """A contestant's failures as a file."""
    rows = listed(run, contestant)
    headers = {
        "Content-Disposition": f'attachment; filename="failures-{run}-{contestant}.{form}"',
    }
    if form == "jsonl":
        lines = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
        return Response(lines, media_type="application/jsonl", headers=headers)
    return Response(as_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Kinds joined by semicolons. A spreadsheet would run a text that begins as a formula does, so such a
    text gets an apostrophe in front."""
    text = io.StringIO()
    names = ("evaluation", "contestant", "row", "prompt", "answer", "reference", "metric", "score", "kinds")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    for row in rows:
        told = row | {"kinds": "; ".join(row["kinds"])}
        writer.writerow({name: inert(value) for name, value in told.items()})
    return text.getvalue()


def inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


@router.post("/marks")
def mark(given: Mark) -> dict[str, Any]:
    """Tags an answer, or takes the tag back; answers with all its kinds."""
    with db.transaction() as session:
        run = find(runs.get(session, given.run))
        kinds = failures.mark(session, run, given.contestant, given.number, given.kind, given.on)
        return {"number": given.number, "kinds": sorted(kinds)}


@router.get("/kinds")
def kinds(project: int) -> list[dict[str, Any]]:
    with db.reading() as session:
        return [kind_json(each) for each in failures.kinds_of(session, project)]


@router.post("/kinds", status_code=201)
def add(new: NewKind, request: Request) -> dict[str, Any]:
    with db.transaction() as session:
        made = failures.add_kind(session, new.project, new.name, new.note or "", who(request))
        return kind_json(made)


@router.patch("/kinds/{kind_id}")
def rename(kind_id: int, named: Named, request: Request) -> dict[str, Any]:
    with db.transaction() as session:
        return kind_json(failures.rename_kind(session, kind_id, named.name, named.note, who(request)))


@router.post("/kinds/{kind_id}/merge")
def merge(kind_id: int, given: Into, request: Request) -> dict[str, Any]:
    """Everything of this kind becomes of the kind `into`, and this one is gone."""
    with db.transaction() as session:
        return {
            "into": given.into,
            "failures": failures.merge_kinds(session, kind_id, given.into, who(request)),
        }


@router.delete("/kinds/{kind_id}", status_code=204)
def remove(kind_id: int, request: Request) -> Response:
    with db.transaction() as session:
        failures.remove_kind(session, kind_id, who(request))
    return Response(status_code=204)


def kind_json(kind: FailureKind) -> dict[str, Any]:
    return plain(kind, "id name note") | {"project": kind.project_id}
