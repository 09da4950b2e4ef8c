"""What the runs of /compare answered to the same prompts, and how often each wins. A fragment, no page.

The address says by which score (`score`), against which run (`base`) and up to which step (`at`); left out,
these are the exact match, the first run, and each run's newest answer. `every` shows all prompts, not only
those whose answers differ most. It scores nothing itself.
"""

from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.pages.compare_choice import Asked, calm
from app.pages.run_samples import Words, marked
from app.parts import Paced, Query, fragment, live, render
from studio.comparison import answers
from studio.models import Sample

MOST_ANSWERS, LEAST_PROMPTS = 120, 5  # shown at once; all prompts when they are asked for
TITLES = {answers.MATCH: "exact match"}


@dataclass(frozen=True)
class Cell:
    """A run's answer; what the baseline's answer lacks is marked."""

    sample: Sample
    words: Words
    is_same: bool


@fragment("compare-samples")
def compare_samples(query: Query) -> Paced:
    return calm(query, show)


def show(session: Session, asked: Asked, query: Query) -> Markup:
    chosen, at = asked.shown, query.maybe("at")
    steps = answers.steps(session, chosen)
    found = answers.asked(session, chosen, at)
    scorers = answers.scorers(found)
    by = query.text("score") if query.text("score") in scorers else next(iter(scorers), "")
    base = next((place for place, run in enumerate(chosen) if run.id == query.maybe("base")), 0)
    ordered = answers.by_difference(found, by)
    few = max(LEAST_PROMPTS, MOST_ANSWERS // len(chosen))
    return render(
        "compare_samples.html",
        asked=asked,
        runs=chosen,
        steps=steps,
        at=at,
        scorers=[(name, TITLES.get(name, name)) for name in scorers],
        by=by,
        base=base,
        rates=answers.win_rates(found, chosen, by, base) if by else [],
        shared=sum(each.is_shared for each in found),
        total=len(found),
        few=few,
        every=bool(query.text("every")),
        prompts=[(each, cells(each, base)) for each in ordered[: None if query.text("every") else few]],
    )


def cells(each: answers.Asked, base: int) -> list[Cell | None]:
    return [cell(each.answers[base], answer) for answer in each.answers]


def cell(before: Sample | None, answer: Sample | None) -> Cell | None:
    if answer is None:
        return None
    if before is None or before is answer:
        return Cell(answer, [(answer.answer, False)], is_same=False)
    return Cell(answer, marked(before.answer, answer.answer)[1], before.answer == answer.answer)


def place() -> str:
    return live("compare-samples", every=0, rows=1)
