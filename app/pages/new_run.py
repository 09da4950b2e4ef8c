"""The page of a new run at /new-run: what is shown around the form, as fragments over the same draft.

The inputs and what happens to them are in `app.pages.new_run_form`, what the form holds and what follows
from it in `app.pages.setup`; launching is `studio.runs.launch`.
"""

from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from app import forms
from app.navigation import Page
from app.pages import new_run_form
from app.pages import setup as setups
from app.pages.setup import Setup
from app.parts import Query, fragment, live, render
from app.toolkit import gr, html
from studio import adapters, comparison, db, recommendations, runs, techniques
from studio.errors import StudioError


@fragment("new-run-head")
def head(query: Query) -> Markup:
    with db.reading() as session:
        setup = setups.current(session, query.text("draft"), dict(query.values))
        advice = None
        if setup.recommendation is not None:
            kept = recommendations.get(session, setup.recommendation)
            advice = (kept.id, recommendations.card_of(kept).title)
        origin = runs.get(session, setup.clone) if setup.clone is not None else None
        return render("new_run_head.html", advice=advice, origin=origin)


@fragment("new-run-data")
def data(query: Query) -> Markup:
    """Versions that cannot be chosen, and why; or that there are none at all."""
    with db.reading() as session:
        setup = setups.current(session, query.text("draft"), dict(query.values))
        options = setups.offer(session, techniques.get(setup.technique), "dataset")
        return render("new_run_data.html", options=options, technique=techniques.get(setup.technique))


@fragment("new-run-changes")
def changes(query: Query) -> Markup:
    """Which settings are not the recommended ones, and, for a clone, what differs from its run."""
    with db.reading() as session:
        setup = setups.current(session, query.text("draft"), dict(query.values))
        differing = differences(session, setup)
        cloned = clone_differences(session, setup) if setup.clone is not None else []
    return render("new_run_changes.html", differing=differing, cloned=cloned, clone=setup.clone)


@fragment("new-run-summary")
def summary(query: Query) -> Markup:
    """What Start will do, in numbers, and what still stands in its way."""
    with db.reading() as session:
        setup = setups.current(session, query.text("draft"), dict(query.values))
        of_technique, _ = setups.values(session, setup)
        version = setups.version_of(session, setup.dataset)
        held_out = setups.version_of(session, setup.held_out)
        problem = setups.problem(session, setup)
        if problem is None and setup.problem:
            problem = StudioError(setup.problem["error"], setup.problem.get("hint", ""))
        steps = None
        if version and not problem and setups.fits(session, setup, setup.dataset, "dataset"):
            steps = setups.estimate_steps(version.rows, of_technique, setup.gpus)
        return render(
            "new_run_summary.html",
            setup=setup,
            technique=techniques.get(setup.technique),
            adapter=adapters.get(setup.adapter),
            model=setups.known_model(session, setup.model) if setup.model else None,
            version=version if version and setups.fits(session, setup, setup.dataset, "dataset") else None,
            held_out=held_out
            if held_out and setups.fits(session, setup, setup.held_out, "held_out")
            else None,
            settings=of_technique,
            steps=steps,
            problem=problem,
        )


def differences(session: Session, setup: Setup) -> list[tuple[str, Any, Any]]:
    """(title, recommended, chosen) of every setting the person changed."""
    kinds = (techniques.get(setup.technique).parameters, adapters.get(setup.adapter).parameters)
    pairs = zip(kinds, setups.recommended(session, setup), setups.values(session, setup), strict=True)
    return [
        (forms.title(kind, name), forms.readable(advised[name]), forms.readable(value))
        for kind, advised, chosen in pairs
        for name, value in forms.differing(chosen, advised).items()
    ]


def clone_differences(session: Session, setup: Setup) -> list[tuple[str, Any, Any]]:
    """(title, in that run, here) of everything that differs from the run this was cloned from."""
    before = comparison.settings_of(runs.get(session, setup.clone or 0))
    of_technique, of_adapter = setups.values(session, setup)
    model = setups.known_model(session, setup.model)
    version, held_out = (setups.version_of(session, each) for each in (setup.dataset, setup.held_out))
    now: dict[str, Any] = {
        "technique": setup.technique,
        "adapter": setup.adapter,
        "model": model.name if model else setup.model,
        "dataset": version.title if version else "",
        "held-out data": held_out.title if held_out else "",
        "seed": setup.seed,
        "gpus": setup.gpus,
        **of_technique,
        **{f"{setup.adapter}.{name}": value for name, value in of_adapter.items()},
    }
    kind = techniques.get(setup.technique).parameters
    names = [name for name in now if not forms.same(now[name], before.get(name))]
    return [
        (forms.title(kind, name), forms.readable(before.get(name)), forms.readable(now[name]))
        for name in names
    ]


def build() -> None:
    html(live("new-run-head", every=0, rows=1), elem_id="new-run-head")
    with gr.Row(elem_classes="beside"):
        with gr.Column(elem_classes="sheet"):
            sheet = new_run_form.lay_out()
        with gr.Column(elem_classes="launch"):
            html(live("new-run-summary", every=0, rows=5), elem_id="new-run-summary")
            sheet.start.render()
    new_run_form.wire(sheet)


PAGE = Page(
    path="/new-run", title="New run", build=build, icon="runs", order=205, in_nav=False, under="/runs"
)
