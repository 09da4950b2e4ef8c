"""Axes: which numbers lie evenly, which by their size, where the ticks are, what values are called."""

import math

import pytest

from studio import scales


def texts(scale: scales.Scale) -> list[str]:
    return [tick.text for tick in scale.ticks]


def test_numbers_close_together_lie_evenly_between_round_ends() -> None:
    scale = scales.fit([0.31, 0.92, 0.5])
    assert (scale.kind, scale.low, scale.high) == ("linear", 0.2, 1.0)
    assert texts(scale) == ["0.2", "0.4", "0.6", "0.8", "1"]
    assert scale.at(0.6) == pytest.approx(0.5)


def test_numbers_ten_times_apart_lie_by_their_size() -> None:
    scale = scales.fit([1e-5, 1e-4, 1e-3])
    assert scale.kind == "log"
    assert scale.at(1e-4) == pytest.approx(0.5)
    assert texts(scale)[0] == "1e-5"
    assert "0.001" in texts(scale)


def test_zero_has_no_place_by_size_so_the_axis_is_even() -> None:
    assert scales.fit([0, 1, 1000], log=True).kind == "linear"
    assert scales.fit([1, 1000], log=False).kind == "linear"


def test_few_numbers_have_their_ticks_and_the_ends_at_them() -> None:
    scale = scales.at_values([8, 32, 16, 8, None])
    assert (scale.low, scale.high, texts(scale)) == (8, 32, ["8", "16", "32"])
    assert [tick.at for tick in scale.ticks] == [0.0, pytest.approx(1 / 3, abs=1e-5), 1.0]
    assert texts(scales.at_values([1, 2, 100])) == ["1", "2", "100"]
    assert texts(scales.at_values([100, 101, 900])) == ["100", "900"]


@pytest.mark.parametrize("value", [3.0, 0.0, -2.0])
def test_one_value_stands_in_the_middle(value: float) -> None:
    assert scales.fit([value, value]).at(value) == pytest.approx(0.5)


def test_words_and_switches_stand_one_by_one() -> None:
    scale = scales.fit(["lora", "full", None, "lora"])
    assert (scale.kind, texts(scale)) == ("words", ["lora", "full"])
    assert [scale.at("lora"), scale.at("full"), scale.at("dora")] == [0.0, 1.0, None]
    assert texts(scales.fit([True, False])) == ["on", "off"]


def test_numbers_among_words_come_in_order_of_size() -> None:
    assert texts(scales.fit(["all", 16, 8])) == ["8", "16", "all"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0001, "0.0001"),
        (2.5e-05, "2.5e-5"),
        (12000, "12,000"),
        (0.61234, "0.6123"),
        (-3.5, "−3.5"),
        (0, "0"),
        (math.nan, "not a number"),
        (None, "–"),
    ],
)
def test_a_value_is_said_in_few_characters(value: float | None, words: str) -> None:
    assert scales.said(value) == words
