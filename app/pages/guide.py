"""The decision guide at /guide: eight steps, one decision each, then the answer card.

The questions, the rules and every word of the advice come from `studio.guide`. Answers lie in a draft whose
key is in the address; `static/guide.js` sends them as they are given.
"""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from app.navigation import Page
from app.parts import Query, assets, fragment, live, render
from app.setup import forecast, verdict
from app.toolkit import gr, html
from studio import db, drafts, outcomes, recommendations, techniques
from studio.guide import card, questions, rules
from studio.guide.document import load
from studio.models import Project, Recommendation

# Where to go with advice that is no training.
ELSEWHERE = {
    "prompt_engineering": ("/prompts", "Open the prompt lab"),
    "rag": ("/datasets", "Look at the data"),
    "no_training": ("/try", "Try the model as it is"),
    "collect_labels": ("/datasets", "Bring labelled examples"),
    "collect_preferences": ("/datasets", "Bring preference data"),
}

# How an outcome is said: the kind of its chip, and its word.
VERDICTS = {"better": ("good", "better"), "worse": ("bad", "worse"), "open": ("info", "not shown")}


@fragment("guide")
def guide(query: Query) -> Markup:
    number = query.maybe("recommendation")
    return answer(number) if number is not None else step(query)


def step(query: Query) -> Markup:
    steps = questions.list_steps()
    at = min(max(query.maybe("step", 1) or 1, 1), len(steps))
    key = query.text("draft")
    with db.reading() as session:
        given = drafts.get(session, key).get("answers", {})
        counted = recommendations.counts(session)
        newest = recommendations.newest(session) if not key else None
        earlier = (newest, recommendations.card_of(newest).title) if newest else None
    asked = [describe(name, given, counted) for name in steps[at - 1].fields]
    done = [any(name in given for name in each.fields) for each in steps]
    return render("guide_step.html", steps=steps, at=at, key=key, asked=asked, done=done, earlier=earlier)


def describe(name: str, given: dict[str, Any], counted: dict[str, recommendations.Count]) -> dict[str, Any]:
    """One question with what is in its field now: said by the person, counted by the studio, or nothing."""
    count = counted.get(name)
    known = name in given
    value = given[name] if known else count.value if count else None
    return {
        "name": name,
        "question": questions.get_question(name),
        "value": value,
        "unknown": known and value is None,
        "count": count,
        "is_counted": count is not None and value == count.value,
    }


@fragment("guide-side")
def side(query: Query) -> Markup:
    """What the guide would say now; empty beside the answer card."""
    if query.maybe("recommendation") is not None:
        return Markup()
    with db.reading() as session:
        said = drafts.get(session, query.text("draft")).get("answers", {})
        answers = recommendations.completed(session, said)
    if not said:
        return render("guide_side.html", shown=None, answered=0, total=0)
    shown = card.make_card(rules.recommend(questions.read_answers(answers)))
    return render("guide_side.html", shown=shown, answered=len(said), total=len(load().fields))


def answer(number: int) -> Markup:
    with db.reading() as session:
        found = recommendations.get(session, number)
        shown = recommendations.card_of(found)
        first = recommendations.first_run(shown)
        taken = taken_instead(found)
        opens = taken.first if taken else first
        plan, foreseen = forecast.of_advice(session, found, opens) if opens else (None, None)
        return render(
            "guide_answer.html",
            found=found,
            project=session.get(Project, found.project_id) if found.project_id else None,
            shown=shown,
            first=techniques.get(first) if first else None,
            taken=taken,
            others=other_techniques(shown.technique),
            plan=plan,
            foreseen=foreseen,
            lacking=verdict.missing(plan) if plan else [],
            outcome=outcomes.of(session, found),
            here=[technique.title for technique in techniques.all()],
            elsewhere=elsewhere(found, shown.technique),
            words=VERDICTS,
        )


@dataclass(frozen=True)
class Taken:
    """The technique taken instead of the one advised, and the run to begin it with; "" where it is none."""

    title: str
    first: str


def taken_instead(found: Recommendation) -> Taken | None:
    chosen = load().techniques.get(found.chosen)
    if chosen is None:
        return None
    first = chosen.run_as[0] if chosen.run_as else ""
    return Taken(chosen.title, first if techniques.has(first) else "")


def other_techniques(advised: str) -> list[tuple[str, str]]:
    """(name, title) of what could be taken instead."""
    return [(name, each.title) for name, each in load().techniques.items() if name != advised]


def elsewhere(found: Recommendation, technique: str) -> tuple[str, str] | None:
    """Where advice that is no training leads: the prompt lab of its use case, where it has one."""
    address, word = ELSEWHERE.get(technique, ("", ""))
    if address == "/prompts" and found.project_id is not None:
        address = f"/prompts?project={found.project_id}"
    return (address, word) if address else None


def build() -> None:
    with gr.Row(elem_classes="beside"):
        html(live("guide", every=0, rows=8), elem_id="guide")
        html(live("guide-side", every=0, rows=3), elem_id="guide-side")
    gr.HTML(
        '<span class="hidden" aria-hidden="true"></span>',
        js_on_load=f'import("{assets.address("guide.js")}")',
        apply_default_css=False,
        padding=False,
        elem_classes="nothing",
    )


PAGE = Page(path="/guide", title="Guide", build=build, icon="guide", order=110)
