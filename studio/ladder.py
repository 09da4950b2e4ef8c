"""The ladder of a use case: what each phase reached by the metric that decides, what it gained over the one
before on the same questions, what it took, and what the next one still lacks.

A phase stands for its best entrant: the model as it came (0), a way of asking it (1), or a model that a
technique of the phase made. Two phases are only compared where one evaluation asked both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from studio import db, evaluations, lineage, material, prices, prompts, techniques, use_cases
from studio.evaluations import Contestant, EvaluationConfig, results
from studio.evaluations.intervals import Interval
from studio.evaluations.results import Difference, Scored
from studio.graders.choice import GraderChoice
from studio.guide import card, questions, rules
from studio.material import Material
from studio.models import Host, Kind, Model, Project, Run, State, now
from studio.prompting import Prompting

BASE, PROMPT, FIRST_TRAINED = 0, 1, 2
LOOKED_AT = 20  # the newest evaluations
ITEMS, MOST_TOKENS = 300, 1024
NEEDS = {2: ("n_labelled", "sft_min"), 3: ("n_pairs", "pairs_min"), 4: ("n_prompts", "rl_prompts_min")}


@dataclass(frozen=True)
class Entrant:
    """A model and how it is asked, in a version of the prompt lab where `prompt_id` names one; `run_id` made
    it."""

    phase: int
    name: str
    model_id: int
    run_id: int | None
    prompting: Prompting
    prompt_id: int | None = None

    @property
    def contestant(self) -> Contestant:
        if self.prompt_id is not None:
            return Contestant(model=self.model_id, name=self.name, prompt=self.prompt_id)
        return Contestant(model=self.model_id, name=self.name, prompting=self.prompting)

    def is_same(self, other: "Entrant") -> bool:
        return self.model_id == other.model_id and self.prompting == other.prompting


@dataclass(frozen=True)
class Measured:
    """An evaluation by the metric that decides; `entrants` in the order of its contestants."""

    run: Run
    entrants: list[Entrant]
    scored: Scored

    def place(self, wanted: Entrant) -> int | None:
        """The contestant that this entrant is, if it was scored."""
        return next(
            (
                at
                for at, each in enumerate(self.entrants)
                if each.is_same(wanted) and self.scored.scores.get(at)
            ),
            None,
        )

    def pass_8(self, place: int) -> float | None:
        return _pass_8(db.engine(), self.run.id, str(self.run.ended), self.scored.metric, place)

    def best(self, places: Iterable[int]) -> int | None:
        """Of these contestants the one with the highest mean, of equals the later one."""
        figures = [(found.value, at) for at in places if (found := self.scored.mean(at))]
        return max(figures, default=(0.0, None))[1]


@dataclass(frozen=True)
class Need:
    """What a phase needs to begin, and what there is of it."""

    noun: str
    have: int
    need: int

    @property
    def is_met(self) -> bool:
        return self.have >= self.need


@dataclass(frozen=True)
class Rung:
    """A phase. `figure` and `gain` are None where nothing was measured, or not beside the phase before it
    (`against`)."""

    phase: int
    name: str
    entrant: Entrant | None
    figure: Interval | None
    asked: int
    evaluation_id: int | None
    against: str
    gain: Difference | None
    runs: int
    seconds: float
    needs: list[Need]

    @property
    def verdict(self) -> str:
        """better, worse or open; empty where there is nothing to compare."""
        return self.gain.verdict if self.gain else ""


@dataclass(frozen=True)
class Price:
    """What an hour of the largest device that trains here costs; None: nobody has said."""

    hour: float | None
    currency: str


@dataclass(frozen=True)
class Ladder:
    """`measuring` are the seconds that evaluations took; `apart` names phases that were measured, but not all
    on the same questions."""

    rungs: list[Rung]
    target: float | None
    metric: str
    price: Price
    measuring: float
    gates: list[card.Gate]
    apart: list[str]

    @property
    def seconds(self) -> float:
        return self.measuring + sum(rung.seconds for rung in self.rungs)


def of(session: Session, project: Project) -> Ladder:
    found = material.of(session, project)
    measured = evaluations_of(session, project, found)
    best = best_entrants(measured)
    common = next((each for each in measured if all(each.place(one) is not None for one in best)), None)
    spent = _spent(session, project)
    rungs = [
        _rung(found, phase, best, measured, common, spent) for phase in (BASE, *map(int, found.guide.phases))
    ]
    criterion = next(iter(use_cases.criteria(project)), None)
    return Ladder(
        rungs=rungs,
        target=use_cases.target(project),
        metric=criterion.name if criterion else "",
        price=price(session),
        measuring=sum(seconds for phase, seconds in spent if phase is None),
        gates=_gates(project, found),
        apart=[] if common or len(best) < 2 else [one.name for one in best],
    )


def price(session: Session) -> Price:
    devices = [each for host in session.scalars(select(Host)) for each in host.devices]
    is_gpu = any(str(each.get("name", "")).startswith("gpu:") for each in devices)
    kept = prices.get(session)
    return Price(kept.hour(is_gpu=is_gpu), kept.currency)


def evaluations_of(session: Session, project: Project, found: Material) -> list[Measured]:
    """What was measured on the use case's held-out questions by the metric that decides, the newest first."""
    if found.grader is None or found.held_out is None:
        return []
    done = select(Run).where(
        Run.kind == Kind.EVALUATE,
        Run.state == State.SUCCEEDED,
        Run.project_id == project.id,
        Run.held_out_id == found.held_out.id,
    )
    runs = session.scalars(done.order_by(Run.id.desc()).limit(LOOKED_AT))
    return [each for run in runs if (each := measured(session, run, found.grader))]


