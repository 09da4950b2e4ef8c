"""What a run's model answered to the same prompts at successive steps, side by side, with the words that are
new and each grader's score; and some of the answers its trainer learned from.

A helper of /run and /compare, no page. It scores nothing: the marks are the run's own. The address says
which steps stand there (`steps=0,50`), which prompts (`only=changed`) and in which order (`sort=worst`).
"""

import difflib
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.pages import run_words
from app.parts import Query, render
from studio.graders.choice import weighted
from studio.models import Run, Sample
from studio.techniques.base import OVERHEARD

TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
MOST_TOKENS = 1500  # matching takes time that grows with the square of this
TOO_DIFFERENT = 0.35  # below this likeness marking words would colour nearly all of them
MOST_STEPS = 4  # side by side; with more of them nobody reads an answer
FEW_STEPS = 12  # that are offered at once; more of them only when asked for
SORTS = {
    "": "As asked",
    "best": "Best first",
    "worst": "Worst first",
    "change": "Most changed first",
}

Words = list[tuple[str, bool]]  # (text, was it changed)


@dataclass(frozen=True)
class Cell:
    """An answer at a step: what is marked in it is new since the step before it, in the first one what will
    be gone. `scores` are (grader, score, change since the step before; None where there is none)."""

    sample: Sample
    words: Words
    scores: list[tuple[str, float | None, float | None]]
    is_same: bool


@dataclass(frozen=True)
class Line:
    """One prompt with its answers at the shown steps, None where it has none there. `score` is what the
    graders say of the newest of them, `gain` how much that changed since the first."""

    number: int
    prompt: str
    missing: Words  # the reference, marked where the newest answer lacks it
    cells: list[Cell | None]
    score: float | None
    gain: float
    is_changed: bool
    is_wrong: bool


def show(session: Session, run: Run, query: Query) -> Markup:
    found = samples_of(session, run.id)
    steps = sorted({sample.step for sample in found})
    shown = chosen(steps, query.numbers("steps"))
    every = lines(run, found, shown)
    only, sort = query.text("only"), query.text("sort")
    body = render(
        "run_samples.html",
        run=run,
        lines=ordered([line for line in every if ONLY.get(only, ONLY[""])[1](line)], sort),
        total=len(every),
        steps=steps,
        shown=shown,
        few=FEW_STEPS,
        most=MOST_STEPS,
        toggled=lambda step: toggled(shown, step),
        only=[(name, word, sum(map(test, every))) for name, (word, test) in ONLY.items()],
        sorts=SORTS,
        chosen=(only, sort),
        link=functools.partial(address, run, query),
        matches=[(step, *matches(found, step)) for step in shown],
        is_active=run_words.is_active(run),
        asks=bool(run.parameters.get("sample_prompts")),
    )
    return body + render("run_overheard.html", samples=overheard_in(session, run.id))


ONLY: dict[str, tuple[str, Callable[[Line], bool]]] = {
    "": ("All", lambda line: True),
    "changed": ("Changed", lambda line: line.is_changed),
    "wrong": ("Wrong at the end", lambda line: line.is_wrong),
}


