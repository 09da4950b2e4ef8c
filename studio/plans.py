"""A plan as one person follows it: the guide's plan with live counts, what is ticked off, the use case's
criteria and held-out rows, and the day to come back.

What is kept (ticks and pace) lies in a draft named after the advice, or after the plan where there is none.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from studio import agreement, drafts, known, recommendations, sheets, use_cases
from studio.agreement import Agreement
from studio.errors import NotFound, StudioError
from studio.guide import plans, rules
from studio.guide.plans import About, Goal, Plan, Return, Step
from studio.held_out import held_out_of
from studio.models import Project, Recommendation, now

MOST_A_WEEK = 1_000_000


@dataclass(frozen=True)
class Followed:
    """A plan with everything its page shows. `advice` and `project` are None where it follows none; `grown`
    are the answers of the guide that are larger now than when the advice was given."""

    name: str
    plan: Plan
    advice: Recommendation | None
    project: Project | None
    about: About
    goals: list[Goal]
    steps: list[Step]
    done: frozenset[str]
    pace: int
    returning: Return
    sheets: list[str]
    agreement: Agreement | None
    next_step: str
    grown: dict[str, int | float]
    task_type: str
    has_prompts: bool

    @property
    def is_reached(self) -> bool:
        return plans.is_reached(self.goals)


def named(technique: str) -> str:
    """A plan by its own name or by the answer of the guide it belongs to. Raises NotFound."""
    found = plans.name_for(technique) or technique
    plans.get(found)
    return found


def key_of(name: str, advice_id: int | None) -> str:
    """The draft that keeps the ticks."""
    return f"plan-{advice_id}" if advice_id is not None else f"plan-for-{name.replace('_', '-')}"


def follow(session: Session, name: str, advice_id: int | None, today: date | None = None) -> Followed | None:
    """The plan of a piece of advice; with a name and no advice that plan, with the thresholds set here. None
    where the advice leaves nothing to collect. Raises NotFound for what is not there."""
    today = today or now().date()
    kept = recommendations.get(session, advice_id) if advice_id is not None else None
    advice = rules.Recommendation.model_validate(kept.result) if kept else None
    project = session.get(Project, kept.project_id) if kept and kept.project_id else None
    counts = counted(session, project)
    chosen = (plans.choose(advice, counts) if advice and not name else None) or (name and named(name))
    if not chosen:
        return None
    guide, about = recommendations.guide(session), _about(session, project)
    goals = plans.goals(chosen, advice, counts, guide)
    said = _kept(session, chosen, advice_id)
    pace = said.get("pace") or plans.get(chosen).pace
    since = kept.created.date() if kept else today
    return Followed(
        name=chosen,
        plan=plans.get(chosen),
        advice=kept,
        project=project,
        about=about,
        goals=goals,
        steps=plans.steps(chosen, advice, counts, about, guide),
        done=frozenset(said.get("done", ())),
        pace=pace,
        returning=plans.come_back(chosen, goals, advice.phase if advice else 1, pace, today, since),
        sheets=plans.sheets(chosen, advice),
        agreement=agreement.between(sheets.of_use_case(session, project)),
        next_step=advice.next_step if advice else "",
        task_type=advice.answers["task_type"] if advice else "",
        has_prompts=sheets.has_prompts(session, project),
        grown={field: count for field, count in counts.items() if advice and count > advice.answers[field]},
    )


def counted(session: Session, project: Project | None) -> dict[str, int | float]:
    """What the studio knows of the counts that the guide asks for."""
    collected = {field for plan in plans.load().plans.values() for field in plan.collects}
    return {name: each.value for name, each in known.of(session, project).items() if name in collected}


def _about(session: Session, project: Project | None) -> About:
    """The use case's criteria and what it is measured on."""
    if project is None:
        return About()
    criteria = tuple(each.name for each in use_cases.criteria(project))
    held_out = held_out_of(session, project)
    return About(criteria, held_out.title if held_out else "", held_out.rows if held_out else 0)


def keep(
    session: Session,
    name: str,
    advice_id: int | None,
    *,
    step: str = "",
    done: bool = True,
    pace: int | None = None,
) -> None:
    """Ticks a step, or takes the tick away; or keeps the pace. Raises StudioError for what cannot be."""
    if advice_id is not None:
        recommendations.get(session, advice_id)
    name = named(name)
    said = _kept(session, name, advice_id)
    if step:
        if step not in {each.id for each in plans.get(name).steps}:
            raise NotFound(f"This plan has no step “{step}”.", field="step")
        said["done"] = sorted(set(said.get("done", ())) - {step} | ({step} if done else set()))
    if pace is not None:
        if not 1 <= pace <= MOST_A_WEEK:
            raise StudioError(
                "That is no pace.", hint=f"Give a number a week, from 1 to {MOST_A_WEEK:,}.", field="pace"
            )
        said["pace"] = pace
    key = key_of(name, advice_id)
    drafts.put(session, key, drafts.get(session, key) | {name: said})


def _kept(session: Session, name: str, advice_id: int | None) -> dict[str, Any]:
    """Ticks and pace of this plan: as the counts grow, one piece of advice may lead to another plan."""
    return dict(drafts.get(session, key_of(name, advice_id)).get(name, {}))
