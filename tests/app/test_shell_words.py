"""Numbers and times as a person reads them; Markdown that cannot harm."""

from datetime import UTC, datetime

import pytest

from app.parts import words
from app.parts.markdown import markdown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.45119, "0.4512"),
        (12345.6, "12,346"),
        (2e-5, "2e-5"),
        (-1.5, "−1.500"),
        (3.0, "3"),
        (0, "0"),
        (6000, "6,000"),
        (None, "–"),
        (float("nan"), "not a number"),
    ],
)
def test_a_metric_has_four_significant_digits(value: float | None, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.2, "4.2 s"), (61, "1 min"), (4800, "1 h 20 min"), (273600, "3 d 4 h"), (None, "–")],
)
def test_a_duration_has_the_two_units_that_matter(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


def test_sizes_shares_and_counts_carry_their_units() -> None:
    assert words.size(1_234_567) == "1.23 MB"
    assert words.percent(0.853) == "85.3 %"
    assert words.count(1, "row") == "1 row"
    assert words.count(1234, "row") == "1,234 rows"
    assert words.short(4_200_000) == "4.2M"
    assert words.left(754) == "13 min left"
    assert words.left(None) == ""


def test_a_time_is_told_in_utc_until_the_browser_puts_it_in_the_viewers_zone() -> None:
    told = words.ago(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert told == '<time datetime="2026-01-02T03:04:05+00:00" data-time="ago">2026-01-02 03:04 UTC</time>'


def test_markdown_keeps_text_and_drops_what_could_run_or_call_out() -> None:
    text = "**bold** <script>alert(1)</script> ![x](https://example.org/x.png) [go](javascript:alert(1))"
    made = markdown(text)
    assert "<strong>bold</strong>" in made
    assert "<script" not in made
    assert "<img" not in made
    assert 'href="javascript' not in made
