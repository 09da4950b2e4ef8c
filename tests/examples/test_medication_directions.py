"""The sample use case: its files are what its script writes, valid, and free of leaks."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from examples.medication_directions import make
from examples.medication_directions import phrases as p

FOLDER = Path(make.__file__).parent
NAMES = ("train", "preference", "thumbs", "prompts", "test")


def read(name: str) -> list[dict]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def asked(row: dict) -> list[dict]:
    return row.get("messages") or row["prompt"]


def direction(row: dict) -> str:
    return next(message["content"] for message in asked(row) if message["role"] == "user")


def test_the_script_writes_the_shipped_files_byte_for_byte(tmp_path: Path) -> None:
    make.main(tmp_path)

    for name in NAMES:
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (FOLDER / f"{name}.jsonl").read_bytes()


def test_the_files_hold_what_the_use_case_promises() -> None:
    counts = {name: len(read(name)) for name in NAMES}
    slices = [row["slice"] for row in read("test")]

    assert counts == {"train": 500, "preference": 1200, "thumbs": 1200, "prompts": 1200, "test": 600}
    assert slices.count("plain") >= 300
    assert slices.count("hard") >= 100


def test_no_held_out_direction_is_in_a_training_file() -> None:
    held_out = {make.fingerprint(direction(row)) for row in read("test")}
    trained = {make.fingerprint(direction(row)) for name in NAMES[:-1] for row in read(name)}

    assert len(held_out) == 600
    assert not held_out & trained


def test_no_direction_appears_twice() -> None:
    every = [make.fingerprint(direction(row)) for name in NAMES for row in read(name)]

    assert len(every) == len(set(every))


@pytest.mark.parametrize("name", NAMES)
def test_every_row_asks_with_the_same_system_turn_and_one_direction(name: str) -> None:
    for row in read(name):
        system, user = asked(row)[:2]
        assert system == {"role": "system", "content": make.SYSTEM}
        assert user["role"] == "user"
        assert user["content"]


def test_every_right_answer_fits_the_schema_and_the_house_order_of_keys() -> None:
    schema = Draft202012Validator(json.loads((FOLDER / "answer.schema.json").read_text()))
    answers = [row["messages"][2]["content"] for row in read("train")]
    answers += [row["chosen"][0]["content"] for row in read("preference")]
    answers += [row["completion"][0]["content"] for row in read("thumbs") if row["label"]]
    answers += [row["reference_answer"] for name in ("prompts", "test") for row in read(name)]

    for answer in answers:
        meaning = json.loads(answer)
        assert schema.is_valid(meaning), answer
        assert tuple(meaning)[: len(make.KEYS)] == make.KEYS
        assert meaning["route"] in p.FORMS[meaning["form"]].routes


def test_every_rejected_answer_differs_from_the_chosen_one() -> None:
    assert all(row["chosen"][0]["content"] != row["rejected"][0]["content"] for row in read("preference"))


def test_thumbs_are_about_half_up_and_half_down() -> None:
    up = sum(row["label"] for row in read("thumbs"))

    assert 0.4 < up / 1200 < 0.6


def test_the_schema_knows_the_forms_routes_and_times_of_the_phrases() -> None:
    properties = json.loads((FOLDER / "answer.schema.json").read_text())["properties"]

    assert properties["form"]["enum"] == list(p.FORMS)
    assert set(properties["route"]["enum"]) == {route for form in p.FORMS.values() for route in form.routes}
    assert properties["when"]["enum"] == [None, *p.WHEN]
