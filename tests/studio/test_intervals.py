"""Intervals against published figures, and how often they hold the truth."""

import numpy as np
import pytest

from studio.evaluations import intervals


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for right, asked, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = intervals.mean([1.0] * right + [0.0] * (asked - right))
        assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


def test_tangos_interval_is_the_published_one() -> None:
    """Newcombe's table for paired shares, 36/12/2/0 of 50: 0.0611 to 0.3447 by the score method."""
    before = [0.0] * 12 + [1.0] * 2 + [1.0] * 36
    after = [1.0] * 12 + [0.0] * 2 + [1.0] * 36
    found = intervals.difference(before, after)
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0611, 0.3447), abs=6e-5)


def test_equal_answers_do_not_prove_equal_models() -> None:
    found = intervals.difference([1.0] * 30, [1.0] * 30)
    assert found.value == 0
    assert found.low < -0.05
    assert found.high > 0.05


def test_scores_that_are_no_yes_or_no_are_resampled_the_same_way_every_time() -> None:
    scores = [0.1, 0.4, 0.5, 0.9] * 10
    assert intervals.mean(scores) == intervals.mean(scores)
    found = intervals.difference(scores, [score + 0.05 for score in scores])
    assert found.value == pytest.approx(0.05)
    assert found.excludes_zero


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_intervals_hold_the_truth_about_as_often_as_they_say(share: float) -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(600):
        found = intervals.mean((rng.random(80) < share).astype(float))
        held += found.low <= share <= found.high
    assert 0.92 < held / 600 < 0.985


def test_needed_questions_grow_as_the_difference_shrinks() -> None:
    before = [0.0] * 50 + [1.0] * 50
    little = intervals.needed(before, [0.0] * 49 + [1.0] * 51)
    more = intervals.needed(before, [0.0] * 40 + [1.0] * 60)
    assert little is not None
    assert more is not None
    assert little > more > 10
    assert intervals.needed(before, before) is None


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        intervals.mean([])
    with pytest.raises(ValueError, match="two scores"):
        intervals.difference([1.0], [1.0, 0.0])


def test_as_many_questions_as_are_said_to_be_needed_put_the_lower_end_at_the_target() -> None:
    seen = [1.0] * 90 + [0.0] * 10
    needed = intervals.needed_to_reach(seen, 0.85)
    assert needed is not None
    right = round(0.9 * needed)
    assert intervals.mean([1.0] * right + [0.0] * (needed - right)).low == pytest.approx(0.85, abs=0.003)
    assert intervals.needed_to_reach(seen, 0.9) is None
    graded = [0.5, 0.9] * 50
    assert intervals.needed_to_reach(graded, 0.65) == 62
