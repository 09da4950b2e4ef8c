"""The card of one model at /model?id=: what is known of it, where it came from, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.navigation import Page
from app.parts import Query, fragment, live, render
from app.setup import offers
from app.toolkit import html
from studio import adapters, db, lineage, techniques, weights
from studio.errors import NotFound
from studio.models import DatasetVersion, Kind, Model, Run

MOST = 50  # runs and models made from it that are listed
LATEST = ("eval_loss", "loss", "eval_mean_token_accuracy", "mean_token_accuracy")


@dataclass(frozen=True)
class Link:
    """One step of a model's line: the model it sits on, the data, or the run that joined them."""

    what: str
    title: str
    href: str
    hint: str = ""


@fragment("model")
def model_card(query: Query) -> Markup:
    with db.reading() as session:
        model = find(session, query.number("id"))
        run = maker(session, model)
        return render(
            "model.html",
            model=model,
            adapter=adapters.get(model.adapter).title if model.adapter else "",
            on_disk=weights.folder_of(model) is not None,
            line=line(session, model),
            figures=figures(run),
            run=run,
            trained_on=trained_on(session, model, run),
            tuned=tuned(session, model),
            onward=onward(model),
            technique_title=technique_title,
        )


def find(session: Session, model_id: int) -> Model:
    model = session.get(Model, model_id)
    if model is None:
        raise NotFound(f"There is no model {model_id}.", hint="The Models page lists all of them.")
    return model


def maker(session: Session, model: Model) -> Run | None:
    if model.run_id is None:
        return None
    versions = selectinload(Run.dataset_version).selectinload(DatasetVersion.dataset)
    return session.get(Run, model.run_id, options=[versions])


def line(session: Session, model: Model) -> list[Link]:
    """From the first base model to this one: base → dataset version → run → model → …"""
    links: list[Link] = []
    seen: set[int] = set()
    step: Model | None = model
    while step and step.id not in seen:
        seen.add(step.id)
        links += [of_model(step), *of_run(maker(session, step))]
        step = session.get(Model, step.base_id) if step.base_id else None
    return links[::-1]


def of_model(model: Model) -> Link:
    kind = "Model" if model.run_id else "Base model"
    hint = model.sha256[:12] if model.sha256 else "not fetched yet"
    return Link(kind, model.name, f"/model?id={model.id}", hint)


def of_run(run: Run | None) -> list[Link]:
    """The run and the rows it learned from, the newest first, as `line` collects them."""
    if run is None:
        return []
    made = [Link("Run", run.name, f"/run?id={run.id}", f"{technique_title(run)}, seed {run.seed}")]
    if version := run.dataset_version:
        href = f"/dataset?id={version.dataset_id}&version={version.number}"
        made.append(Link("Dataset version", version.title, href, version.sha256[:12]))
    return made


def onward(model: Model) -> str:
    """The address of the form of a run that starts from this model; empty where no technique can."""
    address = f"/new-run?model={model.id}"
    if model.kind == "language":
        return address
    able = (each.name for each in techniques.all() if model.kind in offers.startable(each))
    return next((f"{address}&technique={name}" for name in able), "")


def technique_title(run: Run) -> str:
    titles = {technique.name: technique.title for technique in techniques.all()}
    return titles.get(run.technique, run.technique)


def figures(run: Run | None) -> list[tuple[str, float]]:
    """(title, newest value) of the metrics that say most about how the run ended."""
    if run is None:
        return []
    known = {metric.key: metric.title for technique in techniques.all() for metric in technique.metrics}
    return [(known.get(key, key), run.latest[key]) for key in LATEST if key in run.latest]


def trained_on(session: Session, model: Model, run: Run | None) -> Sequence[Run]:
    """Runs that started from this model, or, if a run made it, that read it in any way; the newest first."""
    if run is not None:
        return lineage.followers(session, run)[: -(MOST + 1) : -1]
    started = select(Run).where(Run.model_id == model.id, Run.kind == Kind.TRAIN)
    return session.scalars(started.order_by(Run.id.desc()).limit(MOST)).all()


def tuned(session: Session, model: Model) -> Sequence[Model]:
    """Models made from this one."""
    made = select(Model).where(Model.base_id == model.id, Model.id != model.id)
    return session.scalars(made.order_by(Model.id.desc()).limit(MOST)).all()


def build() -> None:
    html(live("model", every=5, rows=5), elem_id="model")


PAGE = Page(path="/model", title="Model", build=build, in_nav=False, under="/models")
