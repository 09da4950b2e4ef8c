"""Files to fill in: filled in, they are read as they should be without a word from anybody; examples, rows
nobody filled in and held-out rows never get in."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from studio import db, sample, sheets
from studio.datasets import inspection, library, template
from studio.datasets.inspection import Report
from studio.errors import StudioError
from studio.guide import plans
from studio.models import Dataset, Project
from studio.sheets import Material

SHEETS = plans.load().sheets
READ = [name for name, sheet in SHEETS.items() if sheet.shape]
PACKED: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {"csv": sheets.as_csv, "jsonl": sheets.as_jsonl}
ANSWERS = {"label": "good", "score": "4"}


def unpacked(body: bytes, ending: str) -> list[dict[str, Any]]:
    if ending == "csv":
        return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
    return [orjson.loads(line) for line in body.splitlines()]


def fill(rows: list[dict[str, Any]], count: int = 20) -> list[dict[str, Any]]:
    """What a person does: the blank row's columns written into, `count` times."""
    blank = rows[-1]
    return [
        {
            name: "" if name == template.NOTE else ANSWERS.get(name) or f"{name} of row {number} ünd so"
            for name in blank
        }
        for number in range(count)
    ]


def report(folder: Path, body: bytes, ending: str) -> Report:
    path = folder / f"filled.{ending}"
    path.write_bytes(body)
    return inspection.inspect(path, name=path.name)


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("name", READ)
def test_a_filled_in_file_is_read_as_its_shape_with_no_mapping(
    tmp_path: Path, name: str, ending: str
) -> None:
    rows = unpacked(PACKED[ending](sheets.rows(name, Material())), ending)
    examples = [row for row in rows if row[template.NOTE]]
    found = report(tmp_path, PACKED[ending](rows + fill(rows)), ending)
    assert found.shape == SHEETS[name].shape
    assert found.rows == 20
    assert found.bad_row_count == len(examples) + 1  # and the blank row
    assert "is an example" in found.bad_rows[0].reason
    assert "not filled in" in found.bad_rows[-1].reason
    assert template.NOTE not in found.columns


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("name", READ)
def test_a_file_nobody_filled_in_is_refused(tmp_path: Path, name: str, ending: str) -> None:
    with pytest.raises(StudioError, match="example"):
        report(tmp_path, PACKED[ending](sheets.rows(name, Material())), ending)


def test_a_row_half_filled_in_is_left_out_by_name(tmp_path: Path) -> None:
    rows = unpacked(sheets.as_csv(sheets.rows("pairs", Material())), "csv")
    done = fill(rows, 3)
    done[1]["chosen"] = " "
    found = report(tmp_path, sheets.as_csv(done), "csv")
    assert found.rows == 2
    assert found.bad_rows[0].reason == "is not filled in: “chosen” is empty"


def test_cells_that_may_stay_empty_leave_nothing_behind(tmp_path: Path) -> None:
    done = [row | {"labelled_by": "", "why": ""} for row in fill(sheets.rows("thumbs", Material()))]
    path = tmp_path / "thumbs.csv"
    path.write_bytes(sheets.as_csv(done))
    found = inspection.inspect(path, name=path.name, write_to=tmp_path / "rows.jsonl")
    assert found.shape == "labelled"
    assert set(inspection.rows(tmp_path / "rows.jsonl")[0]) == {"prompt", "completion", "label"}


def test_any_other_file_keeps_its_empty_cells(tmp_path: Path) -> None:
    body = b"prompt,completion,label\nwhy,,good\nhow,so,bad\n"
    assert report(tmp_path, body, "csv").rows == 2


def test_a_fields_of_an_extraction_are_laid_out_and_count_when_one_is_filled_in(tmp_path: Path) -> None:
    found = Material(fields=("dose", "when"))
    blank = sheets.rows("labels", found, extraction=True)[-1]
    assert blank["output"] == {"dose": None, "when": None}
    rows = [blank | {"input": "one a day", "output": {"dose": 1, "when": None}}, blank | {"input": "two"}]
    read = report(tmp_path, sheets.as_jsonl(rows), "jsonl")
    assert (read.rows, read.bad_row_count) == (1, 1)
    assert read.preview[0]["completion"] == '{"dose":1,"when":null}'


