"""What to do where the guide's answer is no training, at /plan: `?recommendation=9` follows that advice,
`?for=collect_labels` shows a plan in the guide's usual numbers, and nothing lists the plans.

The steps and the day to come back are worked out by `studio.plans`."""

from typing import Any

from markupsafe import Markup

from app.navigation import Page
from app.parts import Paced, Query, fragment, live, render
from app.toolkit import html
from studio import db, plans, recommendations, sheets
from studio.guide import document, questions
from studio.guide import plans as written
from studio.models import DatasetVersion, now
from studio.plans import Followed

CALM = 5.0  # seconds between looks: datasets grow slowly
PROMPTS = 200  # rows that come with a prompt of the use case


@fragment("plan")
def show(query: Query) -> Markup | Paced:
    number, name = query.maybe("recommendation"), query.text("for")
    if number is None and not name:
        return render("plan_list.html", plans=written.load().plans)
    with db.reading() as session:
        found = plans.follow(session, name, number)
        if found is None:
            shown = recommendations.card_of(recommendations.get(session, number or 0))
            return render("plan_enough.html", number=number, shown=shown)
        added = session.get(DatasetVersion, query.maybe("added") or 0)
        return Paced(render("plan.html", **told(found), added=added), CALM)


def told(found: Followed) -> dict[str, Any]:
    number = found.advice.id if found.advice else None
    files = [(name, sheets.get(name), name in sheets.ASKED) for name in found.sheets]
    return {
        "found": found,
        "number": number,
        "at": f"/api/plans/{found.name}",
        "asked": f"recommendation={number}" if number else "",
        "here": f"/plan?recommendation={number}" if number else f"/plan?for={found.name}",
        "fields": {"project": found.project.id} if found.project else {},
        "day": written.say_day(found.returning.day),
        "is_due": found.returning.day <= now().date(),
        "files": files,
        "prompts": PROMPTS,
        "step": step_of(found),
        "sources": sources(found),
        "title": document.load().techniques[found.advice.result["technique"]].title if found.advice else "",
    }


def step_of(found: Followed) -> int:
    """The guide's step that asks for what has changed: a count, else the measured result."""
    wanted = found.goals[0].fields[0] if found.plan.collects and found.goals else "metric_now"
    return next(number for number, step in enumerate(questions.list_steps(), 1) if wanted in step.fields)


def sources(found: Followed) -> list[tuple[str, str, str]]:
    """The numbers that the steps speak of: name, value, where it comes from."""
    return [
        (name.replace("_", " "), number.words, number.source)
        for name, number in written.load().numbers.items()
        if any(f"{{{name}}}" in step.says + step.title for step in found.plan.steps)
    ]


def build() -> None:
    html(live("plan", every=CALM, rows=8), elem_id="plan")


PAGE = Page(path="/plan", title="Plan", build=build, in_nav=False, under="/guide")
