"""What the runs of /compare answered to the same prompts. A fragment of that page, no page."""

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.pages import run_samples, run_words
from app.pages.compare_choice import chosen_of
from app.parts import Paced, Query, fragment, live, render
from studio import db
from studio.models import Run, Sample

CALM = 5.0


@fragment("compare-samples")
def compare_samples(query: Query) -> Paced:
    with db.reading() as session:
        chosen = chosen_of(session, query)
        if len(chosen) < 2:
            return Paced(Markup(""), 0)
        body = render("compare_samples.html", runs=chosen, prompts=prompts(session, chosen))
    return Paced(body, CALM if any(run_words.is_active(run) for run in chosen) else 0)


def prompts(session: Session, chosen: list[Run]) -> list[tuple[Sample, list[Sample | None]]]:
    """(the first run's sample of the prompt, each run's newest answer to it), shared prompts first."""
    answers: dict[str, dict[int, Sample]] = {}
    for run in chosen:
        for first, latest in run_samples.ends_of(run_samples.samples_of(session, run.id)):
            answers.setdefault(first.prompt, {})[run.id] = latest or first
    rows = [
        (next(iter(by_run.values())), [by_run.get(run.id) for run in chosen]) for by_run in answers.values()
    ]
    return sorted(rows, key=lambda row: sum(answer is None for answer in row[1]))


def place() -> str:
    return live("compare-samples", every=0, rows=1)
