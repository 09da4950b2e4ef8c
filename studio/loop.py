"""The loop of a use case: an evaluation is looked at, the guide says what follows (`studio.guide.loop`), and
what follows is set up: the next training's configuration, or the next evaluation."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import evaluations, ladder, material, use_cases
from studio.evaluations import EvaluationConfig
from studio.evaluations.results import Difference
from studio.guide import loop
from studio.guide.loop import Advice, Facts
from studio.ladder import BASE, Entrant, Measured
from studio.material import Material
from studio.models import Kind, Model, Project, Run, State
from studio.runs import RunConfig
from studio.techniques.base import is_tiny

TRIES = 8  # answers to each question that pass@8 needs
LAST_ASKED = 3  # the guide asks what was done before its last phase
# Which data a technique of the loop learns from, by the guide's name for its count.
LEARNS_FROM = {
    "sft": "n_labelled",
    "dpo": "n_pairs",
    "grpo": "n_prompts",
    "dapo": "n_prompts",
    "gspo": "n_prompts",
}


@dataclass(frozen=True)
class Look:
    """What an evaluation says. `subject` is the newest step, `before` the best one before it, `start` what a
    next training begins with."""

    project: Project
    found: Material
    measured: Measured
    subject: Entrant
    before: Entrant | None
    start: Entrant
    facts: Facts
    advice: Advice

    @property
    def run(self) -> Run:
        return self.measured.run


def look(session: Session, run: Run, *, more_items: bool = True) -> Look | None:
    """What an evaluation of a use case says; None while it is not done, or where it says nothing by the
    metric that decides. Without `more_items` the questions asked count as all there are."""
    if run.kind != Kind.EVALUATE or run.state != State.SUCCEEDED or run.project_id is None:
        return None
    project = use_cases.get(session, run.project_id)
    found = material.of(session, project)
    measured = ladder.measured(session, run, found.grader) if found.grader else None
    scored = [at for at in range(len(measured.entrants)) if measured.scored.mean(at)] if measured else []
    if measured is None or not scored:
        return None
    subject = max(scored, key=lambda at: (measured.entrants[at].phase, measured.entrants[at].model_id))
    return _look(project, found, measured, subject, more_items)


def again(seen: Look, phase: int) -> Look:
    """The same evaluation seen from the best step so far, as if nothing had been lost with `phase`."""
    best = seen.measured.place(seen.start)
    assert best is not None
    facts = _facts(seen.project, seen.found, seen.measured, best, None, False)
    facts = facts.model_copy(update={"phase": phase, "base_verdict": "none"})
    return Look(
        seen.project,
        seen.found,
        seen.measured,
        seen.start,
        None,
        seen.start,
        facts,
        loop.advise(facts, seen.found.guide),
    )


def newest(session: Session, project: Project) -> Look | None:
    """What the newest evaluation of a use case says."""
    done = select(Run).where(
        Run.kind == Kind.EVALUATE, Run.state == State.SUCCEEDED, Run.project_id == project.id
    )
    runs = session.scalars(done.order_by(Run.id.desc()).limit(ladder.LOOKED_AT))
    return next((seen for run in runs if (seen := look(session, run))), None)


def of_run(session: Session, run: Run) -> Look | None:
    """What the newest evaluation says that a run's own model is the newest step of."""
    model = session.scalar(select(Model).where(Model.run_id == run.id).order_by(Model.id.desc()).limit(1))
    if model is None or run.project_id is None:
        return None
    done = select(Run).where(
        Run.kind == Kind.EVALUATE,
        Run.state == State.SUCCEEDED,
        Run.project_id == run.project_id,
        Run.id > run.id,
    )
    for each in session.scalars(done.order_by(Run.id.desc()).limit(ladder.LOOKED_AT)):
        seen = look(session, each)
        if seen and seen.subject.model_id == model.id:
            return seen
    return None


def training(session: Session, seen: Look, technique: str, start: Entrant | None = None) -> RunConfig:
    """The next training as the studio would set it up: from the best model so far, or the base where it
    teaches the task itself."""
    found, project = seen.found, seen.project
    begin = start or seen.start
    model_id = found.model.id if technique == "sft" and found.model else begin.model_id
    size = evaluations.base_of(session, session.get_one(Model, model_id)).parameters
    version = found.data.get(LEARNS_FROM.get(technique, ""))
    title = found.guide.techniques[technique].title
    return RunConfig(
        name=f"{project.name}: {title}"[:200],
        technique=technique,
        adapter="full" if is_tiny(size) else "lora",
        model=model_id,
        dataset=version.id if version else "",
        graders=[found.grader] if found.grader and LEARNS_FROM.get(technique) == "n_prompts" else [],
        project=project.id,
    )


