"""Checks, statistics, paging and splitting over rows of files."""

import json
from pathlib import Path

import pytest

from studio.datasets import canonical, inspection, shapes, split
from studio.datasets.checks import CHECKS, Finding
from studio.datasets.checks.near_duplicates import sign
from studio.datasets.checks.personal_data import find_numbers, may_hold_numbers
from studio.datasets.statistics import Histogram
from studio.errors import StudioError


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def findings(tmp_path: Path, rows: list[dict]) -> dict[str, Finding]:
    report = inspection.inspect(write(tmp_path / "rows.jsonl", rows))
    return {finding.name: finding for finding in report.findings}


def pair(prompt: str, completion: str = "Fine.") -> dict:
    return {"prompt": prompt, "completion": completion}


def test_every_check_has_a_sample_or_a_test_that_triggers_it():
    triggered = {"near_duplicates"}
    for path in (Path(__file__).parents[2] / "samples").glob("*/expected.json"):
        triggered |= {name for entry in json.loads(path.read_text()).values() for name in entry["findings"]}
    assert triggered == {check.name for check in CHECKS.all()}


def test_a_finding_counts_all_rows_and_shows_three(tmp_path: Path):
    found = findings(tmp_path, [pair("Same")] * 10)["duplicates"]
    assert (found.count, found.lines) == (9, [2, 3, 4])
    assert found.examples[0].text == "says the same as line 1"
    assert found.next_step


def test_answers_that_differ_only_in_label_are_no_duplicates(tmp_path: Path):
    rows = [pair("Hi") | {"label": True}, pair("Hi") | {"label": False}]
    assert "duplicates" not in findings(tmp_path, rows)


def test_numbers_with_other_spacing_are_no_duplicates(tmp_path: Path):
    assert "duplicates" not in findings(tmp_path, [pair("sort 12 3"), pair("sort 1 23")])


def test_almost_equal_rows_are_found(tmp_path: Path):
    numbers = range(20)
    story = " ".join(f"Sentence {n} tells of the {n * 37 % 101} boats in the harbour." for n in numbers)
    other = " ".join(f"Line {n} counts {n * 53 % 97} birds over the lake at dawn." for n in numbers)
    rows = [pair(story), pair(other), pair(story.replace("Sentence 7 tells", "Sentence 7 spoke"))]
    found = findings(tmp_path, rows)["near_duplicates"]
    assert (found.count, found.lines) == (1, [3])
    assert found.examples[0].text == "is almost the same as line 1"


def test_signatures_are_the_same_in_every_process():
    assert sign(b"the quick brown fox jumps over the lazy dog" * 2)[:8].hex() == "3a1e5e0195390b03"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("call +49 170 1234567 now", "phone number"),
        ("call (555) 123-4567 now", "phone number"),
        ("appelez le 06 12 34 56 78", "phone number"),
        ("card 4111-1111-1111-1111", "card number"),
        ("card 4111-1111-1111-1112", ""),
        ("IBAN DE89 3704 0044 0532 0130 00", "bank account"),
        ("IBAN DE88 3704 0044 0532 0130 00", ""),
        ("SSN 078-05-1120", "national id"),
        ("NINO AB 12 34 56 C", "national id"),
        ("DNI 12345678Z", "national id"),
        ("DNI 12345678A", ""),
        ("on 2024-05-17 at 10:30:00, 250 mg twice, 1,000,000 times", ""),
        ("pi is 3.14159265358979", ""),
    ],
)
def test_numbers_of_persons_are_told_from_other_numbers(text: str, kind: str):
    seen = find_numbers(text) if may_hold_numbers(text.lower().encode()) else []
    assert [name for name, _ in seen] == ([kind] if kind else [])


def test_examples_of_personal_data_are_masked(tmp_path: Path):
    found = findings(tmp_path, [pair("Mail jane.doe@example.org")])["personal_data"]
    assert found.examples[0].text == "email address: jan…rg"


def test_percentiles_are_exact():
    histogram = Histogram()
    for value in range(1, 101):
        histogram.add(value)
    assert histogram.spread().model_dump() == {"min": 1, "median": 50, "p95": 95, "max": 100, "total": 5050}


def test_statistics_of_a_chat_are_by_role(tmp_path: Path):
    rows = [
        {"messages": [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "three"}]},
        {"messages": [{"role": "user", "content": "four"}, {"role": "assistant", "content": "five"}]},
    ]
    report = inspection.inspect(write(tmp_path / "rows.jsonl", rows))
    statistics = report.statistics
    assert statistics.rows == 2
    assert statistics.roles == {"user": 2, "assistant": 2}
    assert statistics.turns
    assert statistics.turns.max == 2
    assert statistics.fields["user"].words.total == 3
    assert statistics.fields["user"].characters.max == 7
    assert statistics.fields["row"].words.max == 3


