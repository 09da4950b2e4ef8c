"""Every file under tests/samples is a test: drop one in, say in its folder's expected.json what it is.

An entry names `format`, `shape`, `rows`, `bad_lines` and `findings` (in any order), or an `error` (a
regular expression); `options` are passed on to `inspect`.
"""

import json
import re
from pathlib import Path

import pytest

from studio.datasets import canonical, formats, inspection, shapes
from studio.errors import StudioError

SAMPLES = Path(__file__).parents[2] / "samples"
FILES = sorted(path for path in SAMPLES.glob("*/*") if path.name != "expected.json")


def expected(path: Path) -> dict:
    return json.loads((path.parent / "expected.json").read_text())[path.name]


GOOD = [path for path in FILES if "error" not in expected(path)]


def label(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", FILES, ids=label)
def test_a_sample_is_understood_as_expected(path: Path, tmp_path: Path):
    wanted = expected(path)
    target = tmp_path / "rows.jsonl"
    if "error" in wanted:
        with pytest.raises(StudioError, match=wanted["error"]) as caught:
            inspection.inspect(path, write_to=target)
        assert caught.value.hint
        assert not list(tmp_path.iterdir())
        return
    report = inspection.inspect(path, write_to=target, **wanted.get("options", {}))
    assert {
        "format": report.format,
        "shape": report.shape,
        "rows": report.rows,
        "bad_lines": [bad.line for bad in report.bad_rows],
        "findings": sorted({finding.name for finding in report.findings} - {"near_duplicates"}),
    } == {
        "format": wanted["format"],
        "shape": wanted["shape"],
        "rows": wanted["rows"],
        "bad_lines": wanted["bad_lines"],
        "findings": sorted(wanted["findings"]),
    }
    assert report.bad_row_count == len(wanted["bad_lines"])
    assert all(bad.reason for bad in report.bad_rows)
    assert canonical.count(target) == report.rows


@pytest.mark.parametrize("path", GOOD, ids=label)
def test_canonical_rows_have_their_shape_and_are_understood_again_as_they_are(path: Path, tmp_path: Path):
    target = tmp_path / "rows.jsonl"
    report = inspection.inspect(path, write_to=target, **expected(path).get("options", {}))
    shape = shapes.get(report.shape)
    for row in canonical.each(target):
        assert set(shape.required) <= row.keys()
        if report.shape != "prompt":  # prompts keep every column for their graders
            assert row.keys() <= {*shape.required, *shape.optional, "meta"}
    again = inspection.inspect(target)
    assert (again.shape, again.sha256) == (report.shape, report.sha256)


@pytest.mark.parametrize("path", GOOD, ids=label)
def test_writing_later_gives_the_same_rows_as_writing_while_inspecting(path: Path, tmp_path: Path):
    report = inspection.inspect(path, **expected(path).get("options", {}))
    written = inspection.normalise_to(path, tmp_path / "rows.jsonl", report)
    assert (written.rows, written.sha256) == (report.rows, report.sha256)


def test_every_format_has_a_sample():
    assert {path.parent.name for path in GOOD} >= {form.name for form in formats.FORMATS.all()}


def test_every_sample_is_listed_and_every_listed_sample_is_there():
    for folder in SAMPLES.iterdir():
        listed = set(json.loads((folder / "expected.json").read_text()))
        assert listed == {path.name for path in folder.iterdir()} - {"expected.json"}


def test_no_reason_or_title_shows_python_or_library_names():
    for path in GOOD:
        report = inspection.inspect(path, **expected(path).get("options", {}))
        said = [bad.reason for bad in report.bad_rows] + [finding.title for finding in report.findings]
        assert not [text for text in said if re.search(r"Error|Traceback|<class|NoneType|orjson", text)]
