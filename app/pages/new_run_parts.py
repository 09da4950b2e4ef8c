"""The parts of the new-run page, drawn from a plan. A helper of `app.pages.new_run`, no page.

Each part is one fragment; an edit's answer (`app.api.new_run`) brings those that it changed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from app import forms
from app.forms import Control, Field, Marks
from app.pages.new_run_settings import settings
from app.pages.new_run_sheet import Sheet, grouped
from app.parts import render
from app.setup import forecast, memory, offers, tracing, verdict
from app.setup.offers import Version
from app.setup.plan import Graded, Plan
from studio import adapters, chains, estimate, graders, recommendations, runs, techniques
from studio.doctor import checkups
from studio.estimate import work
from studio.graders import Grader
from studio.guide import document
from studio.models import Run
from studio.techniques import Input

# ---- head and technique -------------------------------------------------------------------------------


def head(sheet: Sheet) -> Markup:
    session, setup = sheet.session, sheet.setup
    advice = clone = origin = made = None
    following: Sequence[offers.Offer] = ()
    if setup.recommendation is not None:
        kept = recommendations.get(session, setup.recommendation)
        advice = (kept.id, recommendations.card_of(kept).title)
    if setup.clone is not None:
        clone = runs.get(session, setup.clone)
    if setup.origin is not None:
        origin = runs.get(session, setup.origin)
        before = techniques.get(origin.technique) if techniques.has(origin.technique) else None
        following, made = offers.next_techniques(session, before), before.model if before else None
    return render(
        "new_run_head.html",
        advice=advice,
        clone=clone,
        mended=mended(sheet, clone) if clone and setup.fix else None,
        origin=origin,
        origin_made=made,
        following=following,
        chosen=setup.technique,
    )


def mended(sheet: Sheet, clone: Run) -> tuple[str, list[str]] | None:
    """What the doctor found in the run that is cloned, and why it changes what it does; None where it would
    no longer find that."""
    for rule, found in checkups.of(sheet.session, clone).findings:
        if rule.name == sheet.setup.fix:
            kind = sheet.plan.technique.parameters
            return rule.title, [f"{forms.title(kind, each.name)}: {each.why}" for each in found.changes]
    return None


def technique(sheet: Sheet) -> Markup:
    chosen = sheet.plan.technique
    phase = document.load().phases.get(str(chosen.phase))
    return render(
        "new_run_technique.html",
        technique=chosen,
        phase=phase.name if phase else "",
        shelves=offers.shelves(sheet.plan.versions),
        opened=sheet.is_opened,
    )


# ---- model and data -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One of the technique's further inputs, with what is chosen and, for data, what could be."""

    wanted: Input
    value: str
    versions: Sequence[Version]

    @property
    def path(self) -> str:
        return f"inputs:{self.wanted.name}"

    @property
    def id(self) -> str:
        return forms.id_of(self.path)


def base(sheet: Sheet) -> Markup:
    plan, setup = sheet.plan, sheet.setup
    fitting, misfits = offers.sift(plan.versions, plan.technique.shapes)
    apart, _ = offers.sift(plan.versions, offers.shapes_for(plan.technique, "held_out"))
    if plan.dataset is not None:  # the same rows would only measure what was memorised
        same, chosen = plan.dataset.sha256, plan.held_out
        apart = [version for version in apart if version.sha256 != same or version == chosen]
    return render(
        "new_run_base.html",
        technique=plan.technique,
        model=str(plan.model.id) if plan.model else setup.model,
        models=grouped(offers.models(sheet.session, offers.startable(plan.technique))),
        any_models=sheet.any_models if plan.technique.inputs else [],
        inputs=[asked(plan, wanted) for wanted in plan.technique.inputs],
        adapters=[each for each in adapters.all() if plan.technique.fits_adapter(each.name)],
        adapter=plan.adapter.name,
        dataset=chosen_id(plan.dataset),
        held_out=chosen_id(plan.held_out),
        datasets=fitting,
        held_outs=apart,
        misfits=misfits,
        wrong=sheet.wrong,
        said=sheet.said,
    )


def asked(plan: Plan, wanted: Input) -> Asked:
    value = plan.inputs.get(wanted.name, "")
    if wanted.kind == "model":
        known = offers.known_model(plan.session, value) if value else None
        return Asked(wanted, str(known.id) if known else value, ())
    return Asked(wanted, value, offers.sift(plan.versions, wanted.shapes)[0])


def chosen_id(version: Version | None) -> str:
    return str(version.id) if version else ""


# ---- graders ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A grader of the run as its card shows it."""

    key: str
    grader: Grader
    own: list[Field]
    fields: list[Field]

    @property
    def first(self) -> list[Field]:
        """The basic settings; all, where none is."""
        return [field for field in self.fields if field.is_basic] or self.fields

    @property
    def rest(self) -> list[Field]:
        return [field for field in self.fields if field not in self.first]

    @property
    def range(self) -> str:
        low, high = self.grader.low, self.grader.high
        if low is None or high is None:
            return "Its scores have no fixed range."
        return f"Scores {forms.readable(low)} to {forms.readable(high)}."


