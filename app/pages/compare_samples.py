"""What the runs of /compare answered to the same prompts, and how often each wins. A fragment, no page.

The address says by which score (`score`), against which run (`base`) and up to which step (`at`); left out,
these are the exact match, the first run, and each run's newest answer. It scores nothing itself.
"""

from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.pages import run_words
from app.pages.compare_choice import chosen_of
from app.pages.run_samples import Words, marked
from app.parts import Paced, Query, fragment, live, render
from studio import db
from studio.comparison import answers
from studio.comparison.answers import Asked
from studio.models import Run, Sample

CALM = 5.0
MOST_PROMPTS = 30
TITLES = {answers.MATCH: "exact match"}


@dataclass(frozen=True)
class Cell:
    """A run's answer; what the baseline's answer lacks is marked."""

    sample: Sample
    words: Words
    is_same: bool


@fragment("compare-samples")
def compare_samples(query: Query) -> Paced:
    with db.reading() as session:
        chosen = chosen_of(session, query)
        if len(chosen) < 2:
            return Paced(Markup(""), 0)
        body = show(session, chosen, query)
    return Paced(body, CALM if any(run_words.is_active(run) for run in chosen) else 0)


def show(session: Session, chosen: list[Run], query: Query) -> Markup:
    steps = answers.steps(session, chosen)
    at = query.maybe("at")
    asked = answers.asked(session, chosen, at)
    scorers = answers.scorers(asked)
    by = query.text("score") if query.text("score") in scorers else next(iter(scorers), "")
    base = next((place for place, run in enumerate(chosen) if run.id == query.maybe("base")), 0)
    ordered = answers.by_difference(asked, by)
    return render(
        "compare_samples.html",
        runs=chosen,
        steps=steps,
        at=at,
        scorers=[(name, TITLES.get(name, name)) for name in scorers],
        by=by,
        base=base,
        rates=answers.win_rates(asked, chosen, by, base) if by else [],
        shared=sum(each.is_shared for each in asked),
        total=len(asked),
        prompts=[(each, cells(each, base)) for each in ordered[:MOST_PROMPTS]],
        is_active=any(run_words.is_active(run) for run in chosen),
    )


def cells(each: Asked, base: int) -> list[Cell | None]:
    return [cell(each.answers[base], answer) for answer in each.answers]


def cell(before: Sample | None, answer: Sample | None) -> Cell | None:
    if answer is None:
        return None
    if before is None or before is answer:
        return Cell(answer, [(answer.answer, False)], is_same=False)
    return Cell(answer, marked(before.answer, answer.answer)[1], before.answer == answer.answer)


def place() -> str:
    return live("compare-samples", every=0, rows=1)
