"""The use case whose answers are prose: its files are what its script writes and free of leaks."""

import json
import random
from pathlib import Path

import pytest

from examples.engineering_questions import make
from examples.engineering_questions import words as w
from examples.medication_directions.make import fingerprint
from studio import graders
from studio.datasets import library

FOLDER = Path(make.__file__).parent
SIZES = {"train": 600, "preference": 1200, "prompts": 1200, "test": 200}
EACH = pytest.mark.parametrize("name", SIZES)


def read(name: str) -> list[dict]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def asked(row: dict) -> list[dict]:
    return (row.get("messages") or row["prompt"])[:2]


def question(row: dict) -> str:
    return fingerprint(asked(row)[1]["content"])


def test_the_script_writes_the_shipped_files_byte_for_byte(tmp_path: Path) -> None:
    make.main(tmp_path)

    for name, count in SIZES.items():
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (FOLDER / f"{name}.jsonl").read_bytes()
        assert len(read(name)) == count


def test_no_question_is_in_two_files_or_twice_in_one() -> None:
    every = [question(row) for name in SIZES for row in read(name)]

    assert len(set(every)) == len(every) == sum(SIZES.values())


@EACH
def test_the_studio_takes_them_as_they_are(name: str, studio_folder: Path) -> None:
    _, report = library.prepare(FOLDER / f"{name}.jsonl", f"{name}.jsonl")

    assert report.shape == {"train": "chat", "preference": "preference"}.get(name, "prompt")
    assert not [finding.title for finding in report.findings if finding.severity == "error"]


@EACH
def test_every_row_asks_the_service_one_short_question(name: str) -> None:
    for row in read(name):
        system, user = asked(row)
        assert system == {"role": "system", "content": make.SYSTEM}
        assert user["role"] == "user"
        assert 0 < len(user["content"].split()) <= 40


def test_right_answers_have_the_form_that_the_use_case_measures() -> None:
    about = json.loads((FOLDER / "use_case.json").read_text())
    form = next(each["grader"] for each in about["criteria"] if each["grader"]["grader"] == "regex")
    answers = [row["messages"][2]["content"] for row in read("train")]
    answers += [row["chosen"][0]["content"] for row in read("preference")]
    answers += [row["reference_answer"] for name in ("prompts", "test") for row in read(name)]

    assert {graders.score("regex", answer, **form["parameters"]) for answer in answers} == {1.0}
    assert graders.score("regex", w.VAGUE[0], **form["parameters"]) == 0


def test_a_rejected_answer_is_less_like_the_services_than_the_chosen_one() -> None:
    for row in read("preference"):
        chosen, rejected = row["chosen"][0]["content"], row["rejected"][0]["content"]
        assert graders.score("rouge", rejected, chosen) < graders.score("rouge", chosen, chosen) == 1


def test_the_worse_of_two_faults_decides_in_either_order() -> None:
    rng, order, orders = random.Random(1), list(w.FAULTS), set()
    for _ in range(100):
        parts = make.draw_parts(rng)
        make.two_faults(rng, parts)
        worse, lesser = parts.case.fault, parts.trap.fault
        assert order.index(worse) < order.index(lesser)
        orders.add(parts.fault.startswith(w.FAULTS[worse].now))

    assert orders == {True, False}
    assert make.answer(make.Case("red", "fan", "smoke", "once")) == (
        "Stop the red fan. Change the switch. Look again in a week."
    )


def test_every_machine_has_a_part_for_every_fault() -> None:
    assert all(set(parts) == set(w.FAULTS) for parts in w.PARTS.values())


def test_it_says_that_it_is_synthetic() -> None:
    assert "synthetic" in (FOLDER / "README.md").read_text()
    assert "synthetic" in json.loads((FOLDER / "use_case.json").read_text())["problem"]