def test_labels_are_counted(tmp_path: Path):
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": "x"}, {"text": "c", "label": "y"}]
    assert inspection.inspect(write(tmp_path / "rows.jsonl", rows)).statistics.labels == {"x": 2, "y": 1}


def test_a_limit_stops_early_and_says_so(tmp_path: Path):
    report = inspection.inspect(write(tmp_path / "rows.jsonl", [pair(str(n)) for n in range(500)]), limit=10)
    assert (report.rows, report.complete) == (10, False)


def test_a_report_stays_small_whatever_the_rows_hold(tmp_path: Path):
    rows = [pair("x" * 500_000) | {"y" * 500_000: 1}] * 4 + [{"messages": [{"role": "z" * 500_000}]}]
    report = inspection.inspect(write(tmp_path / "rows.jsonl", rows))
    assert len(report.model_dump_json()) < 50_000


@pytest.mark.parametrize("depth", [200, 400, 1000])
def test_a_deeply_nested_row_is_shown_or_refused_but_never_too_much(depth: int, tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"prompt": "a", "completion": "b"}\n{"prompt": "c", "completion": "d", "x": %s}\n'
        % ("[" * depth + "]" * depth)
    )
    report = inspection.inspect(path)
    assert (report.rows, report.bad_row_count) == ((2, 0) if depth < 250 else (1, 1))
    json.loads(report.model_dump_json())
    assert inspection.peek(path).first


def test_good_rows_after_many_bad_ones_are_found(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text("# a comment\n" * 1000 + '{"prompt": "a", "completion": "b"}\n')
    assert inspection.inspect(path).rows == 1


def test_bad_rows_are_all_counted_and_the_first_thousand_listed(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "completion": "b"}\n' + "broken\n" * 1500)
    report = inspection.inspect(path)
    assert (report.rows, report.bad_row_count, len(report.bad_rows)) == (1, 1500, 1000)


def test_rows_are_paged_by_the_index(tmp_path: Path):
    target = tmp_path / "rows.jsonl"
    inspection.inspect(write(tmp_path / "in.jsonl", [pair(f"ä{n}") for n in range(100)]), write_to=target)
    assert [row["prompt"] for row in canonical.rows(target, start=40, count=3)] == ["ä40", "ä41", "ä42"]
    assert [row["prompt"] for row in canonical.rows(target, start=99, count=3)] == ["ä99"]
    assert canonical.rows(target, start=100) == []
    assert canonical.count(target) == 100


def test_extra_columns_are_kept(tmp_path: Path):
    report = inspection.inspect(write(tmp_path / "rows.jsonl", [pair("Hi") | {"slice": "easy", "id": 1}]))
    assert report.preview[0]["meta"] == {"slice": "easy", "id": 1}
    assert shapes.extra(report.preview[0], "slice") == "easy"
    assert shapes.extra({"prompt": [], "slice": "hard"}, "slice") == "hard"


def canonical_file(tmp_path: Path, rows: list[dict]) -> Path:
    target = tmp_path / "rows.jsonl"
    inspection.inspect(write(tmp_path / "in.jsonl", rows), write_to=target)
    return target


def test_a_split_has_its_share_loses_nothing_and_is_the_same_again(tmp_path: Path):
    source = canonical_file(tmp_path, [pair(f"Question {n}") for n in range(1000)])
    train, held_out = tmp_path / "train.jsonl", tmp_path / "held.jsonl"
    first = split.split(source, train, held_out, share=0.1, seed=3)
    assert (first.train.rows, first.held_out.rows) == (900, 100)
    parts = [*train.read_text().splitlines(), *held_out.read_text().splitlines()]
    assert sorted(parts) == sorted(source.read_text().splitlines())
    assert canonical.count(held_out) == 100
    assert split.split(source, train, held_out, share=0.1, seed=3) == first
    assert split.split(source, train, held_out, share=0.1, seed=4).held_out != first.held_out


def test_rows_with_the_same_input_never_straddle_a_split(tmp_path: Path):
    rows = [pair(f"question {n % 50}" if n % 2 else f"Question  {n % 50}", f"Answer {n}") for n in range(500)]
    source = canonical_file(tmp_path, rows)
    train, held_out = tmp_path / "train.jsonl", tmp_path / "held.jsonl"
    split.split(source, train, held_out, share=0.2)
    assert split.overlap(train, held_out).count == 0
    assert split.overlap(source, held_out).count == canonical.count(held_out)


def test_one_input_alone_cannot_be_split(tmp_path: Path):
    source = canonical_file(tmp_path, [pair("Same", str(n)) for n in range(5)])
    with pytest.raises(StudioError, match="same input"):
        split.split(source, tmp_path / "train.jsonl", tmp_path / "held.jsonl")
    assert not (tmp_path / "train.jsonl").exists()
