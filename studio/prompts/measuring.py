"""What the prompt lab measures: models × prompt versions on a use case's held-out rows, each beside the same
model asked as it is, scored by what the use case calls success."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import evaluations, prompts, use_cases
from studio.errors import StudioError
from studio.evaluations import MOST_CONTESTANTS, Contestant, EvaluationConfig, results
from studio.evaluations.results import Difference, Told
from studio.graders.choice import GraderChoice
from studio.held_out import held_out_of
from studio.models import EvaluationItem, Model, Project, Prompt, Run
from studio.prompting import Prompting

MOST_LOOKED_AT = 50  # evaluations, the newest ones


class Measurement(BaseModel):
    """Which versions to measure, on which models. The graders are the use case's criteria."""

    model_config = ConfigDict(extra="forbid")
    project: int
    prompts: list[int] = Field(default_factory=list)
    models: list[str | int] = Field(default_factory=list)
    items: int | None = Field(None, ge=1, le=100_000)
    max_tokens: int = Field(128, ge=1, le=16_384)

    @field_validator("prompts", "models", mode="before")
    @classmethod
    def _alone(cls, given: Any) -> Any:
        return given if isinstance(given, list) else [given]


@dataclass(frozen=True)
class Measured:
    """A model asked in one version (None: as it is), in the newest evaluation that has answers of it.
    `metrics` begins with the one that decides; `plain` is the contestant it is compared with."""

    prompt_id: int | None
    model: str
    run: Run
    contestant: int
    plain: str
    metrics: list[str]
    told: Told


def launch(session: Session, wanted: Measurement, who: str = "") -> Run:
    """Queues the evaluation; every model also answers as it is. Wake the workers after the commit."""
    project = use_cases.get(session, wanted.project)
    if not wanted.prompts or not wanted.models:
        what, field = ("a version", "prompts") if not wanted.prompts else ("a model", "models")
        raise StudioError(f"Choose {what} first.", hint="Then it can be measured.", field=field)
    chosen = [prompts.get(session, each) for each in dict.fromkeys(wanted.prompts)]
    plain = any(prompts.prompting_of(each).is_plain for each in chosen)
    models = list(dict.fromkeys(wanted.models))
    if len(models) * (len(chosen) + (not plain)) > MOST_CONTESTANTS:
        raise StudioError(
            f"That is more than the {MOST_CONTESTANTS} contestants one evaluation takes.",
            hint="Each model is asked in every version, and as it is. Choose fewer.",
            field="prompts",
        )
    held_out = held_out_of(session, project)
    if held_out is None:
        raise StudioError(
            "This use case has no held-out rows.",
            hint="Say on its page what it is measured on.",
            field="project",
        )
    ways = [*([] if plain else [None]), *(each.id for each in chosen)]
    config = EvaluationConfig(
        name=f"Prompts: {', '.join(f'v{each.number}' for each in chosen)}",
        contestants=[Contestant(model=model, prompt=way) for model in models for way in ways],
        dataset=held_out.id,
        graders=metrics(project),
        items=wanted.items,
        max_tokens=wanted.max_tokens,
        project=project.id,
    )
    return evaluations.launch(session, config, who)


def metrics(project: Project) -> list[GraderChoice]:
    """The graders of the use case's criteria that can be measured, the one that decides first."""
    found = use_cases.measured_by(project)
    if not found:
        raise StudioError(
            "Nothing measures this use case yet.",
            hint="Choose a grader, and the judge where that is one, for one of its success criteria.",
            field="project",
        )
    return found


def of(session: Session, project: Project) -> list[Measured]:
    """Every (version, model) that has answers, as its newest evaluation told; models as they are first."""
    known: dict[tuple[int | None, str], Measured] = {}
    for run in prompts.evaluations_of(session, project.id)[:MOST_LOOKED_AT]:
        answering = _answering(session, run)
        for contestant, prompt_id in enumerate(prompts.asked_with(run)):
            is_plain = prompt_id is None and _prompting(run, contestant).is_plain
            key = prompt_id, str(run.inputs[str(contestant)])
            is_new = contestant in answering and (prompt_id or is_plain) and key not in known
            if is_new and (found := _measured(session, run, contestant, prompt_id)):
                known[key] = found
    return sorted(known.values(), key=lambda each: each.prompt_id or 0)


def compared(
    session: Session, first: Prompt, second: Prompt
) -> tuple[Run, list[tuple[str, Difference]]] | None:
    """How the second differs from the first in the newest evaluation that both took part in: for each model
    asked in both, on the metric that decides. None where they never met."""
    for run in prompts.evaluations_with(session, first):
        asked = prompts.asked_with(run)
        pairs = [
            (one, two)
            for one, before in enumerate(asked)
            for two, after in enumerate(asked)
            if (before, after) == (first.id, second.id) and run.inputs[str(one)] == run.inputs[str(two)]
        ]
        metric = evaluations.deciding(run)
        told = [(two, results.one(session, run, two, one)) for one, two in pairs]
        if found := [
            (_model(session, run, two), each.differences[metric])
            for two, each in told
            if each and metric in each.differences
        ]:
            return run, found
    return None


def _answering(session: Session, run: Run) -> set[int]:
    wanted = select(EvaluationItem.contestant).where(EvaluationItem.run_id == run.id).distinct()
    return set(session.scalars(wanted))


def _measured(session: Session, run: Run, contestant: int, prompt_id: int | None) -> Measured | None:
    plain = plain_beside(run, contestant)
    told = results.one(session, run, contestant, plain)
    if told is None:
        return None
    names = [str(each["name"]) for each in run.graders]
    model = _model(session, run, contestant)
    return Measured(prompt_id, model, run, contestant, evaluations.names(run)[plain], names, told)


def plain_beside(run: Run, contestant: int) -> int:
    """The contestant that is the same model asked as it is; else the first one."""
    plain = plain_of(run, contestant)
    return 0 if plain is None else plain


def plain_of(run: Run, contestant: int) -> int | None:
    """The contestant that is the same model asked as it is."""
    model = run.inputs[str(contestant)]
    places = range(len(evaluations.names(run)))
    return next((at for at in places if run.inputs[str(at)] == model and _prompting(run, at).is_plain), None)


def _prompting(run: Run, contestant: int) -> Prompting:
    return Prompting.model_validate(run.parameters["contestants"][contestant]["prompting"])


def _model(session: Session, run: Run, contestant: int) -> str:
    reference = run.inputs[str(contestant)]
    found = session.get(Model, int(reference)) if str(reference).isdigit() else None
    return found.name if found else f"the result of {reference}"
