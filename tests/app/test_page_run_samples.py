"""The samples of a run: answers at successive steps side by side, their order, and which are shown."""

import re
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.pages import run_samples
from studio import db
from studio.models import Run, Sample, State
from tests import made_runs

STEPS = [0, 10, 20, 30, 40]


def view(run: Run, **query: str) -> str:
    asked = {"id": str(run.id), "tab": "samples"} | query
    answer = made_runs.fragments().get("/parts/run-view", params=asked)
    assert answer.status_code == 200
    return answer.text


def made(session: Session, answers: dict[int, list[str]], **scores: list[list[float]]) -> Run:
    """A run whose model gave these answers to each prompt at STEPS, with each grader's scores of them."""
    run = made_runs.made(
        session, made_runs.base(session), made_runs.version(session), State.SUCCEEDED, losses=(1.0,)
    )
    for number, said in answers.items():
        for place, answer in enumerate(said):
            session.add(
                Sample(
                    run_id=run.id,
                    step=STEPS[place],
                    number=number,
                    prompt=f"question {number}",
                    answer=answer,
                    reference="yes",
                    scores={name: of[number][place] for name, of in scores.items()},
                )
            )
    session.flush()
    return run


def headings(text: str) -> list[str]:
    return re.findall(r'<th scope="col">([^<]*)</th>', text)


def prompts(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'data-key="sample-(\d+)"', text)]


def test_the_first_the_middle_and_the_last_answers_stand_side_by_side(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, {0: ["no way", "no", "no way", "maybe", "yes way"]})
    text = view(run)
    assert headings(text) == ["Prompt", "Before training", "Step 20", "Step 40"]
    assert '<ins class="word">yes</ins> way' in text
    assert text.count("unchanged") == 1


def test_any_steps_can_be_chosen_and_each_answer_is_compared_with_the_one_before(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, {0: ["take one now", "take two now", "take two later", "x", "y"]})
    text = view(run, steps="0,10,20")
    assert headings(text) == ["Prompt", "Before training", "Step 10", "Step 20"]
    assert '<del class="word">one</del>' in text
    assert '<ins class="word">two</ins>' in text
    assert '<ins class="word">later</ins>' in text
    assert "steps=0,20&amp;" in text or 'steps=0,20"' in text
    assert headings(view(run, steps="7"))[1:] == ["Before training", "Step 20", "Step 40"]


def test_a_step_is_added_and_taken_away_and_one_always_stays() -> None:
    assert run_samples.toggled([0, 20], 10) == [0, 10, 20]
    assert run_samples.toggled([0, 10, 20], 10) == [0, 20]
    assert run_samples.toggled([5], 5) == [5]
    assert run_samples.toggled([0, 10, 20, 30], 25) == [0, 10, 25, 30]


@pytest.mark.parametrize(
    ("sort", "order"), [("", [0, 1, 2]), ("best", [1, 2, 0]), ("worst", [0, 2, 1]), ("change", [2, 1, 0])]
)
def test_prompts_are_ordered_by_score_and_by_change(database: Path, sort: str, order: list[int]) -> None:
    with db.transaction() as session:
        run = made(
            session, {0: ["a", "a"], 1: ["a", "b"], 2: ["a", "c"]}, length=[[0, 0], [0.7, 0.9], [0, 0.5]]
        )
    assert prompts(view(run, sort=sort)) == order


def test_each_graders_score_stands_with_its_change(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, {0: ["a", "b"]}, length=[[0.25, 0.75]], tone=[[0.5, 0.5]])
    text = view(run)
    assert "length 0.25" in text
    assert 'length 0.75 <span class="muted">(+0.5)</span>' in text
    assert text.count("tone 0.5") == 2


def test_only_what_changed_or_what_is_wrong_is_shown_when_asked_for(database: Path) -> None:
    with db.transaction() as session:
        run = made(
            session,
            {0: ["yes", "yes"], 1: ["no", "no"], 2: ["no", "yes"]},
            exact_match=[[1, 1], [0, 0], [0, 1]],
        )
    assert prompts(view(run, only="changed")) == [2]
    assert prompts(view(run, only="wrong")) == [1]
    assert "1 of 3" in view(run)
    assert "2 of 3" in view(run)


def test_a_filter_that_leaves_nothing_says_so_and_leads_back(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, {0: ["yes", "yes"]}, exact_match=[[1, 1]])
    text = view(run, only="changed")
    assert "No answer changed" in text
    assert "Show all 1" in text


def test_many_steps_are_offered_when_asked_for(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, {0: ["a"]})
        for step in range(1, 20):
            session.add(Sample(run_id=run.id, step=step, number=0, prompt="q", answer=str(step)))
    text = view(run)
    assert "up to 4 of 20" in text
    assert 'data-key="step-19"' in text
