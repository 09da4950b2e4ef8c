"""What a run reads, and which run made it. A model may be `run:7`, the result of run 7; where that run is not
done yet, the new one waits for it. Moves no state (`studio.runs`)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, cast, or_, select
from sqlalchemy.orm import Session

from studio import adapters, graders, techniques, weights
from studio.datasets import library
from studio.errors import NotFound, Refused, StudioError
from studio.graders.choice import GraderChoice, checked, models_named
from studio.models import Kind, Model, Run, State
from studio.techniques import Input, Technique

if TYPE_CHECKING:
    from studio.runs import RunConfig

OF_RUN = re.compile(r"run:(\d+)")
HOPELESS = {State.FAILED, State.CANCELLED}


@dataclass
class Reads:
    """The models and data of a configuration, found. `after` is the run whose result is waited for; what it
    will make stays `run:7` in `inputs` and `graders` until then (`settle`)."""

    model: Model | None = None
    after: int | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    graders: list[GraderChoice] = field(default_factory=list)


def read(session: Session, config: "RunConfig", technique: Technique) -> Reads:
    """Finds everything `config` names. Raises StudioError naming the field."""
    found = Reads()
    kinds = {"language"} | ({technique.model} if technique.model != "classifier" else set())
    read_model(session, config.model, kinds, found)
    for wanted in technique.inputs:
        reference = config.inputs.get(wanted.name, "")
        if reference not in ("", None):
            found.inputs[wanted.name] = _input(session, wanted, reference, found)
    _check_names(technique, config.inputs)
    read_graders(session, config.graders, found)
    return found


def read_model(session: Session, reference: str | int, kinds: set[str], found: Reads) -> None:
    """Finds the model to start from, which is of one of these kinds."""
    model = _model(session, reference, found, "model")
    if isinstance(model, Model):
        check_kind(model, kinds)
        found.model = model
    else:
        found.inputs["model"] = model


def read_graders(session: Session, choices: Sequence[GraderChoice], found: Reads) -> None:
    """Finds the models that graders name."""
    for choice in checked(choices):
        named = models_named(choice)
        ids = {name: _id(_model(session, reference, found, "graders")) for name, reference in named.items()}
        found.graders.append(_settled(choice, ids))


def settle(session: Session, run: Run) -> None:
    """The run that was waited for is done: its result takes the place of every `run:7`."""

    def made(reference: Any) -> Any:
        match = OF_RUN.fullmatch(str(reference))
        return result_of(session, int(match[1])).id if match else reference

    inputs = {name: made(reference) for name, reference in run.inputs.items()}
    if model_id := inputs.pop("model", None):
        run.model_id = model_id
    run.inputs = inputs
    choices = [GraderChoice.model_validate(each) for each in run.graders]
    run.graders = [
        _settled(choice, {name: made(ref) for name, ref in models_named(choice).items()}).model_dump()
        for choice in choices
    ]


def result_of(session: Session, run_id: int) -> Model:
    """The model a run made: the newest, should there be several. Raises NotFound."""
    found = session.scalar(select(Model).where(Model.run_id == run_id).order_by(Model.id.desc()).limit(1))
    if found is None:
        raise NotFound(f"Run {run_id} has made no model.", hint="Choose another model.", field="model")
    return found


def awaited(session: Session, reference: Any) -> Run | None:
    """The run that `run:7` names; None for anything else."""
    match = OF_RUN.fullmatch(str(reference).strip())
    return session.get(Run, int(match[1])) if match else None


def whole(session: Session, start: Model | Run | None) -> Model | None:
    """The whole model at the root of a start: that which an adapter sits on, or which a run begins with. What
    comes of it has its size and architecture."""
    if isinstance(start, Run):
        return whole(session, start.model or awaited(session, start.inputs.get("model")))
    while start and start.base_id and adapters.has(start.adapter) and adapters.get(start.adapter).peft:
        start = session.get(Model, start.base_id)
    return start


def ancestors(session: Session, run: Run) -> Iterator[Run]:
    """The runs whose results this one goes on from, the nearest first."""
    seen, queue = {run.id}, [run]
    while queue:
        for earlier in _makers(session, queue.pop(0)):
            if earlier.id not in seen:
                seen.add(earlier.id)
                queue.append(earlier)
                yield earlier


def followers(session: Session, run: Run) -> list[Run]:
    """The runs that read what this one makes: as their model, as an input, or as a grader's model."""
    made = session.scalars(select(Model.id).where(Model.run_id == run.id)).all()
    names = [f"run:{run.id}", *map(str, made)]
    # Any text with one of these numbers in it is found, and then looked at closely.
    named = [cast(column, Text).contains(name) for column in (Run.inputs, Run.graders) for name in names]
    later = select(Run).where(Run.id > run.id, Run.kind == Kind.TRAIN, or_(Run.model_id.in_(made), *named))
    found = session.scalars(later.order_by(Run.id))
    return [each for each in found if not set(names).isdisjoint(_references(each))]


