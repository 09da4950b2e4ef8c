"""What the steps of a climb are made of: its limits, who is measured, the prompt it begins with, the gates
before a training. Moves no climb (`studio.climbs`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import adapters, ladder, lineage, pace, prices, prompts, techniques
from studio.datasets import library
from studio.estimate import time
from studio.estimate.work import Job
from studio.guide.words import format_number, format_share
from studio.ladder import NEEDS, PROMPT, Entrant, seconds_of
from studio.loop import Look
from studio.material import Material
from studio.models import Climb, Kind, Model, Project, Run, State, now
from studio.prompting import Prompting
from studio.prompts import examples
from studio.prompts.examples import Way
from studio.runs import RunConfig

SHOTS, LONGEST_SHOT = 4, 1500  # solved examples in a prompt, and the characters of one


@dataclass(frozen=True)
class Limits:
    """What a climb may still use. None: no limit."""

    seconds_left: float | None
    money_left: float | None
    gpu_price: float

    @classmethod
    def of(cls, session: Session, climb: Climb) -> "Limits":
        passed = (now() - climb.created).total_seconds()
        return cls(
            None if climb.seconds is None else climb.seconds - passed,
            None if climb.budget is None else climb.budget - spent(session, climb),
            climb.gpu_price,
        )

    def reached(self) -> str:
        """Why it has to stop now; empty while it may go on."""
        if self.seconds_left is not None and self.seconds_left <= 0:
            return "The time it was given is over."
        if self.money_left is not None and self.money_left <= 0:
            return "The money it was given is used up."
        return ""

    def refuses(self, session: Session, config: RunConfig | None) -> str:
        """Why the next step must not be launched, by what runs like it took here; empty where it may."""
        estimate = seconds_like(session, config) if config else None
        if reached := self.reached():
            return reached
        if config is None or estimate is None:
            return ""
        if self.seconds_left is not None and estimate > self.seconds_left:
            left = f"{_minutes(self.seconds_left)} are left"
            return f"The next step takes about {_minutes(estimate)}, as runs like it took here, and {left}."
        cost = estimate / 3600 * config.gpus * self.gpu_price
        if self.money_left is not None and cost > self.money_left:
            left = f"{prices.money(self.money_left)} is left"
            return f"The next step costs about {prices.money(cost)}, as runs like it took here, and {left}."
        return ""


def spent(session: Session, climb: Climb) -> float:
    """What the runs of a climb have cost so far."""
    ids = [step["run"] for step in climb.steps]
    taken = session.scalars(select(Run).where(Run.id.in_(ids)))
    return sum(seconds_of(run) for run in taken) / 3600 * climb.gpu_price


def seconds_like(session: Session, config: RunConfig) -> float | None:
    """What such a training takes by the runs of its technique, or of ones like it, that were finished here;
    None without any."""
    technique, adapter = techniques.get(config.technique), adapters.get(config.adapter)
    model = lineage.whole(session, session.get(Model, int(config.model)))
    version = library.find_version(session, config.dataset)
    total = pace.lengths(version).get("total")
    if not (model and model.parameters and total):
        return None
    settings = technique.parameters(**technique.suggest(adapter.name, model.parameters)).model_dump()
    job = Job(
        technique=technique,
        adapter=adapter,
        settings=settings,
        rows=version.rows,
        characters=total / version.rows,
        parameters=model.parameters,
        gpus=config.gpus,
    )
    past = pace.past(session)
    spans = [time.predict(job, device, past) for device in dict.fromkeys(pace.titles(session).values())]
    known = [span.middle for span in spans if span and span.alike != "foreign"]
    return min(known, default=None)


def next_entrants(session: Session, project: Project, found: Material, made_by: Run | None) -> list[Entrant]:
    """The best of every phase so far, what was made in a phase that was never measured, and what `made_by`
    has just made."""
    best = ladder.best_entrants(ladder.evaluations_of(session, project, found))
    entered = [each for each in best if each.phase >= PROMPT]
    measured = {each.phase for each in entered}
    fresh = {each.phase: each for each in _trained(session, project)}
    entered += [each for phase, each in fresh.items() if phase not in measured]
    if made_by and all(each.run_id != made_by.id for each in entered):
        entered.append(ladder.made_by(session, made_by))
    return sorted(entered, key=lambda each: each.phase)


def _trained(session: Session, project: Project) -> list[Entrant]:
    """The language models that trainings of the use case made, the oldest first."""
    made = select(Run).where(
        Run.project_id == project.id,
        Run.kind == Kind.TRAIN,
        Run.state == State.SUCCEEDED,
        Run.id.in_(select(Model.run_id).where(Model.kind == "language")),
    )
    known = [run for run in session.scalars(made.order_by(Run.id)) if techniques.has(run.technique)]
    return [ladder.made_by(session, run) for run in known]


def wants_tries(found: Material, entered: Sequence[Entrant], until_phase: int) -> bool:
    """Whether reinforcement may follow this measurement: then pass@8 must be known, and costs eight times the
    answers."""
    limits, phase = found.guide.limits, max((each.phase for each in entered), default=1)
    is_open = found.reward == "verifiable" and found.count("n_prompts") >= limits["rl_prompts_min"]
    pairs_first = phase == 2 and found.count("n_pairs") >= limits["pairs_min"]
    examples_first = phase < 2 and found.count("n_labelled") >= limits["sft_pilot"]
    return until_phase >= 4 > phase and is_open and not pairs_first and not examples_first


def example_prompt(session: Session, project: Project, found: Material, who: str) -> None:
    """Begins the use case's prompt with some labelled rows as solved examples, where it has such rows."""
    if "n_labelled" not in found.data:
        return
    taken = examples.take(session, project, found.data["n_labelled"], SHOTS, Way.DIVERSE)
    shown = [each for each in taken if len(each.input) + len(each.output) <= LONGEST_SHOT]
    if shown:
        prompting = Prompting(examples=shown)
        made = prompts.create(session, project.id, prompting, name=f"{len(shown)} examples", who=who)
        prompts.choose(session, project, made.id, who)


def gates_of(seen: Look, phase: int) -> list[dict[str, Any]]:
    """What must hold before a phase is trained, each with what there is."""
    guide, facts = seen.found.guide, seen.facts
    kind, threshold = NEEDS[phase]
    have, need = seen.found.count(kind), guide.limits[threshold]
    if have < need and phase == 2:
        need = guide.limits["sft_pilot"]
    noun = guide.fields[kind].noun
    gates = [{"says": f"{format_number(have)} {noun}, {format_number(need)} needed", "met": have >= need}]
    if phase == 4:
        right = facts.pass_at_8 or 0
        says = f"one of eight tries is right on {format_share(round(right, 3))} of the questions"
        gates.append({"says": says, "met": right > 0})
    return gates


def say_left(limits: Limits) -> list[dict[str, Any]]:
    """What may still be used, beside the gates."""
    found = []
    if limits.seconds_left is not None:
        found.append({"says": f"{_minutes(limits.seconds_left)} left", "met": True})
    if limits.money_left is not None:
        found.append({"says": f"{prices.money(limits.money_left)} left to spend", "met": True})
    return found


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