def measured(session: Session, run: Run, grader: GraderChoice) -> Measured | None:
    """An evaluation that is done, by this metric; None where it did not use it."""
    metric = evaluations.metric_of(run, grader)
    if metric is None:
        return None
    return Measured(run, entrants(session, run), _scored(db.engine(), run.id, str(run.ended), metric))


def entrants(session: Session, run: Run) -> list[Entrant]:
    """The contestants of an evaluation that waits for nothing."""
    return [
        _entrant(
            session, model, Prompting.model_validate(each["prompting"]), each["name"], each.get("prompt")
        )
        for model, each in zip(evaluations.models(session, run), run.parameters["contestants"], strict=True)
    ]


def best_entrants(measured: Sequence[Measured]) -> list[Entrant]:
    """Of each phase that was measured the entrant with the highest mean in its newest evaluation."""
    best: dict[int, tuple[float, Entrant]] = {}
    seen: list[Entrant] = []
    for each in measured:
        for place, entrant in enumerate(each.entrants):
            mean = each.scored.mean(place)
            if mean is None or any(entrant.is_same(known) for known in seen):
                continue
            seen.append(entrant)
            if entrant.phase not in best or mean.value > best[entrant.phase][0]:
                best[entrant.phase] = (mean.value, entrant)
    return [best[phase][1] for phase in sorted(best)]


def measure(session: Session, project: Project, who: str = "") -> Run:
    """Queues an evaluation of every phase's best on the same questions. Raises StudioError where nothing can
    be measured yet."""
    found = material.of(session, project)
    best = best_entrants(evaluations_of(session, project, found))
    return evaluations.launch(session, evaluation(session, project, found, best), who)


def evaluation(
    session: Session, project: Project, found: Material, entered: Sequence[Entrant], samples: int = 0
) -> EvaluationConfig:
    """The base, the prompt that was chosen and what else is `entered`, on the held-out questions."""
    material.check_measurable(found)
    assert found.model
    assert found.held_out
    assert found.grader
    base = _entrant(session, found.model, Prompting(), found.model.name)
    asked = [base, *([prompted] if (prompted := prompt_of(session, project, found.model)) else [])]
    for each in entered:
        if not any(each.is_same(known) for known in asked):
            asked.append(each)
    return EvaluationConfig(
        name=f"{project.name}: the ladder"[:200],
        contestants=[each.contestant for each in asked[: evaluations.MOST_CONTESTANTS]],
        dataset=found.held_out.id,
        graders=use_cases.measured_by(project),
        items=min(ITEMS, found.held_out.rows),
        samples=samples,
        max_tokens=min(2 * found.out_tokens, MOST_TOKENS),
        project=project.id,
    )


def prompt_of(session: Session, project: Project, model: Model) -> Entrant | None:
    """The use case's chosen prompt on this model, or its newest version; None where there is none, or it
    changes nothing."""
    versions = prompts.of(session, project.id)
    prompt = next((each for each in versions if each.id == project.prompt_id), next(iter(versions), None))
    if prompt is None:
        return None
    prompting = prompts.prompting_of(prompt)
    if prompting.is_plain:
        return None
    name = f"{model.name}, {prompts.title(prompt)}"[:200]
    return _entrant(session, model, prompting, name, prompt.id)