def _makers(session: Session, run: Run) -> list[Run]:
    """The runs that made what this one reads, or will make it; the newest first."""
    references = _references(run)
    of_runs = [int(match[1]) for each in references if (match := OF_RUN.fullmatch(each))]
    models = [int(each) for each in references if each.isdigit()]
    made = select(Model.run_id).where(Model.id.in_(models))
    wanted = select(Run).where(or_(Run.id.in_(of_runs), Run.id.in_(made)))
    return list(session.scalars(wanted.order_by(Run.id.desc())))


def _references(run: Run) -> set[str]:
    """Every model a run reads, by id or as `run:7`."""
    named = [run.model_id or run.inputs.get("model")]
    if techniques.has(run.technique):
        wanted = techniques.get(run.technique).inputs
        named += [run.inputs.get(each.name) for each in wanted if each.kind == "model"]
    for choice in map(GraderChoice.model_validate, run.graders):
        if graders.has(choice.grader):
            named += models_named(choice).values()
    return {str(each) for each in named if each not in ("", None)}


def _model(session: Session, reference: str | int, found: Reads, place: str) -> Model | str:
    """The model, or `run:7` where run 7 has not made it yet."""
    match = OF_RUN.fullmatch(str(reference).strip())
    if match is None:
        return weights.find(session, reference)
    run = session.get(Run, int(match[1]))
    if run is None:
        raise NotFound(f"There is no run {match[1]}.", hint="The Runs page lists them.", field=place)
    if run.state == State.SUCCEEDED:
        return result_of(session, run.id)
    if run.state in HOPELESS:
        raise Refused(
            f"“{run.name}” is {run.state}: it will make no model.",
            hint="Resume it, or choose another model.",
            field=place,
        )
    found.after = _last_of(session, found.after, run)
    return f"run:{run.id}"


def _last_of(session: Session, known: int | None, run: Run) -> int:
    """Of two runs to wait for, the one that itself waits for the other."""
    if known is None or known == run.id or known in [each.id for each in ancestors(session, run)]:
        return run.id
    if run.id in [each.id for each in ancestors(session, session.get_one(Run, known))]:
        return known
    raise StudioError(
        f"Run {known} and run {run.id} do not follow one another, and a run can wait for one only.",
        hint="Let one of them end first.",
    )


def _input(session: Session, wanted: Input, reference: str | int, found: Reads) -> Any:
    if wanted.kind == "model":
        return _id(_model(session, reference, found, wanted.name))
    version = library.find_version(session, reference)
    if wanted.shapes and version.shape not in wanted.shapes:
        raise StudioError(
            f"{wanted.title} cannot be “{version.title}”: its rows are {version.shape}.",
            hint=f"It needs {' or '.join(wanted.shapes)} rows.",
            field=wanted.name,
        )
    return version.id


def _id(model: Model | str) -> int | str:
    return model if isinstance(model, str) else model.id


def check_kind(model: Model, fitting: set[str]) -> None:
    """Refuses a model that is of none of these kinds."""
    if model.kind not in fitting:
        raise StudioError(
            f"“{model.name}” is a {model.kind} model: it cannot be the start of this technique.",
            hint="Choose a language model.",
            field="model",
        )


def _check_names(technique: Technique, given: dict[str, Any]) -> None:
    known = [each.name for each in technique.inputs]
    if unknown := next((name for name in given if name not in known), None):
        raise StudioError(
            f"{technique.title} reads no “{unknown}”.",
            hint=f"It reads {', '.join(known)}." if known else "It reads nothing besides model and dataset.",
            field=unknown,
        )


def _settled(choice: GraderChoice, models: dict[str, Any]) -> GraderChoice:
    texts = {name: str(model) for name, model in models.items()}
    return choice.model_copy(update={"parameters": choice.parameters | texts})
