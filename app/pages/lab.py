"""The reward lab at /lab: tries the graders of a half-filled run on its model, and says whether there is a
signal. `/lab?draft=KEY` sets one up from the form of a new run, `/lab?id=7` shows one.

What the answers mean is worked out by `studio.lab`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from app.navigation import Page
from app.parts import Paced, Query, fragment, live, render
from app.setup import beginning
from app.setup.plan import Plan
from app.toolkit import html
from studio import db, drafts, environments, lab, lineage, runs, weights
from studio.datasets import library
from studio.errors import StudioError
from studio.models import Kind, Run

CALM = 5.0  # seconds between looks when nothing goes on
MOST_FORMER = 20


@fragment("lab")
def show(query: Query) -> Paced:
    draft = query.text("draft")
    with db.reading() as session:
        run = find(session, query.maybe("id"))
        found = lab.findings(session, run) if run else None
        best, worst = lab.extremes(session, run) if run else ([], [])
        asked = Asked.of(session, draft) if draft and run is None else None
        is_active = run is not None and run.state in runs.ACTIVE
        body = render(
            "lab.html",
            run=run,
            active=is_active,
            found=found,
            most=max(count for _, _, count in found.histogram) if found else 1,
            seconds=run.report.get("seconds_a_call", {}) if run else {},
            best=best,
            worst=worst,
            draft=draft,
            back=f"/new-run?draft={draft}" if draft else "",
            setup=asked.body if asked else None,
            lacking=" and ".join(asked.lacking) if asked else "",
            model=asked.model if asked else "",
            dataset=asked.dataset if asked else "",
            most_samples=lab.MOST_SAMPLES,
            samples=asked.samples if asked else lab.PASS_AT,
            temperature=asked.settings.get("temperature", 1.0) if asked else 1.0,
            longest=asked.settings.get("max_completion_length", 128) if asked else 128,
            tools=acting(run.parameters if run else asked.body if asked else {}),
            former=former(session, run),
        )
        return Paced(body, 1 if is_active else CALM)


@dataclass
class Asked:
    """What a half-filled run gives a lab: the request, names for a person, and what is missing."""

    body: dict[str, Any]
    model: str = ""
    dataset: str = ""
    lacking: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session, key: str) -> "Asked":
        given = drafts.get(session, key)
        asked = cls({name: given.get(name) or "" for name in ("model", "dataset")})
        asked.body["graders"] = given.get("graders") or []
        for name, word in (("model", "a model"), ("dataset", "a dataset"), ("graders", "a grader")):
            if not asked.body[name]:
                asked.lacking.append(word)
        if not asked.lacking:
            asked.settings = Plan(session, beginning.current(session, {"draft": key})).values.technique
            if asked.settings.get("environment"):
                asked.body |= {name: asked.settings[name] for name in lab.ACTING}
            asked._name(session)
        return asked

    @property
    def samples(self) -> int:
        """As many answers as the run will draw, and enough for pass@8."""
        group = self.settings.get("num_generations")
        return min(lab.MOST_SAMPLES, max(lab.PASS_AT, group if isinstance(group, int) else 0))

    def _name(self, session: Session) -> None:
        """A model that is not known yet is called as it was typed."""
        try:
            self.dataset = library.find_version(session, self.body["dataset"]).title
            reference = str(self.body["model"])
            self.model = weights.find(session, reference).name if reference.isdigit() else reference
            if of_run := lineage.OF_RUN.fullmatch(reference):
                self.model = f"The result of run {of_run[1]}"
        except StudioError:
            self.lacking.append("a model and a dataset that are still there")


def acting(given: Mapping[str, Any]) -> str:
    """The title of the environment whose tools the model has."""
    name = given.get("environment", "")
    return environments.get(name).title if environments.has(name) else ""


def find(session: Session, run_id: int | None) -> Run | None:
    """The lab of the address; None when it names none, or something that is no lab."""
    run = session.get(Run, run_id) if run_id else None
    return run if run is not None and run.kind == Kind.LAB else None


def former(session: Session, shown: Run | None) -> list[Run]:
    found = runs.listed(session, kinds=[Kind.LAB], limit=MOST_FORMER)
    return [run for run in found if shown is None or run.id != shown.id]


def build() -> None:
    html(live("lab", every=1, rows=6), elem_id="lab")


PAGE = Page(path="/lab", title="Reward lab", build=build, in_nav=False, under="/runs")