def made_by(session: Session, run: Run) -> Entrant:
    """The model of a run that is done, asked as it is."""
    model = lineage.result_of(session, run.id)
    return _entrant(session, model, Prompting(), model.name)


def _entrant(
    session: Session, model: Model, prompting: Prompting, name: str, prompt_id: int | None = None
) -> Entrant:
    maker = session.get(Run, model.run_id) if model.run_id else None
    if maker and techniques.has(maker.technique):
        phase = techniques.get(maker.technique).phase
    else:
        phase = BASE if prompting.is_plain else PROMPT
    return Entrant(phase, name, model.id, model.run_id, prompting, prompt_id)


@lru_cache(maxsize=64)
def _scored(_engine: Engine, run_id: int, _ended: str, metric: str) -> Scored:
    """The scores of an evaluation that is done, which change no more: pages look every second."""
    with db.reading() as session:
        return results.scored(session, session.get_one(Run, run_id), metric)


@lru_cache(maxsize=256)
def _pass_8(_engine: Engine, run_id: int, _ended: str, metric: str, contestant: int) -> float | None:
    with db.reading() as session:
        return results.pass_8(session, session.get_one(Run, run_id), metric, contestant)


def _rung(
    found: Material,
    phase: int,
    best: Sequence[Entrant],
    measured: Sequence[Measured],
    common: Measured | None,
    spent: Sequence[tuple[int | None, float]],
) -> Rung:
    entrant = next((each for each in best if each.phase == phase), None)
    took = [seconds for each, seconds in spent if each == phase]
    where = common or (next((m for m in measured if m.place(entrant) is not None), None) if entrant else None)
    place = where.place(entrant) if where and entrant else None
    against, gain = _gain(entrant, best, [common] if common else measured) if entrant else ("", None)
    return Rung(
        phase=phase,
        name=found.guide.phases[str(phase)].name if phase else "As it came",
        entrant=entrant,
        figure=where.scored.mean(place) if where and place is not None else None,
        asked=len(where.scored.scores[place]) if where and place is not None else 0,
        evaluation_id=where.run.id if where and place is not None else None,
        against=against,
        gain=gain,
        runs=len(took),
        seconds=sum(took),
        needs=_needs(found, phase),
    )


def _gain(
    entrant: Entrant, best: Sequence[Entrant], measured: Sequence[Measured]
) -> tuple[str, Difference | None]:
    """The name of what stood before, and the difference from it where both answered the same questions."""
    before = [each for each in best if each.phase < entrant.phase]
    trained = [each for each in before if each.phase >= FIRST_TRAINED]
    rivals = trained[-1:] or before  # nothing trained yet: the better one of the base and the prompt
    for each in measured:
        place, places = each.place(entrant), [each.place(rival) for rival in rivals]
        if place is not None and None not in places and rivals:
            first = each.best(at for at in places if at is not None)
            assert first is not None
            return each.entrants[first].name, each.scored.difference(first, place)
    return (rivals[-1].name if rivals else ""), None


def _needs(found: Material, phase: int) -> list[Need]:
    if phase not in NEEDS:
        return []
    kind, threshold = NEEDS[phase]
    need = int(found.guide.limits[threshold])
    return [Need(found.guide.fields[kind].noun, found.count(kind), need)]


def _spent(session: Session, project: Project) -> list[tuple[int | None, float]]:
    """(phase, seconds on all its devices) of every run of the use case; None for evaluations."""
    mine = select(Run).where(
        Run.project_id == project.id,
        Run.kind.in_([Kind.TRAIN, Kind.EVALUATE]),
        Run.started.is_not(None),
    )
    return [(_phase_of(run), seconds_of(run)) for run in session.scalars(mine)]


def seconds_of(run: Run) -> float:
    """What a run has taken so far, an hour on two devices counted as two."""
    if run.started is None:
        return 0.0
    return ((run.ended or now()) - run.started).total_seconds() * run.gpus


def _phase_of(run: Run) -> int | None:
    known = run.kind == Kind.TRAIN and techniques.has(run.technique)
    return techniques.get(run.technique).phase if known else None


def _gates(project: Project, found: Material) -> list[card.Gate]:
    """What has to be passed before anything goes live, as the guide says for this use case."""
    answers = project.answers | {"stakes": found.stakes}
    return card.make_card(rules.recommend(questions.read_answers(answers), found.guide)).gates