def chosen(steps: Sequence[int], asked: Sequence[int]) -> list[int]:
    """The steps to show: those asked for, else the first, the middle and the last."""
    known = sorted(set(asked) & set(steps))[-MOST_STEPS:]
    return known or sorted({steps[0], steps[len(steps) // 2], steps[-1]} if steps else ())


def toggled(shown: Sequence[int], step: int) -> list[int]:
    """The shown steps with this one, or without it; of too many the middle ones make room."""
    kept = [each for each in shown if each != step]
    if step in shown:
        return kept or [step]
    if len(kept) >= MOST_STEPS:
        del kept[len(kept) // 2]
    return sorted([*kept, step])


def address(run: Run, query: Query, **changes: str) -> str:
    """This view with another choice."""
    parts = {"steps": query.text("steps"), "sort": query.text("sort"), "only": query.text("only")} | changes
    present = {name: text for name, text in parts.items() if text}
    return "/run?" + urlencode({"id": run.id, "tab": "samples", **present}, safe=",")


def lines(run: Run, found: Sequence[Sample], shown: Sequence[int]) -> list[Line]:
    weights = {each["name"]: each["weight"] for each in run.graders}
    by_prompt: dict[int, dict[int, Sample]] = {}
    for sample in found:
        if sample.step in shown:
            by_prompt.setdefault(sample.number, {})[sample.step] = sample
    return [line_of(weights, answers, shown) for _, answers in sorted(by_prompt.items())]


def line_of(weights: dict[str, float], answers: dict[int, Sample], shown: Sequence[int]) -> Line:
    there = [answers[step] for step in shown if step in answers]
    first, newest = there[0], there[-1]
    is_wrong = bool(newest.reference) and not is_match(newest)
    score, began = score_of(weights, newest), score_of(weights, first)
    return Line(
        number=newest.number,
        prompt=newest.prompt,
        missing=marked(newest.reference, newest.answer)[0] if is_wrong else [(newest.reference, False)],
        cells=cells_of([answers.get(step) for step in shown]),
        score=score,
        gain=score - began if score is not None and began is not None else 0.0,
        is_changed=newest.answer != first.answer,
        is_wrong=is_wrong,
    )


def cells_of(answers: Sequence[Sample | None]) -> list[Cell | None]:
    there = [sample for sample in answers if sample]
    cells = {}
    for place, sample in enumerate(there):
        before = there[place - 1] if place else None
        if before:
            words = marked(before.answer, sample.answer)[1]
        else:
            words = marked(sample.answer, there[1].answer)[0] if len(there) > 1 else [(sample.answer, False)]
        is_same = before is not None and before.answer == sample.answer
        cells[sample.step] = Cell(sample, words, scores_of(sample, before), is_same)
    return [cells[sample.step] if sample else None for sample in answers]


def scores_of(sample: Sample, before: Sample | None) -> list[tuple[str, float | None, float | None]]:
    """Every grader's score besides the match, which has words of its own."""
    found = []
    for name, score in sample.scores.items():
        if name != "exact_match":
            was = before.scores.get(name) if before else None
            found.append((name, score, score - was if score is not None and was is not None else None))
    return found


def score_of(weights: dict[str, float], sample: Sample) -> float | None:
    """The reward of an answer: the weighted sum of its scores; those of no weight of their own count once."""
    names = list(sample.scores)
    return weighted([weights.get(name, 1.0) for name in names], [sample.scores[name] for name in names])


def ordered(found: list[Line], sort: str) -> list[Line]:
    """Those nobody has scored come last."""
    scored = [line for line in found if line.score is not None]
    rest = [line for line in found if line.score is None]
    if sort in ("best", "worst"):
        return sorted(scored, key=lambda line: line.score or 0.0, reverse=sort == "best") + rest
    if sort == "change":
        return sorted(found, key=lambda line: (abs(line.gain), line.is_changed), reverse=True)
    return found


def samples_of(session: Session, run_id: int) -> list[Sample]:
    """What it answered to the sample prompts."""
    found = select(Sample).where(Sample.run_id == run_id, Sample.number < OVERHEARD)
    return list(session.scalars(found.order_by(Sample.number, Sample.step)))


def overheard_in(session: Session, run_id: int) -> list[Sample]:
    """Answers that its trainer made itself, the newest moment first, of each the best first."""
    found = select(Sample).where(Sample.run_id == run_id, Sample.number >= OVERHEARD)
    return list(session.scalars(found.order_by(Sample.step.desc(), Sample.number)))


def ends_of(found: list[Sample]) -> list[tuple[Sample, Sample | None]]:
    """The first and the latest sample of each prompt, in the order of the prompts."""
    by_prompt: dict[int, list[Sample]] = {}
    for sample in found:
        by_prompt.setdefault(sample.number, []).append(sample)
    return [(line[0], line[-1] if len(line) > 1 else None) for line in by_prompt.values()]


@functools.lru_cache(1024)
def marked(old: str, new: str) -> tuple[Words, Words]:
    """Both texts in pieces, the pieces that only one of them has marked. Nothing is marked where the two
    have hardly anything in common."""
    a, b = TOKEN.findall(old), TOKEN.findall(new)
    unmarked: tuple[Words, Words] = ([(old, False)], [(new, False)])
    if old == new or max(len(a), len(b)) > MOST_TOKENS:
        return unmarked
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    if matcher.ratio() < TOO_DIFFERENT:
        return unmarked
    gone: Words = []
    come: Words = []
    for kind, i, j, k, m in matcher.get_opcodes():
        gone.append(("".join(a[i:j]), kind != "equal"))
        come.append(("".join(b[k:m]), kind != "equal"))
    return [piece for piece in gone if piece[0]], [piece for piece in come if piece[0]]


def is_match(sample: Sample) -> bool:
    return bool(sample.scores.get("exact_match"))


def matches(found: list[Sample], step: int) -> tuple[int, int]:
    """(answers that match their reference, answers that have one) at a step."""
    scored = [sample for sample in found if sample.step == step and "exact_match" in sample.scores]
    return sum(map(is_match, scored)), len(scored)
