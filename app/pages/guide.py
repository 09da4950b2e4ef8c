"""The decision guide at /guide: eight steps, one decision each, then the answer card.

The questions, the rules and every word of the advice come from `studio.guide`. Answers lie in a draft whose
key is in the address; `static/guide.js` sends them as they are given. `?project=7` begins one for a use case.
"""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from app.navigation import Page
from app.parts import Query, assets, fragment, live, render
from app.setup import forecast, verdict
from app.toolkit import gr, html
from studio import db, interview, outcomes, recommendations, techniques, use_cases
from studio.guide import card, questions, rules, words
from studio.guide.document import Guide, load
from studio.interview import Change, Interview
from studio.models import Project, Recommendation

# Where to go with advice that is no training: the address, and the words of its button.
ELSEWHERE = {
    "prompt_engineering": ("/prompts", "Open the prompt lab"),
    "rag": ("/plan?recommendation={id}", "See what to do"),
    "no_training": ("/plan?recommendation={id}", "See what to do"),
    "collect_labels": ("/plan?recommendation={id}", "See what to do"),
    "collect_preferences": ("/plan?recommendation={id}", "See what to do"),
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
    key, number = query.text("draft"), query.maybe("project")
    with db.reading() as session:
        if number is not None:
            use_cases.get(session, number)
        said = interview.get(session, key, number)
        project = said.project.id if said.project else None
        newest = recommendations.newest(session, project) if not key else None
        earlier = (newest, recommendations.card_of(newest).title) if newest else None
    return render(
        "guide_step.html",
        steps=steps,
        at=at,
        key=key,
        begun=f"draft={key}&" if key else f"project={project}&" if project else "",
        project=said.project,
        asked=[describe(name, said) for name in steps[at - 1].fields],
        done=[any(map(said.is_answered, each.fields)) for each in steps],
        earlier=earlier,
    )


def describe(name: str, said: Interview) -> dict[str, Any]:
    """One question with what is in its field now: said by the person, known to the studio, or nothing."""
    known = said.beforehand.get(name)
    question = questions.get_question(name)
    value = said.completed.get(name)
    return {
        "name": name,
        "question": question,
        "value": value,
        "unknown": name in said.answers and value is None,
        "known": known,
        "is_known": known is not None and value == known.value,
        "known_value": answer_in_words(name, known.value) if known else "",
    }


def answer_in_words(name: str, value: Any) -> str:
    """An answer as its form says it: "800", "85%", "It gets the task wrong", "I don't know"."""
    question = questions.get_question(name)
    if value is None:
        return "I don't know"
    label = next((option.label for option in question.options if option.value == value), "")
    return label or words.format_answer(load(), name, value)


@fragment("guide-side")
def side(query: Query) -> Markup:
    """What the guide would say now, and what each answer changed; empty beside the answer card."""
    if query.maybe("recommendation") is not None:
        return Markup()
    with db.reading() as session:
        said = interview.get(session, query.text("draft"), query.maybe("project"))
        guide = recommendations.guide(session)
    if not said.answers and said.project is None:
        return render("guide_side.html", shown=None)
    return render(
        "guide_side.html",
        shown=card.make_card(rules.recommend(questions.read_answers(said.completed), guide), guide),
        changes=[tell(change, guide) for change in interview.changes(said, guide)],
        answered=sum(map(said.is_answered, guide.fields)),
        total=len(guide.fields),
        project=said.project,
    )


def tell(change: Change, guide: Guide) -> dict[str, Any]:
    """What one answer changed, as the side panel says it."""
    question = questions.get_question(change.field)
    before = guide.techniques[change.before].title if change.before else ""
    title = guide.techniques[change.technique].title
    instead = f"{title} instead of {before}" if before else title
    return {
        "field": change.field,
        "question": question.title,
        "value": answer_in_words(change.field, change.value),
        "is_changed": change.technique != change.before,
        "outcome": "no change" if change.technique == change.before else instead,
    }


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
