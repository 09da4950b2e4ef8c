"""The answer card: a recommendation as plain data to show, and as Markdown to keep.

It only words and orders what `rules.recommend` decided. AWS's figures stand here as AWS's report of its own
programmes; our own estimate of memory, time and cost is made elsewhere and stands apart.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from studio.guide import words
from studio.guide.document import Guide, load
from studio.guide.rules import Recommendation, Unlock

BENCHMARK_LABEL = "As AWS reported for this phase in its own programmes. Not a forecast for yours."
OWN_TITLE = "This studio's own estimate"
OWN_LABEL = "From your data, your model and the runs that were finished here; none of AWS's figures is in it."


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class Fact(_Shown):
    """A name, its value in words, and where it comes from (may be empty)."""

    name: str
    value: str
    source: str = ""
    changed: bool = False  # a threshold that this studio has set otherwise than shipped


class RuledOutLine(_Shown):
    technique: str
    title: str
    why: str


class UnlockLine(_Shown):
    """What would open a technique: "DPO: you have 320 preference pairs, you need 1,000"."""

    technique: str
    title: str
    text: str
    share: float  # have / need, 0..1, for a bar
    changes_answer: bool


class FlipLine(_Shown):
    """One answer that, had it been otherwise, would lead to another technique: "With 500 … it would be …"."""

    technique: str
    title: str
    text: str


class VariantLine(_Shown):
    """Another technique of the same kind; `suits`: these answers say that it fits."""

    technique: str
    title: str
    fits: str
    source: str
    suits: bool


class Gate(_Shown):
    """A flag's warning and the checks to pass before going live."""

    id: str
    title: str
    says: str
    checks: list[str]


class Card(_Shown):
    """Everything the answer page shows, top to bottom; texts are plain, without markup."""

    technique: str
    title: str
    meaning: str
    trainable: bool
    run_as: list[str]
    rule: str
    phase: int
    phase_name: str
    headline: str
    why: list[str]
    missing: list[str]
    next_step: str
    unlocks: list[UnlockLine]
    flips: list[FlipLine]
    variants: list[VariantLine]
    ruled_out: list[RuledOutLine]
    gates: list[Gate]
    cautions: list[str]
    start_params: list[Fact]
    benchmark_label: str
    benchmark: list[Fact]
    assumed: list[Fact]
    thresholds: list[Fact]


def make_card(recommendation: Recommendation, guide: Guide | None = None) -> Card:
    """The card of a recommendation. `guide` is the one it was made with: the shipped one with the thresholds
    that the recommendation keeps, unless given."""
    guide = guide or guide_of(recommendation)
    technique = guide.techniques[recommendation.technique]
    phase = guide.phases[str(recommendation.phase)]
    return Card(
        technique=recommendation.technique,
        title=technique.title,
        meaning=technique.meaning,
        trainable=technique.trainable,
        run_as=list(technique.run_as),
        rule=recommendation.rule,
        phase=recommendation.phase,
        phase_name=phase.name,
        headline=f"{technique.title}: {recommendation.reasons[0]}.",
        why=recommendation.reasons,
        missing=_say_missing(recommendation, guide),
        next_step=recommendation.next_step,
        unlocks=[_say_unlock(unlock, guide) for unlock in recommendation.unlocks],
        flips=_list_flips(recommendation, guide),
        variants=_list_variants(recommendation, guide),
        ruled_out=[
            RuledOutLine(technique=out.technique, title=guide.techniques[out.technique].title, why=out.why)
            for out in recommendation.ruled_out
        ],
        gates=_list_gates(recommendation, guide),
        cautions=recommendation.cautions,
        start_params=[
            Fact(name=name, value=words.format_number(value), source=technique.start_params[name].source)
            for name, value in recommendation.start_params.items()
        ],
        benchmark_label=BENCHMARK_LABEL,
        benchmark=_list_benchmark(recommendation),
        assumed=_list_assumed(recommendation, guide),
        thresholds=_list_thresholds(recommendation, guide),
    )


def guide_of(recommendation: Recommendation) -> Guide:
    """The shipped guide with the thresholds of that time; those that it no longer has are left out."""
    shipped = load()
    kept = recommendation.thresholds.items()
    return shipped.with_thresholds({name: value for name, value in kept if name in shipped.thresholds})


def sections(card: Card, own: Sequence[Fact] = ()) -> list[tuple[str, list[str]]]:
    """The card in headings and lines, as files hold it; `own` is this studio's estimate, kept apart from what
    AWS reported. Empty ones are left out."""
    every = [
        ("Why", card.why),
        ("Next step", [card.next_step]),
        ("Still missing", card.missing),
        ("Before going live", [line for gate in card.gates for line in (gate.says, *gate.checks)]),
        ("Mind", card.cautions),
        ("What more data would unlock", [line.text for line in card.unlocks]),
        ("What would change this answer", [line.text for line in card.flips]),
        ("Techniques of the same kind", [_write_variant(line) for line in card.variants]),
        ("Start parameters", _write_all(card.start_params)),
        (OWN_TITLE, [OWN_LABEL, *_write_all(own)] if own else []),
        ("As AWS reported", [card.benchmark_label, *_write_all(card.benchmark)]),
        ("Ruled out", [line.why for line in card.ruled_out]),
        ("Left open, so assumed", _write_all(card.assumed)),
        ("Thresholds used", _write_all(card.thresholds)),
    ]
    return [(heading, lines) for heading, lines in every if lines]


