"""Answers of several runs side by side on /compare: marks, words that differ, win rates."""

import re
from pathlib import Path

from sqlalchemy.orm import Session

from studio import db
from studio.models import Run, Sample, State
from tests import made_runs


def read(query: str) -> str:
    answer = made_runs.fragments().get(f"/parts/compare-samples?{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def two(session: Session) -> list[Run]:
    model, data = made_runs.base(session), made_runs.version(session)
    return [made_runs.made(session, model, data, State.SUCCEEDED, name=name) for name in ("alpha", "beta")]


def say(session: Session, run: Run, answer: str, number: int = 0, step: int = 2, **scores: float) -> None:
    asked = {"prompt": f"question {number}", "reference": "yes"}
    session.add(Sample(run_id=run.id, number=number, step=step, answer=answer, scores=scores, **asked))


def row(text: str, run: int) -> list[str]:
    """The words of a run's row in the table of win rates."""
    found = re.search(rf'data-key="rate-{run}">(.*?)</tr>', text, re.S)
    assert found
    cells = re.findall(r"<td[^>]*>(.*?)</td>", found[1], re.S)
    return [" ".join(re.sub(r"<[^>]+>", "", cell).split()) for cell in cells]


def test_words_that_the_baseline_does_not_say_are_marked(database: Path) -> None:
    with db.transaction() as session:
        alpha, beta = two(session)
        say(session, alpha, "take one tablet daily", exact_match=0, bleu=0.25)
        say(session, beta, "take two tablets daily <i>", exact_match=1, bleu=0.75)
    text = read("runs=1,2")
    assert '<ins class="word">two</ins>' in text
    assert "&lt;" in text
    assert "<i>" not in text
    assert "bleu 0.75" in text
    assert '<ins class="word">one</ins>' in read("runs=1,2&base=2")


def test_win_rates_count_prompts_that_both_answered(database: Path) -> None:
    with db.transaction() as session:
        alpha, beta = two(session)
        for number, (first, second) in enumerate([(0, 1), (0, 1), (1, 0), (1, 1)]):
            say(session, alpha, "a", number, exact_match=first)
            say(session, beta, "b", number, exact_match=second)
        say(session, beta, "alone", 9, exact_match=1)
    found = row(read("runs=1,2"), 2)
    assert found[:4] == ["beta", "2", "1", "1"]
    assert found[4].startswith("62.5 % (")
    assert "not told apart" in found[5]
    assert row(read("runs=1,2&base=2"), 1)[1:4] == ["1", "1", "2"]


def test_another_score_can_judge(database: Path) -> None:
    with db.transaction() as session:
        alpha, beta = two(session)
        say(session, alpha, "a", exact_match=1, bleu=0.2)
        say(session, beta, "b", exact_match=0, bleu=0.9)
    assert row(read("runs=1,2"), 2)[1:4] == ["0", "0", "1"]
    assert row(read("runs=1,2&score=bleu"), 2)[1:4] == ["1", "0", "0"]


def test_answers_up_to_a_step_can_be_compared(database: Path) -> None:
    with db.transaction() as session:
        alpha, beta = two(session)
        for run in (alpha, beta):
            say(session, run, f"{run.name} before", step=0)
            say(session, run, f"{run.name} after", step=20)
    assert read("runs=1,2").count("after</p>") == 2
    early = read("runs=1,2&at=0")
    assert early.count("before</p>") == 2
    assert "after</p>" not in early


def test_runs_without_a_shared_prompt_are_told_what_to_do(database: Path) -> None:
    with db.transaction() as session:
        alpha, beta = two(session)
        say(session, alpha, "a", 0, exact_match=1)
        say(session, beta, "b", 1, exact_match=1)
    text = read("runs=1,2")
    assert "They share no scored prompt" in text
    assert text.count("was not asked this") == 2


def test_answers_without_scores_are_still_read_side_by_side(database: Path) -> None:
    with db.transaction() as session:
        for run in two(session):
            say(session, run, f"{run.name} says")
    text = read("runs=1,2")
    assert "These answers have no scores" in text
    assert "alpha says" in text


def test_runs_that_answered_nothing_say_how_to_get_answers(database: Path) -> None:
    with db.transaction() as session:
        two(session)
    assert "Sample prompts" in read("runs=1,2")
    assert read("runs=1") == ""


def test_the_prompts_that_differ_least_are_shown_when_asked_for(database: Path) -> None:
    with db.transaction() as session:
        for place, run in enumerate(two(session)):
            for number in range(61):
                say(session, run, "the same" if number == 7 else f"{run.name} {number}", number, bleu=place)
    text = read("runs=1,2")
    assert text.count("<h3>Prompt</h3>") == 60
    assert "question 7<" not in text
    assert "All 61 prompts" in text
    assert read("runs=1,2&every=1").count("<h3>Prompt</h3>") == 61
