"""How often two people agree: counted over the rows both judged, with what chance would give taken away."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from studio import agreement, db
from studio.agreement import Agreement
from studio.datasets import library


def between(folder: Path, *files: list[dict[str, Any]]) -> Agreement | None:
    versions = []
    for number, rows in enumerate(files):
        path = folder / f"{number}.jsonl"
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        made, report = library.prepare(path, path.name)
        with db.transaction() as session:
            versions.append(library.add(session, made, report, name=path.stem).id)
    with db.reading() as session:
        return agreement.between([library.get_version(session, number) for number in versions])


def classed(who: str, labels: str) -> list[dict[str, Any]]:
    return [{"text": f"text {n}", "label": label, "labelled_by": who} for n, label in enumerate(labels)]


def test_two_files_are_compared_row_by_row(tmp_path: Path, database: Path) -> None:
    found = between(tmp_path, classed("Ana", "aabbaabbab"), classed("Ben", "aabbaabbba"))
    assert found is not None
    assert (found.first, found.second, found.rows) == ("Ana", "Ben", 10)
    assert found.alike.value == 0.8
    assert found.kappa == pytest.approx(0.6)  # by chance they would agree on half


def test_the_order_of_two_answers_is_no_difference(tmp_path: Path, database: Path) -> None:
    pair = {"prompt": "p", "chosen": "one", "rejected": "two"}
    turned = pair | {"chosen": "two", "rejected": "one"}
    found = between(tmp_path, [pair | {"labelled_by": "Ana"}], [turned | {"labelled_by": "Ben"}])
    assert found is not None
    assert (found.rows, found.alike.value) == (1, 0.0)


def test_case_and_white_space_are_no_difference(tmp_path: Path, database: Path) -> None:
    one = [{"prompt": "p", "completion": "Yes  please", "labelled_by": "Ana"}]
    other = [{"prompt": "p", "completion": "yes please", "labelled_by": "Ben"}]
    found = between(tmp_path, one, other)
    assert found is not None
    assert found.alike.value == 1.0


def test_nothing_in_common_is_no_agreement(tmp_path: Path, database: Path) -> None:
    assert (
        between(tmp_path, classed("Ana", "ab"), [{"text": "other", "label": "a", "labelled_by": "Ben"}])
        is None
    )
    assert between(tmp_path, [{"text": "text 0", "label": "a"}]) is None


def test_verdicts_that_are_all_one_have_no_kappa(tmp_path: Path, database: Path) -> None:
    found = between(tmp_path, classed("Ana", "aaa"), classed("Ben", "aaa"))
    assert found is not None
    assert found.kappa is None
