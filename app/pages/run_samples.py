"""What a run's model answered before and after training, side by side, with the words that changed; and some
of the answers its trainer learned from.

A helper of /run and /compare, no page. It scores nothing: the marks are the run's own.
"""

import difflib
import re
from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.pages import run_words
from app.parts import Query, render
from studio.models import Run, Sample
from studio.techniques.base import OVERHEARD

TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
MOST_TOKENS = 1500  # matching takes time that grows with the square of this
TOO_DIFFERENT = 0.35  # below this likeness marking words would colour nearly all of them

Words = list[tuple[str, bool]]  # (text, was it changed)


@dataclass(frozen=True)
class Pair:
    """One prompt with its first and its latest answer; `latest` is None until there is a second one."""

    prompt: str
    reference: str
    first: Sample
    latest: Sample | None
    before: Words
    after: Words
    missing: Words  # the reference, marked where the latest answer lacks it

    @property
    def is_same(self) -> bool:
        return self.latest is not None and self.latest.answer == self.first.answer


def show(session: Session, run: Run, _query: Query) -> Markup:
    found = samples_of(session, run.id)
    pairs = [pair(*ends) for ends in ends_of(found)]
    steps = sorted({sample.step for sample in found})
    body = render(
        "run_samples.html",
        run=run,
        pairs=pairs,
        steps=steps,
        matches=[
            (step, *matches(found, step)) for step in ([steps[0], steps[-1]] if len(steps) > 1 else steps)
        ],
        is_active=run_words.is_active(run),
        asks=bool(run.parameters.get("sample_prompts")),
    )
    return body + render("run_overheard.html", samples=overheard_in(session, run.id))


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


def pair(first: Sample, latest: Sample | None) -> Pair:
    newest = latest or first
    before, after = marked(first.answer, latest.answer) if latest else ([(first.answer, False)], [])
    is_wrong = newest.reference and not is_match(newest)
    missing = marked(newest.reference, newest.answer)[0] if is_wrong else [(newest.reference, False)]
    return Pair(first.prompt, newest.reference, first, latest, before, after, missing)


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
