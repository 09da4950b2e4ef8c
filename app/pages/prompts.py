"""The prompt lab at /prompts?project=7: the versions of how a use case asks and what each is worth
(`?tab=versions`), one being written (`?tab=edit`), and what went wrong (`?tab=failures`).

What is measured is worked out by `studio.prompts`; `static/prompts.js` keeps the draft and takes the keys.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from app.navigation import Page
from app.pages import prompts_edit, prompts_failures
from app.pages.evaluate import WORDS
from app.pages.run_samples import marked
from app.parts import Paced, Query, assets, fragment, live, render
from app.toolkit import gr, html
from studio import db, evaluations, prompts, runs, use_cases, weights
from studio.errors import StudioError
from studio.held_out import held_out_of
from studio.models import Project, Prompt
from studio.prompts import differences, measuring

CALM = 5.0  # seconds between looks when nothing goes on
ITEMS = 300  # questions, unless somebody says otherwise
TABS = [("versions", "Versions"), ("edit", "Edit"), ("failures", "Failures")]

Values = dict[str, Any]


@fragment("prompts")
def show(query: Query) -> Paced:
    tab = query.text("tab", "versions")
    tab = tab if tab in dict(TABS) else "versions"
    with db.reading() as session:
        project = find(session, query)
        if project is None:
            return Paced(render("prompts_empty.html"), CALM)
        values, pace = BODIES[tab](session, project, query)
        draft = query.text("draft")
        here = f"/prompts?project={project.id}&" + (f"draft={draft}&" if draft else "")
        page = render("prompts.html", project=project, tabs=TABS, tab=tab, here=here, **values)
    return Paced(page, pace)


def find(session: Session, query: Query) -> Project | None:
    """The use case of the address, else the one people are at."""
    number = query.maybe("project")
    return use_cases.get(session, number) if number is not None else prompts.newest_project(session)


def versions(session: Session, project: Project, query: Query) -> tuple[Values, float]:
    known = prompts.of(session, project.id)
    measured = measuring.of(session, project)
    active = [run for run in prompts.evaluations_of(session, project.id) if run.state in runs.ACTIVE]
    values = {
        "versions": known,
        "titles": {each.id: prompts.title(each) for each in known},
        "changes": {each.id: changes(session, each) for each in known},
        "measured": {each.id: [one for one in measured if one.prompt_id == each.id] for each in known},
        "plain": [one for one in measured if one.prompt_id is None],
        "words": WORDS,
        "active": active,
        **asking(session, project),
        **comparing(session, known, query),
    }
    return values, 1 if active else CALM


def changes(session: Session, prompt: Prompt) -> list[str]:
    """What a version changed since the one it began as; what it is where it began as none."""
    prompting = prompts.prompting_of(prompt)
    if prompt.parent_id is not None:
        return differences.between(prompts.prompting_of(prompts.get(session, prompt.parent_id)), prompting)
    return differences.between(prompts.Prompting(), prompting) or ["It asks as the rows do."]


def asking(session: Session, project: Project) -> Values:
    """What the form that measures offers, and what stands in its way."""
    models = [model for model in weights.listed(session) if model.kind == "language"]
    held_out = held_out_of(session, project)
    try:
        metrics, lacking = measuring.metrics(project), None
    except StudioError as problem:
        metrics, lacking = [], problem
    return {
        "models": models,
        "chosen_model": project.model_id or (models[0].id if models else None),
        "held_out": held_out,
        "metrics": [each.name for each in metrics],
        "lacking": lacking,
        "most": evaluations.MOST_CONTESTANTS,
        "items": min(ITEMS, held_out.rows) if held_out else ITEMS,
    }


def comparing(session: Session, known: list[Prompt], query: Query) -> Values:
    """Two versions side by side: those of the address, else the newest and the one it began as."""
    by_id = {each.id: each for each in known}
    if len(known) < 2:
        return {"pair": None}
    second = by_id.get(query.maybe("is") or 0, known[0])
    others = [each for each in known if each is not second]
    first = by_id.get(query.maybe("was") or 0, by_id.get(second.parent_id or 0, others[0]))
    before, after = prompts.prompting_of(first), prompts.prompting_of(second)
    found = measuring.compared(session, first, second) if first is not second else None
    return {
        "pair": (first, second),
        "between": differences.between(before, after),
        "texts": [
            (title, *marked(one, two))
            for title, one, two in (
                ("Instruction", before.system, after.system),
                ("Template", before.template, after.template),
            )
            if one != two
        ],
        "compared": found,
    }


def edit(session: Session, project: Project, query: Query) -> tuple[Values, float]:
    return prompts_edit.form(session, project, query), 0


def failures(session: Session, project: Project, query: Query) -> tuple[Values, float]:
    return prompts_failures.listing(session, project, query), 0


BODIES: dict[str, Callable[[Session, Project, Query], tuple[Values, float]]] = {
    "versions": versions,
    "edit": edit,
    "failures": failures,
}


def build() -> None:
    html(live("prompts", every=1, rows=8), elem_id="prompts")
    gr.HTML(
        '<span class="hidden" aria-hidden="true"></span>',
        js_on_load=f'import("{assets.address("prompts.js")}")',
        apply_default_css=False,
        padding=False,
        elem_classes="nothing",
    )


PAGE = Page(path="/prompts", title="Prompt lab", build=build, icon="prompts", order=230)
