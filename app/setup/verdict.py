"""Whether a plan can be launched: what is missing, the first thing wrong, and what Start would launch.

Errors name the path of their field as the page knows it: `parameters:learning_rate`, `graders:g1:weight`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy.orm import Session

from app import forms
from app.setup import offers, several
from app.setup.plan import Both, Graded, Plan, Values
from studio import adapters, chains, lab, pace, runs, sweeps, weights
from studio.datasets import library
from studio.errors import NotFound, StudioError
from studio.graders.choice import GraderChoice
from studio.lineage import HOPELESS, OF_RUN
from studio.models import Run
from studio.runs import RunConfig

Found = TypeVar("Found")
LONGEST_NAME = 200
ASKED = ("user", "prompt", "instruction")  # fields that are read before the answer
ONE_EXCHANGE = 3  # messages: a system prompt, a question and its answer


@dataclass(frozen=True)
class Verdict:
    """`missing` in words that follow “Choose”; `problem` is the first thing wrong with what is filled in;
    `settings` are valid ones, `combinations` the values of each run of a sweep; `button` is what Start says:
    “Choose a dataset to start”, “Check the learning rate to start”, “Start”, “Start 6 runs”."""

    missing: list[str]
    problem: StudioError | None
    combinations: list[Values]
    button: str

    @property
    def is_ready(self) -> bool:
        return not self.missing and self.problem is None

    @property
    def wrong(self) -> str:
        return self.problem.field if self.problem else ""


def judge(plan: Plan) -> Verdict:
    lacking, problem, found, steps = missing(plan), None, [], []
    try:
        check_models(plan)
        config(plan)
        check_room(plan)
        found = combinations(plan)
        steps = chain(plan)
    except StudioError as error:
        problem = error
    return Verdict(lacking, problem, found, _button(plan, lacking, problem, len(found or steps)))


def _button(plan: Plan, lacking: list[str], problem: StudioError | None, number: int) -> str:
    if lacking:
        listed = " and ".join(filter(None, (", ".join(lacking[:-1]), lacking[-1])))
        return f"Choose {listed} to start"
    if problem is not None:
        return f"Check {called(plan, problem.field)} to start"
    return f"Start {number} runs" if number > 1 else "Start"


def missing(plan: Plan) -> list[str]:
    """What Start still waits for. Data that does not fit is none."""
    return runs.missing(
        RunConfig(
            model=plan.setup.model.strip(),
            dataset=plan.dataset.id if plan.dataset else "",
            technique=plan.technique.name,
            inputs=dict(plan.inputs),
            graders=[
                *(GraderChoice(grader=each.grader.name) for each in plan.graders),
                *([GraderChoice(grader=chains.REWARD)] if plan.pairs else []),
            ],
        )
    )


# ---- what Start launches ------------------------------------------------------------------------------


def config(plan: Plan) -> RunConfig:
    """What Start launches; of a sweep, what its runs share. Raises StudioError for the first wrong field."""
    setup = plan.setup
    if len(setup.name) > LONGEST_NAME:
        raise StudioError("That name is too long.", hint=f"{LONGEST_NAME} characters at most.", field="name")
    of_technique, of_adapter = shared_settings(plan)
    return RunConfig(
        **setup.model_dump(include={"technique", "adapter", "name", "gpus", "priority", "project", "tags"}),
        model=setup.model.strip(),
        dataset=str(plan.dataset.id) if plan.dataset else "",
        held_out=str(plan.held_out.id) if plan.held_out else "",
        inputs=dict(plan.inputs),
        graders=graders(plan),
        seed=seed(plan),
        parameters=of_technique,
        adapter_parameters=of_adapter,
        recommendation=setup.recommendation,
        parent=setup.clone,
    )


def checked(plan: Plan) -> Both:
    """All settings, valid."""
    technique, adapter = plan.technique, plan.adapter
    return Both(
        at("parameters", lambda: forms.checked(technique.parameters, plan.values.technique, technique.title)),
        at(
            "adapter_parameters",
            lambda: forms.checked(adapter.parameters, plan.values.adapter, adapter.title),
        ),
    )


def shared_settings(plan: Plan) -> Both:
    """All settings; where a sweep varies the adapter, only what the person and the guide set, so that each
    adapter gets what is recommended for it, and only what all of them have."""
    found = checked(plan)
    varied = plan.setup.sweep.fields.get(several.ADAPTER)
    if varied is None or several.ADAPTER not in {each.name for each in plan.varied}:
        return found
    return Both(
        {name: found.technique[name] for name in {*plan.guided, *plan.changed.technique}},
        {
            name: found.adapter[name]
            for name in plan.changed.adapter
            if all(has_setting(adapter, name) for adapter in varied.picked)
        },
    )


def seed(plan: Plan) -> int:
    given = plan.setup.seed
    if not isinstance(given, int) or not 0 <= given <= several.LARGEST_SEED:
        raise StudioError(
            "The seed is a whole number.", hint=f"From 0 to {several.LARGEST_SEED:,}.", field="seed"
        )
    return given


def graders(plan: Plan) -> list[GraderChoice]:
    """The graders with every setting."""
    found: list[GraderChoice] = []
    for graded in plan.graders:
        choice = _choice(graded)
        if any(choice.name == other.name for other in found):
            raise StudioError(
                f"Two graders are called “{choice.name}”.",
                hint="Give one of them another name: charts tell them apart by it.",
                field=f"{graded.path}:name",
            )
        found.append(choice)
    return found


def _choice(graded: Graded) -> GraderChoice:
    grader, given = graded.grader, graded.given
    if isinstance(given.weight, str) or given.weight is None:
        raise StudioError(
            f"The weight of {grader.title} is no number.",
            hint="1 counts it once, 0 only logs it.",
            field=f"{graded.path}:weight",
        )
    place = f"{graded.path}:parameters"
    values = at(place, lambda: forms.checked(grader.parameters, graded.values, grader.title))
    if grader.prepare is not None:
        prepare, settings = grader.prepare, grader.parameters(**values)
        at(place, lambda: prepare(settings))
    name = given.name.strip() or grader.name
    try:
        return GraderChoice(grader=grader.name, name=name, weight=given.weight, parameters=values)
    except ValidationError as problem:
        wrong = str(problem.errors(include_url=False)[0]["loc"][0])
        raise StudioError(
            f"{grader.title}: this {wrong} cannot be.",
            hint="Names have up to 60 letters, digits, spaces and . : + -; weights are from -1000 to 1000.",
            field=f"{graded.path}:{wrong}",
        ) from problem


# ---- sweep --------------------------------------------------------------------------------------------


def sweep_fields(plan: Plan) -> dict[str, list[Any] | dict[str, Any]]:
    """What `studio.sweeps` takes; empty for a single run."""
    now = {"": plan.values.technique, several.OF_ADAPTER: plan.values.adapter}
    fields = several.read(plan.setup.sweep, plan.varied, now)
    for name in (name for name in fields if name.startswith(several.OF_ADAPTER)):
        setting = name.removeprefix(several.OF_ADAPTER)
        tried = [str(each) for each in fields.get(several.ADAPTER, [])]
        if lacking := [each for each in tried if not has_setting(each, setting)]:
            raise StudioError(
                f"{adapters.get(lacking[0]).title} has no such setting to vary.",
                hint="Vary the adapter, or a setting of one adapter.",
                field=f"sweep:{name}",
            )
    return fields


def combinations(plan: Plan) -> list[Values]:
    """The values of each run of the sweep; empty for a single run."""
    fields = sweep_fields(plan)
    if not fields:
        return []
    try:
        return sweeps.expand(fields, method(plan), draws(plan), seed(plan))
    except StudioError as problem:
        raise StudioError(problem.message, problem.hint, f"sweep:{problem.field or 'count'}") from problem


def method(plan: Plan) -> sweeps.Method:
    return "random" if plan.setup.sweep.method == "random" else "grid"


def draws(plan: Plan) -> int:
    """How many runs a random sweep draws; 0 while what is typed is no number."""
    number = forms.as_number(plan.setup.sweep.count, whole=True)
    return number if isinstance(number, int) else 0


def has_setting(adapter: str, name: str) -> bool:
    return adapters.has(adapter) and name in adapters.get(adapter).parameters.model_fields


# ---- chain --------------------------------------------------------------------------------------------


def chain(plan: Plan) -> list[RunConfig]:
    """The runs of which this one is the last; empty for a single run."""
    if plan.pairs is None:
        return []
    if plan.varied:
        raise StudioError(
            "A chain is launched once, and not for several values.",
            hint="Remove what the sweep varies, or what is learned before.",
            field="chain:pairs",
        )
    examples = str(plan.examples.id) if plan.examples else ""
    return chains.rm_ppo(chains.Rlhf(ppo=config(plan), pairs=str(plan.pairs.id), examples=examples))


# ---- what is wrong ------------------------------------------------------------------------------------


def at(place: str, work: Callable[[], Found]) -> Found:
    """`work`, whose errors name their field from here: `parameters:learning_rate`."""
    try:
        return work()
    except StudioError as problem:
        raise StudioError(
            problem.message, problem.hint, f"{place}:{problem.field}", problem.lines
        ) from problem


def check_models(plan: Plan) -> None:
    check_model(plan.session, plan.setup.model.strip(), "model")
    for wanted in plan.technique.inputs:
        if wanted.kind == "model":
            check_model(plan.session, plan.inputs.get(wanted.name, "").strip(), f"inputs:{wanted.name}")


def check_model(session: Session, text: str, path: str) -> None:
    """Refuses what is neither registered, nor a folder, nor looks like a hub id, nor is the result of a run
    that can still make one. Reads no weights."""
    if not text or offers.known_model(session, text):
        return
    match = OF_RUN.fullmatch(text)
    if match is None:
        if not (weights.HUB_ID.fullmatch(text) or Path(text).expanduser().is_dir()):
            raise StudioError(
                f"“{text}” is neither a model of this studio, nor a folder on this machine, nor a hub id.",
                hint="Choose one from the list, or type a folder or an id like Qwen/Qwen3-0.6B.",
                field=path,
            )
        return
    run = session.get(Run, int(match[1]))
    if run is None:
        raise NotFound(f"There is no run {match[1]}.", hint="The Runs page lists them.", field=path)
    if run.state in HOPELESS:
        raise StudioError(
            f"“{run.name}” is {run.state}: it will make no model.",
            hint="Resume it, or choose another model.",
            field=path,
        )


def check_room(plan: Plan) -> None:
    """Refuses a longest row in which not even the shortest prompt has room, so that nothing would be learned.
    A word is a token at least; of conversations of several turns the first may have room."""
    given = checked(plan).technique
    longest = given.get("max_length")
    if plan.dataset is None or longest is None or given.get("loss_on") != "answers":
        return
    version = library.get_version(plan.session, plan.dataset.id)
    turns = (version.report.get("statistics", {}).get("turns") or {}).get("max", 0)
    shortest = max(pace.lengths(version, field, "words").get("min", 0) for field in ASKED)
    if turns <= ONE_EXCHANGE and shortest >= longest:
        raise StudioError(
            f"Every prompt of “{version.title}” is longer than the longest row: the shortest has "
            f"{shortest:,.0f} words.",
            hint="Nothing would be left to learn. Raise it beyond the prompts and their answers.",
            field="parameters:max_length",
        )


def is_untried(plan: Plan) -> bool:
    """Whether the model could try the reward it is to learn from in a lab, and no lab has. A teacher's
    answers are tried in none."""
    has_teacher = any(wanted.required for wanted in plan.technique.inputs)
    if not plan.technique.graded or has_teacher or plan.awaited or plan.dataset is None:
        return False
    try:
        choices = graders(plan)
    except StudioError:
        return False
    environment = plan.values.technique.get("environment", "")
    return bool(choices) and not (
        plan.model and lab.tried(plan.session, plan.model.id, plan.dataset.id, choices, environment)
    )


def called(plan: Plan, path: str) -> str:
    """What a field is called in a sentence: the learning rate."""
    first, _, rest = path.partition(":")
    if first == "sweep":
        known = {each.name: each.title for each in plan.variable}
        return f"the values of {lowered(known[rest])}" if rest in known else "the number of runs"
    if first == "graders":
        graded = next((each for each in plan.graders if path.startswith(f"{each.path}:")), None)
        return f"the grader {graded.grader.title}" if graded else "the graders"
    if first == "chain":
        return "what is learned first"
    kinds = {"parameters": plan.technique.parameters, "adapter_parameters": plan.adapter.parameters}
    if first in kinds:
        return f"the {lowered(forms.title(kinds[first], rest))}"
    titles = {f"inputs:{each.name}": lowered(each.title) for each in plan.technique.inputs}
    return f"the {titles.get(path, first.replace('_', '-')) or 'settings'}"


def path_of(plan: Plan, field: str) -> str:
    """The path of a field that `studio.runs.launch` names."""
    if any(field == each.name for each in plan.technique.inputs):
        return f"inputs:{field}"
    places = (("parameters", plan.technique.parameters), ("adapter_parameters", plan.adapter.parameters))
    return next((f"{place}:{field}" for place, kind in places if field in kind.model_fields), field)


def lowered(title: str) -> str:
    """A title inside a sentence; LoRA and KL stay as they are."""
    return title if title[1:3] != title[1:3].lower() else title[:1].lower() + title[1:]
