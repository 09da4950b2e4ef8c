"""The samples for classifiers and embedding models: what their scripts write, free of leaks, and readable."""

import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from examples.content_quality import make as quality
from examples.direction_search import make as search
from examples.medication_directions.make import fingerprint
from studio.datasets import library

EACH = pytest.mark.parametrize("made", [quality, search], ids=["content_quality", "direction_search"])


def read(made: ModuleType, name: str) -> list[dict]:
    path = Path(str(made.__file__)).parent / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@EACH
def test_the_script_writes_the_shipped_files_byte_for_byte(made: ModuleType, tmp_path: Path) -> None:
    made.main(tmp_path)

    for name, count in made.SIZES.items():
        shipped = Path(str(made.__file__)).parent / f"{name}.jsonl"
        assert (tmp_path / f"{name}.jsonl").read_bytes() == shipped.read_bytes()
        assert len(read(made, name)) == count
    assert made.SIZES == {"train": 600, "test": 200}


@EACH
def test_no_text_is_in_both_files_or_twice_in_one(made: ModuleType) -> None:
    key = "text" if made is quality else "query"
    texts = [fingerprint(row[key]) for name in made.SIZES for row in read(made, name)]

    assert len(set(texts)) == len(texts) == 800


@EACH
@pytest.mark.parametrize("name", ["train", "test"])
def test_the_studio_takes_them_as_they_are(made: ModuleType, name: str, studio_folder: Path) -> None:
    path = Path(str(made.__file__)).parent / f"{name}.jsonl"
    _, report = library.prepare(path, path.name)

    assert report.shape == {quality: "classification", search: "retrieval"}[made]
    assert not [finding.title for finding in report.findings if finding.severity == "error"]


@pytest.mark.parametrize("name", ["train", "test"])
def test_the_labels_of_notes_have_the_shares_the_readme_names(name: str) -> None:
    counts = Counter(row["label"] for row in read(quality, name))

    total = counts.total()
    assert {label: count / total for label, count in counts.items()} == pytest.approx(quality.SHARES)


def test_every_direction_has_its_own_record_and_near_misses_that_are_not_it() -> None:
    rows = read(search, "train") + read(search, "test")

    assert len({row["positive"] for row in rows}) == len(rows)
    for row in rows:
        assert len(set(row["negatives"])) == len(row["negatives"]) == search.NEAR_MISSES
        assert row["positive"] not in row["negatives"]
    hard = [row["slice"] for row in read(search, "test")].count("hard")
    assert hard == search.HARD_SHARE * search.SIZES["test"]


def test_a_hard_direction_has_the_record_of_who_misses_its_twist_among_its_near_misses() -> None:
    row = next(row for row in read(search, "test") if row["query"].startswith("Give 1 tablet every 8 hours"))

    assert row["positive"].startswith("1 tablet, oral, 3 a day")
    assert row["negatives"][0].startswith("1 tablet, oral, 4 a day")