def to_markdown(card: Card, own: Sequence[Fact] = ()) -> str:
    """The card as Markdown, complete enough to be read on its own."""
    lines = [f"# {card.title}", "", card.meaning, "", f"Phase {card.phase} · rule {card.rule}", ""]
    for heading, items in sections(card, own):
        lines += [f"## {heading}", "", *(f"- {item}" for item in items), ""]
    return "\n".join(lines)


def _write_all(facts: Sequence[Fact]) -> list[str]:
    return [_write_fact(fact) for fact in facts]


def _write_fact(fact: Fact) -> str:
    name = fact.name if fact.name.endswith("?") else f"{fact.name}:"
    return f"{name} {fact.value}" + (f" ({fact.source})" if fact.source else "")


def _write_variant(line: VariantLine) -> str:
    return f"{line.title}{' (fits your answers)' if line.suits else ''}: {line.fits} ({line.source})"


def _say_missing(recommendation: Recommendation, guide: Guide) -> list[str]:
    """ "You have 320 of 500 labelled examples: 180 more for a full SFT run."."""
    lines = []
    for part in guide.data_gaps:
        missing = recommendation.data_gap.get(part.key)
        have, need = recommendation.answers[part.have], recommendation.thresholds[part.need]
        if missing is not None and need - have == missing:
            count = (
                f"{words.format_number(have)} of {words.format_number(need)} {guide.fields[part.have].noun}"
            )
            lines.append(f"You have {count}: {words.format_number(missing)} more {part.purpose}.")
    return list(dict.fromkeys(lines))


def _say_unlock(unlock: Unlock, guide: Guide) -> UnlockLine:
    title = guide.techniques[unlock.technique].title
    unit = guide.fields[unlock.fields[0]].unit
    have, need = (words.format_number(value) + unit for value in (unlock.have, unlock.need))
    return UnlockLine(
        technique=unlock.technique,
        title=title,
        text=f"{title}: you have {have} {unlock.noun}, you need {need}.",
        share=unlock.have / unlock.need,
        changes_answer=unlock.changes_answer,
    )


def _list_flips(recommendation: Recommendation, guide: Guide) -> list[FlipLine]:
    """Those that more data alone brings about stand among the unlocks already."""
    unlocked = {
        (unlock.technique, field)
        for unlock in recommendation.unlocks
        if unlock.changes_answer
        for field in unlock.fields
    }
    return [
        FlipLine(technique=flip.technique, title=guide.techniques[flip.technique].title, text=flip.text)
        for flip in recommendation.flips
        if (flip.technique, flip.field) not in unlocked
    ]


def _list_variants(recommendation: Recommendation, guide: Guide) -> list[VariantLine]:
    """The techniques of the same kind, those that fit these answers first."""
    answers, limits = recommendation.answers, recommendation.thresholds
    lines = [
        VariantLine(
            technique=variant.technique,
            title=variant.title,
            fits=variant.fits,
            source=variant.source,
            suits=variant.expression.holds(answers, limits),
        )
        for variant in guide.techniques[recommendation.technique].variants
    ]
    return sorted(lines, key=lambda line: not line.suits)


def _list_gates(recommendation: Recommendation, guide: Guide) -> list[Gate]:
    return [
        Gate(
            id=flag.id,
            title=flag.title,
            says=words.fill(flag.says, guide, recommendation.answers),
            checks=list(flag.gates),
        )
        for flag in guide.flags
        if flag.id in recommendation.flags
    ]


def _list_benchmark(recommendation: Recommendation) -> list[Fact]:
    labels = {"name": "Phase", "weeks": "Weeks", "investment": "Investment", "data": "Data"}
    return [
        Fact(name=label, value=recommendation.benchmark[key], source="AWS-reported")
        for key, label in labels.items()
    ]


def _list_assumed(recommendation: Recommendation, guide: Guide) -> list[Fact]:
    return [
        Fact(
            name=guide.fields[name].title,
            value=words.format_answer(guide, name, recommendation.answers[name]),
        )
        for name in recommendation.assumed
    ]


def _list_thresholds(recommendation: Recommendation, guide: Guide) -> list[Fact]:
    return [
        Fact(
            name=guide.thresholds[name].title,
            value=words.format_number(value),
            source=guide.thresholds[name].source,
            changed=value != load().limits.get(name),
        )
        for name, value in recommendation.thresholds.items()
        if name in guide.thresholds
    ]
