"""The page of the reward lab: set up from a draft, live while it answers, plain about the signal."""

import html
import json
from pathlib import Path

import pytest

from app.pages import lab as page
from studio import db, drafts, lab, runs, sample
from studio.graders.choice import GraderChoice
from studio.lab import LabConfig
from studio.models import Run, Sample, State
from tests import made_runs

assert page.PAGE.path == "/lab"


def read(query: str = "") -> str:
    answer = made_runs.fragments().get(f"/parts/lab?{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def launched() -> int:
    sample.load()
    with db.transaction() as session:
        config = LabConfig(
            model=sample.STARTER_NAME,
            dataset="Medication directions: prompts",
            graders=[GraderChoice(grader="exact_match")],
            prompts=2,
            samples=2,
        )
        return lab.launch(session, config).id


def test_without_an_address_it_says_where_to_begin(database: Path) -> None:
    assert "Nothing tried yet" in read()


def test_a_draft_without_graders_says_what_is_missing(database: Path) -> None:
    with db.transaction() as session:
        drafts.put(session, "run-abcdef", {"model": "1", "dataset": "1"})
    text = read("draft=run-abcdef")
    assert "Choose a grader first" in text
    assert "/new-run?draft=run-abcdef" in text


@pytest.mark.parametrize(("group", "drawn"), [(4, 8), (16, 16), (128, 64)])
def test_a_whole_draft_is_a_form_that_starts_the_lab(database: Path, group: int, drawn: int) -> None:
    """It draws as many answers as the run, but enough for pass@8."""
    launched()
    with db.transaction() as session:
        drafts.put(
            session,
            "run-abcdef",
            {
                "model": "1",
                "dataset": "Medication directions: prompts",
                "graders": [{"grader": "exact_match", "name": "right", "weight": 2.0}],
                "technique": "grpo",
                "adapter": "full",
                "parameters": {"num_generations": group, "environment": "calculator"},
            },
        )
    text = read("draft=run-abcdef")
    assert 'data-post="/api/labs"' in text
    assert "right × 2.0" in text
    assert f'name="samples" value="{drawn}"' in text
    assert "<dt>Tools</dt><dd>Calculator</dd>" in text
    asked = json.loads(html.unescape(text.split("data-body='")[1].split("'")[0]))
    assert LabConfig(**asked).environment == "calculator"


def test_a_lab_shows_its_verdict_distribution_and_both_ends(database: Path) -> None:
    run_id = launched()
    assert "first answers appear" in read(f"id={run_id}")
    with db.transaction() as session:
        for number, reward in enumerate([1.0, 0.0, 0.0, 0.0]):
            scores = {"exact_match": reward, "reward": reward}
            session.add(
                Sample(run_id=run_id, step=0, number=number, prompt=f"<q{number}>", answer="a", scores=scores)
            )
        run = session.get_one(Run, run_id)
        run.state = State.SUCCEEDED
        run.report = {"seconds_a_call": {"answering": 0.5, "exact_match": 0.001}}
    text = read(f"id={run_id}")
    for words in ("has a signal", "pass@1", "pass@2", "&lt;q0&gt;", "500 ms", "1 ms", "Worst-scored"):
        assert words in text, words
    assert f'data-post="/api/labs/{run_id}/pairs"' in text
    assert f"/lab?id={run_id}" not in text
    with db.reading() as session:
        assert runs.get(session, run_id).kind == "lab"
    assert f"/lab?id={run_id}" in read()