def test_a_cell_is_no_formula_in_a_spreadsheet_and_comes_back_as_it_was(tmp_path: Path) -> None:
    dangerous = '=HYPERLINK("http://elsewhere")'
    row = fill(sheets.rows("labels", Material()), 1)[0] | {"input": dangerous, "output": "-5"}
    body = sheets.as_csv([row])
    assert unpacked(body, "csv")[0]["input"] == f"'{dangerous}"
    preview = report(tmp_path, body, "csv").preview[0]
    assert (preview["prompt"], preview["completion"]) == (dangerous, "-5")


# ---- made for a use case ---------------------------------------------------------------------------------


@pytest.fixture
def use_case(database: Path) -> int:
    return sample.load()


def made(project: int) -> Material:
    with db.reading() as session:
        return sheets.material(session, session.get_one(Project, project))


def test_the_sample_gives_examples_fields_and_what_its_model_is_told(use_case: int) -> None:
    found = made(use_case)
    assert len(found.examples["labels"]) == sheets.EXAMPLES
    assert found.fields[:2] == ("dose", "form")
    assert found.system == "Turn the medication direction into JSON."
    assert "system" in sheets.columns("labels", found)
    rows = sheets.rows("pairs", found, fill=30)
    assert len(rows) == sheets.EXAMPLES + 30
    assert rows[-1]["prompt"]
    assert rows[-1]["system"] == found.system


def test_a_filled_in_file_of_the_sample_has_its_system_text(tmp_path: Path, use_case: int) -> None:
    rows = unpacked(sheets.as_csv(sheets.rows("pairs", made(use_case), fill=10)), "csv")
    for number, row in enumerate(rows[sheets.EXAMPLES :]):
        row |= {"chosen": f"yes {number}", "rejected": "no"}
    found = report(tmp_path, sheets.as_csv(rows), "csv")
    assert (found.shape, found.rows) == ("preference", 10)
    assert found.preview[0]["prompt"][0] == {
        "role": "system",
        "content": "Turn the medication direction into JSON.",
    }


def test_nothing_held_out_is_in_any_file_not_even_a_copy_of_it(tmp_path: Path, use_case: int) -> None:
    with db.reading() as session:
        held_out = library.find_version(session, "Medication directions: held out")
        row = library.rows_of(held_out, 0, 1)[0]
    copied = {"prompt": row["prompt"][-1]["content"].upper(), "completion": "a copy"}
    fresh = {"prompt": "a direction nobody has seen", "completion": "kept"}
    path = tmp_path / "copy.jsonl"
    path.write_bytes(orjson.dumps(copied) + b"\n" + orjson.dumps(fresh) + b"\n")
    folder, read = library.prepare(path, path.name)
    with db.transaction() as session:
        library.add(session, folder, read, name="A copy", project_id=use_case)
    found = made(use_case)
    said = [row["input"] for row in found.examples["labels"]] + list(found.prompts)
    assert fresh["prompt"] in said
    assert copied["prompt"] not in said


def test_where_rows_were_held_out_the_whole_they_were_cut_from_stays_closed(
    tmp_path: Path, database: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": f"question {number}", "completion": f"answer {number}"} for number in range(40)]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    folder, read = library.prepare(path, path.name)
    with db.transaction() as session:
        project = Project(name="Parcels")
        session.add(project)
        session.flush()
        whole = library.add(session, folder, read, name="Rows", project_id=project.id)
        number, whole_id = project.id, whole.id
    with db.reading() as session:
        parts = library.prepare_split(library.get_version(session, whole_id), 0.9, 1)
    with db.transaction() as session:
        _, held_out = library.add_split(session, whole_id, parts)
        hidden = {row["prompt"] for row in library.rows_of(held_out, 0, 40)}
    shown = {row["input"] for row in made(number).examples["labels"]}
    assert shown
    assert not shown & hidden


def test_other_use_cases_lend_nothing(use_case: int) -> None:
    with db.transaction() as session:
        other = Project(name="Another")
        session.add(other)
        session.flush()
        number = other.id
        assert {each.project_id for each in session.query(Dataset)} == {use_case}
    assert not any(made(number).examples.values())


def test_the_words_that_go_with_a_file_name_its_columns_and_classes(database: Path) -> None:
    text = sheets.as_markdown("classes", Material(classes=("delivery", "payment")), [])
    assert "`label`" in text
    assert "- delivery" in text
