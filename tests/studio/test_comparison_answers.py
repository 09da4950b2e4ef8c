"""Answers of several runs to the same prompts: whose are shown, in which order, and which run wins."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from studio import db
from studio.comparison import answers
from studio.models import Run, Sample, State
from studio.techniques.base import OVERHEARD
from tests import made_runs


def two(session: Session) -> list[Run]:
    model, data = made_runs.base(session), made_runs.version(session)
    return [made_runs.made(session, model, data, State.SUCCEEDED, name=name) for name in ("alpha", "beta")]


def add(session: Session, run: Run, number: int, score: float | None = None, **more: object) -> None:
    said = {"step": 10, "prompt": f"question {number}", "answer": "yes"} | more
    scores = {} if score is None else {"exact_match": score}
    session.add(Sample(run_id=run.id, number=number, scores=scores, **said))


def scored(session: Session, runs: list[Run], *pairs: tuple[float, float]) -> list[answers.Asked]:
    for number, pair in enumerate(pairs):
        for run, score in zip(runs, pair, strict=True):
            add(session, run, number, score)
    session.flush()
    return answers.asked(session, runs)


def test_the_newest_answer_is_shown_or_the_newest_up_to_a_step(database: Path) -> None:
    with db.transaction() as session:
        runs = two(session)
        for step in (0, 10, 20):
            add(session, runs[0], 0, step=step, answer=f"at {step}")
        add(session, runs[1], 0, step=10, answer="beta's")
        add(session, runs[0], OVERHEARD, prompt="of the trainer")
        session.flush()
        (newest,), (early,) = answers.asked(session, runs), answers.asked(session, runs, at=15)
        assert [each and each.answer for each in newest.answers] == ["at 20", "beta's"]
        assert [each and each.answer for each in early.answers] == ["at 10", "beta's"]
        assert answers.steps(session, runs) == [0, 10, 20]


def test_prompts_that_only_one_was_asked_come_last(database: Path) -> None:
    with db.transaction() as session:
        runs = two(session)
        add(session, runs[1], 0, prompt="beta's alone")
        for run in runs:
            add(session, run, 1, prompt="both")
        session.flush()
        found = answers.asked(session, runs)
    assert [each.prompt for each in found] == ["both", "beta's alone"]
    assert [each.is_shared for each in found] == [True, False]


def test_the_biggest_differences_come_first(database: Path) -> None:
    with db.transaction() as session:
        runs = two(session)
        for number, (score, answer) in enumerate([(1.0, "yes"), (1.0, "quite another"), (0.0, "no")]):
            add(session, runs[0], number, 1.0)
            add(session, runs[1], number, score, answer=answer)
        session.flush()
        order = answers.by_difference(answers.asked(session, runs), "exact_match")
    assert [each.prompt for each in order] == ["question 2", "question 1", "question 0"]


def test_wins_ties_and_losses_are_counted_against_the_baseline(database: Path) -> None:
    with db.transaction() as session:
        runs = two(session)
        found = scored(session, runs, (0, 1), (0, 1), (1, 1), (1, 0))
        (rate,) = answers.win_rates(found, runs, "exact_match")
        (other,) = answers.win_rates(found, runs, "exact_match", baseline=1)
    assert (rate.run.name, rate.wins, rate.ties, rate.losses) == ("beta", 2, 1, 1)
    assert rate.rate is not None
    assert rate.rate.value == pytest.approx(0.625)  # (2 + 1/2) of 4
    assert rate.verdict == "not told apart"
    assert (other.run.name, other.wins, other.losses) == ("alpha", 1, 2)
    assert other.rate is not None
    assert other.rate.low == pytest.approx(1 - rate.rate.high, abs=1e-6)


def test_a_run_that_wins_every_prompt_is_better_once_there_are_enough(database: Path) -> None:
    """All of n won: the test refuses a difference of 0 once n > 1.96², so from four prompts on."""
    with db.transaction() as session:
        runs = two(session)
        found = scored(session, runs, *[(0, 1)] * 4)
        assert answers.win_rates(found, runs, "exact_match")[0].verdict == "better"
        assert answers.win_rates(found, runs, "exact_match", baseline=1)[0].verdict == "worse"
        assert answers.win_rates(found[:3], runs, "exact_match")[0].verdict == "not told apart"


def test_ties_alone_leave_the_interval_wide(database: Path) -> None:
    with db.transaction() as session:
        runs = two(session)
        (rate,) = answers.win_rates(scored(session, runs, (1, 1), (0, 0)), runs, "exact_match")
    assert rate.rate is not None
    assert rate.rate.value == 0.5
    assert rate.rate.high - rate.rate.low > 0.5
    assert rate.needed is None


def test_a_score_that_only_one_has_counts_for_nothing(database: Path) -> None:
    with db.transaction() as session:
        runs = two(session)
        add(session, runs[0], 0, 1.0)
        add(session, runs[1], 0)
        session.flush()
        (rate,) = answers.win_rates(answers.asked(session, runs), runs, "exact_match")
    assert (rate.asked, rate.rate, rate.verdict) == (0, None, "no prompt scored in both")


def test_scorers_are_listed_the_exact_match_first(database: Path) -> None:
    with db.transaction() as session:
        runs = two(session)
        add(session, runs[0], 0, 1.0)
        session.add(
            Sample(
                run_id=runs[1].id,
                step=1,
                number=0,
                prompt="question 0",
                answer="a",
                scores={"bleu": 0.3, "judge": None},
            )
        )
        session.flush()
        assert answers.scorers(answers.asked(session, runs)) == ["exact_match", "bleu"]


def test_of_a_penalty_the_lower_score_wins(database: Path) -> None:
    with db.transaction() as session:
        runs = two(session)
        found = scored(session, runs, (1, 0))
        runs[1].graders = [{"name": "exact_match", "grader": "length", "weight": -0.5, "parameters": {}}]
        assert answers.win_rates(found, runs, "exact_match")[0].wins == 1
