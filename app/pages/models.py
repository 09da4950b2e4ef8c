"""The registry at /models: base models and what runs made of them, and a form that adds a base model.

What is known of a model comes from `studio.weights`; the card of one is `model`.
"""

from collections.abc import Sequence

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.navigation import Page
from app.parts import Query, fragment, live, render
from app.toolkit import html
from studio import adapters, db, weights
from studio.models import Model, Run


@fragment("models")
def models_list(_query: Query) -> Markup:
    with db.reading() as session:
        models = weights.listed(session)
        return render(
            "models.html",
            models=models,
            runs=makers(session, models),
            adapters={adapter.name: adapter.title for adapter in adapters.all()},
        )


@fragment("models-add")
def models_add(_query: Query) -> Markup:
    return render("models_add.html")


def makers(session: Session, models: Sequence[Model]) -> dict[int, Run]:
    """Run id → the run, for those models that a run made."""
    ids = [model.run_id for model in models if model.run_id]
    return {run.id: run for run in session.scalars(select(Run).where(Run.id.in_(ids)))}


def build() -> None:
    html(live("models", every=5, rows=5), elem_id="models")
    html(live("models-add", every=0, rows=2), elem_id="models-add")


PAGE = Page(path="/models", title="Models", build=build, icon="models", order=310)
