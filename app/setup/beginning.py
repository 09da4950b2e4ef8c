"""Where a setup begins: a draft, a clone of a run, the result of a run, a recommendation, or what the address
asks for. Raises StudioError where an address names what does not exist."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app import forms
from app.setup import Grading, Setup, Several, advised, several
from app.setup.offers import known_model, next_techniques
from app.setup.plan import Plan
from studio import adapters, drafts, graders, lineage, recommendations, runs, techniques, weights
from studio.adapters import Adapter
from studio.datasets import library
from studio.doctor import checkups
from studio.errors import NotFound
from studio.models import Run, State
from studio.runs import RunConfig
from studio.techniques import Technique


def current(session: Session, asked: Mapping[str, str]) -> Setup:
    """The draft that `asked` names where there is one, else what it asks for."""
    key = asked.get("draft", "")
    kept = drafts.get(session, key) if key else {}
    return Setup.model_validate(kept) if kept else begin(session, asked)


def begin(session: Session, asked: Mapping[str, str]) -> Setup:
    if asked.get("clone"):
        setup = _clone(session, _whole(asked["clone"], "run"), asked.get("fix", ""))
        if asked.get("seeds"):
            setup.sweep.fields[several.SEED] = Several(values=asked["seeds"].replace(",", ", "))
        return setup
    setup = Setup()
    origin = runs.get(session, _whole(asked["from"], "run")) if asked.get("from") else None
    if origin is not None:
        _go_on(session, setup, origin)
    technique = techniques.get(asked.get("technique") or setup.technique or usual_technique())
    setup.technique = technique.name
    setup.adapter = fitting_adapter(technique, asked.get("adapter", "")).name
    if asked.get("model"):
        found = known_model(session, asked["model"])
        setup.model = str(found.id) if found else asked["model"]
    elif origin is None and len(known := weights.listed(session)) == 1:
        setup.model = str(known[0].id)
    if asked.get("recommendation"):
        kept = recommendations.get(session, _whole(asked["recommendation"], "recommendation"))
        setup.recommendation, setup.project = kept.id, kept.project_id
        advised.fill(session, setup, technique)
    for name in ("dataset", "held_out"):
        if asked.get(name):
            setattr(setup, name, str(library.find_version(session, asked[name]).id))
    return setup


def usual_technique() -> str:
    usual = str(RunConfig.model_fields["technique"].default)
    return usual if techniques.has(usual) else techniques.all()[0].name


def fitting_adapter(technique: Technique, wanted: str = "") -> Adapter:
    """The adapter asked for or the usual one where it fits the technique, else the first that does."""
    if wanted:
        adapters.get(wanted)
    fitting = [adapter for adapter in adapters.all() if technique.fits_adapter(adapter.name)]
    usual = RunConfig.model_fields["adapter"].default
    for name in (wanted, usual):
        if found := next((adapter for adapter in fitting if adapter.name == name), None):
            return found
    return fitting[0]


def _clone(session: Session, run_id: int, fix: str) -> Setup:
    """The run once more; with what the doctor would change against its finding `fix`."""
    run = runs.get(session, run_id)
    config = runs.config_of(run)
    found = next((found for rule, found in checkups.of(session, run).findings if rule.name == fix), None)
    if found is not None:
        config.parameters |= {change.name: change.value for change in found.changes}
    setup = of_config(session, config)
    setup.clone, setup.fix = run_id, fix if found else ""
    return setup


def of_config(session: Session, config: RunConfig) -> Setup:
    """The setup that would launch a configuration."""
    known = known_model(session, str(config.model))
    setup = Setup(
        **config.model_dump(
            include={"technique", "adapter", "name", "seed", "gpus", "priority", "project", "tags"}
        ),
        model=str(known.id if known else config.model),
        dataset=_version(session, config.dataset),
        held_out=_version(session, config.held_out),
        inputs={name: str(value) for name, value in config.inputs.items()},
        graders=[Grading.of(choice) for choice in config.graders],
    )
    of_technique, of_adapter = Plan(session, setup).advised
    setup.parameters = forms.differing(config.parameters, of_technique)
    setup.adapter_parameters = forms.differing(config.adapter_parameters, of_adapter)
    return setup


def _version(session: Session, reference: str | int) -> str:
    return str(library.find_version(session, reference).id) if reference else ""


def _go_on(session: Session, setup: Setup, run: Run) -> None:
    """Begins where `run` ends: its result is the model; where it made a reward, that reward scores the
    answers of the model it started from."""
    made = _result(session, run)
    before = techniques.get(run.technique) if techniques.has(run.technique) else None
    setup.origin, setup.project = run.id, run.project_id
    following = next_techniques(session, before)
    setup.technique = following[0].technique.name if following else run.technique
    setup.model = made
    if before is not None and before.model in ("reward", "classifier"):
        setup.model = str(run.model_id or run.inputs.get("model", ""))
    if before is not None and before.model == "reward":
        # The grader that is called like the technique reads what that makes.
        for grader in graders.all():
            if grader.name == before.name:
                fields = forms.naming_models(grader.parameters)
                setup.add_grader(Grading(grader=grader.name, parameters=dict.fromkeys(fields, made)))


def _result(session: Session, run: Run) -> str:
    if run.state == State.SUCCEEDED:
        return str(lineage.result_of(session, run.id).id)
    return f"run:{run.id}"


def _whole(text: str, noun: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound(f"There is no {noun} “{text[:40]}”.", hint="Open this page from the list.")
    return int(text)