def graded(sheet: Sheet) -> Markup:
    shown = [
        Shown(each.key, each.grader, own_fields(each, sheet.marks()), settings_of(each, sheet.marks()))
        for each in sheet.plan.graders
    ]
    has_model = any(field.control == "model" for each in shown for field in each.fields)
    shelves: dict[str, list[Grader]] = {}
    for grader in graders.all():
        shelves.setdefault(grader.group, []).append(grader)
    return render(
        "new_run_graders.html",
        technique=sheet.plan.technique,
        graders=shown,
        shelves=list(shelves.items()),
        models=sheet.any_models if has_model else [],
        key=sheet.key,
        before=before(sheet.plan) if sheet.plan.technique.graded else [],
        wrong=sheet.wrong,
        said=sheet.said,
    )


@dataclass(frozen=True)
class Before:
    """A run that can come before this one: what it learns from, and what could be chosen for that."""

    name: str
    title: str
    help: str
    chosen: str
    versions: Sequence[Version]


def before(plan: Plan) -> list[Before]:
    """The runs of a chain before the last; the first of them stands last, as it needs the other."""
    pairs, _ = offers.sift(plan.versions, techniques.get(chains.REWARD).shapes)
    examples, _ = offers.sift(plan.versions, techniques.get(chains.EXAMPLES).shapes)
    reward = "Comparisons or ratings. A reward model learns them, and its scores are the reward of this run."
    taught = "Right answers, which the model learns before its answers are compared."
    found = [Before("pairs", "Learn the reward from", reward, chosen_id(plan.pairs), pairs)]
    if plan.pairs:
        found.append(Before("examples", "Teach it first with", taught, chosen_id(plan.examples), examples))
    return found


def settings_of(each: Graded, marks: Marks) -> list[Field]:
    return forms.describe(each.grader.parameters, f"{each.path}:parameters", each.values, each.advised, marks)


def own_fields(each: Graded, marks: Marks) -> list[Field]:
    """Name and weight, which every grader of a run has."""
    own: tuple[tuple[str, str, str, object, Control], ...] = (
        ("name", "Name", f"How charts call it. Left empty: {each.grader.name}.", each.given.name, "text"),
        ("weight", "Weight", "How much its score counts; 0 only logs it.", each.given.weight, "number"),
    )
    return [
        forms.simple(f"{each.path}:{name}", title, help, value, control, marks)
        for name, title, help, value, control in own
    ]


# ---- summary ------------------------------------------------------------------------------------------


def summary(sheet: Sheet) -> Markup:
    """What Start will do, in numbers, and what still stands in its way."""
    plan, found = sheet.plan, sheet.verdict
    awaited = plan.awaited
    steps = needs = trace = foreseen = None
    if found.problem is None:
        settings = verdict.checked(plan)
        foreseen = forecast.of(plan) if plan.setup.model else None
        needs = foreseen.memory if foreseen else None
        trace = tracing.kept(plan) if needs and needs.rooms else None
        if plan.dataset is not None:
            steps = work.steps(plan.dataset.rows, settings.technique, plan.setup.gpus)
    name = plan.model.name if plan.model else plan.setup.model or "No model chosen"
    return render(
        "new_run_summary.html",
        model=f"The result of run {awaited.id}" if awaited else name,
        forerunners=plan.forerunners,
        size=plan.size,
        version=plan.dataset,
        held_out=plan.held_out,
        pairs=plan.pairs,
        examples=plan.examples,
        technique=plan.technique,
        adapter=plan.adapter,
        graders=plan.graders,
        weight=forms.readable,
        settings=plan.values.technique,
        steps=steps,
        memory=needs,
        foreseen=foreseen,
        trace=trace,
        can_trace=tracing.is_possible(plan),
        written=memory.written,
        gb=estimate.said,
        runs=len(found.combinations),
        verdict=found,
        problem=sheet.problem,
        untried=verdict.is_untried(plan),
        key=sheet.key,
    )


# ---- all of them --------------------------------------------------------------------------------------

PARTS: dict[str, Callable[[Sheet], Markup]] = {
    "new-run-head": head,
    "new-run-technique": technique,
    "new-run-base": base,
    "new-run-graders": graded,
    "new-run-settings": settings,
    "new-run-summary": summary,
}


def drawn(sheet: Sheet, known: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The parts that are not as the page has them, whose tags are `known`; and the tags of all."""
    parts = {name: str(draw(sheet)) for name, draw in PARTS.items()}
    tags = {name: hashlib.blake2b(part.encode(), digest_size=9).hexdigest() for name, part in parts.items()}
    return {name: part for name, part in parts.items() if tags[name] != known.get(name)}, tags