def measuring(seen: Look) -> EvaluationConfig:
    """The evaluation that is asked for: the same contestants, more questions or eight tries at each."""
    run, advice = seen.run, seen.advice
    how = {name: run.parameters[name] for name in ("items", "samples", "temperature", "max_tokens")}
    if advice.do == "sample":
        how["samples"] = TRIES
    else:
        rows = run.held_out.rows if run.held_out else 0
        how["items"] = min(advice.items or rows, rows)
    return EvaluationConfig(
        name=run.name,
        contestants=[each.contestant for each in seen.measured.entrants],
        dataset=run.held_out_id or "",
        graders=run.graders,
        seed=run.seed,
        project=run.project_id,
        **how,
    )


def answers(seen: Look) -> dict[str, Any]:
    """The guide's answers with what was measured in their place."""
    facts = seen.facts
    measured = {
        "phase_done": min(max(facts.phase, 1), LAST_ASKED),
        "metric_now": round(facts.now, 4),
        "metric_target": facts.target,
        "pass_at_8": facts.pass_at_8,
        "n_labelled": facts.n_labelled,
        "n_pairs": facts.n_pairs,
        "n_prompts": facts.n_prompts,
    }
    return seen.project.answers | {name: value for name, value in measured.items() if value is not None}


def _look(
    project: Project,
    found: Material,
    measured: Measured,
    subject: int,
    more_items: bool,
) -> Look:
    entrants = measured.entrants
    phase = entrants[subject].phase
    earlier = [at for at in range(len(entrants)) if at != subject and entrants[at].phase < phase]
    before = measured.best(earlier)
    whole = [at for at in range(len(entrants)) if entrants[at].prompting.is_plain]
    start = measured.best(whole)
    facts = _facts(project, found, measured, subject, before, more_items)
    return Look(
        project=project,
        found=found,
        measured=measured,
        subject=entrants[subject],
        before=entrants[before] if before is not None else None,
        start=entrants[start if start is not None else subject],
        facts=facts,
        advice=loop.advise(facts, found.guide),
    )


def _facts(
    project: Project,
    found: Material,
    measured: Measured,
    subject: int,
    before: int | None,
    more_items: bool,
) -> Facts:
    run, scored, entrants = measured.run, measured.scored, measured.entrants
    mean = scored.mean(subject)
    assert mean is not None
    asked, target = len(scored.scores[subject]), use_cases.target(project)
    base = next((at for at, each in enumerate(entrants) if each.phase == BASE and at != subject), None)
    rows = run.held_out.rows if run.held_out else asked
    return Facts(
        subject=entrants[subject].name,
        phase=entrants[subject].phase,
        asked=asked,
        unasked=max(0, rows - asked) if more_items else 0,
        target=target,
        now=mean.value,
        low=mean.low,
        high=mean.high,
        to_target=scored.to_reach(subject, target) if target is not None else None,
        pass_at_8=measured.pass_8(subject),
        n_labelled=found.count("n_labelled"),
        n_pairs=found.count("n_pairs"),
        n_prompts=found.count("n_prompts"),
        reward=found.reward,
        arch=found.arch,
        out_tokens=found.out_tokens,
        **(_against(entrants[before].name, scored.difference(before, subject)) if before is not None else {}),
        **(_from_base(entrants[base].name, scored.difference(base, subject)) if base is not None else {}),
    )


def _against(name: str, change: Difference | None) -> dict[str, Any]:
    if change is None:
        return {}
    return {
        "against": name,
        "verdict": change.verdict,
        "change": change.change.value,
        "change_low": change.change.low,
        "change_high": change.change.high,
        "needed": change.needed,
    }


def _from_base(name: str, change: Difference | None) -> dict[str, Any]:
    if change is None:
        return {}
    return {
        "base": name,
        "base_verdict": change.verdict,
        "base_change": change.change.value,
        "base_low": change.change.low,
        "base_high": change.change.high,
    }
