"""Graders over REST: what there is, one answer tried, graders of other services taken over."""

from typing import Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from studio import graders
from studio.errors import StudioError
from studio.graders import Case, Grader, imports, trial
from studio.graders.choice import GraderChoice

router = APIRouter(prefix="/api", tags=["graders"])
LARGEST = 2 * 2**20  # bytes of a grader that is imported
LONGEST = 1_000_000  # characters of an answer that is tried


class Attempt(BaseModel):
    """One answer, and what is known about its question."""

    grader: str = Field(max_length=100)
    parameters: dict[str, Any] = Field(default_factory=dict)
    answer: str = Field(max_length=LONGEST)
    reference: Any = ""
    prompt: str = Field("", max_length=LONGEST)
    messages: list[dict[str, Any]] = Field(default_factory=list, max_length=1000)
    row: dict[str, Any] = Field(default_factory=dict)
    completion: list[dict[str, Any]] = Field(default_factory=list, max_length=1000)
    tokens: int | None = Field(None, ge=0)

    def case(self) -> Case:
        return Case(**self.model_dump(exclude={"grader", "parameters"}))


@router.get("/graders")
def listed() -> list[dict[str, Any]]:
    """Every grader with its settings as JSON schema. `needs_worker`: it cannot be tried by itself."""
    return [as_json(grader) for grader in graders.all()]


@router.get("/graders/{name}")
def show(name: str) -> dict[str, Any]:
    return as_json(graders.get(name))


@router.post("/graders/try")
def attempt(wish: Attempt) -> dict[str, Any]:
    """Scores one answer. `score` is null where the grader has nothing to say; `note` tells why."""
    found = trial.run(GraderChoice(grader=wish.grader, parameters=wish.parameters), wish.case())
    return {"score": found.score, "note": found.note}


@router.post(
    "/graders/import",
    openapi_extra={
        "requestBody": {"content": {"application/json": {}, "text/x-python": {}}, "required": True}
    },
)
async def take_over(
    request: Request,
    kind: Literal["", "openai", "bedrock"] = Query("", description="Empty: told from the document."),
) -> list[GraderChoice]:
    """Takes OpenAI's grader JSON, or the Python or the address of a reward function of Amazon Bedrock, as the
    request's body, and gives graders as a run takes them. Nothing of it is run."""
    document = bytearray()
    async for piece in request.stream():
        document += piece
        if len(document) > LARGEST:
            raise StudioError(f"The grader is larger than {LARGEST >> 20} MB.", field="grader")
    return await run_in_threadpool(imports.take_over, bytes(document), kind)


def as_json(grader: Grader) -> dict[str, Any]:
    return {
        "name": grader.name,
        "title": grader.title,
        "help": grader.help,
        "group": grader.group,
        "low": grader.low,
        "high": grader.high,
        "needs_worker": bool(grader.scorer),
        "parameters": grader.parameters.model_json_schema(),
    }
