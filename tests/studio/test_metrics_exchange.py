"""Metrics from elsewhere become a run beside others; a run's metrics go elsewhere and mean the same.

The event file in `imported/` was written by torch's SummaryWriter: scalars of both styles, a NaN and a text.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from studio import db, metrics
from studio.errors import StudioError
from studio.metrics import exports, imports, tfevents
from studio.models import Kind, Run, State

SAMPLE = Path(__file__).parent / "imported" / "events.out.tfevents.1700000000.host.1.0"
LOGGED = [
    {"step": 1, "time": 1.7e9, "data": {"loss": 2.5, "rewards/exact match/mean": 0.25}},
    {"step": 2, "time": 1.7e9 + 0.5, "data": {"loss": "NaN"}},
    {"step": 2, "time": 1.7e9 + 0.75, "data": {"eval_loss": 2.25}},
    {"step": 3, "time": 1.7e9 + 1.0, "data": {"loss": "Infinity", "=2+3": 1.0}},
]


@pytest.fixture
def run(database: Path) -> Run:
    with db.transaction() as session:
        run = Run(name="a/b: first", technique="sft", attempt=1, state=State.SUCCEEDED)
        session.add(run)
        session.flush()
        metrics.append(session, run.id, LOGGED)
    return run


def plain(rows: Any) -> list[dict[str, Any]]:
    return [{name: row[name] for name in ("step", "time", "data")} for row in rows]


# ---- from elsewhere -----------------------------------------------------------------------------------


def test_trainers_own_state_is_read_without_what_is_about_the_whole_run(tmp_path: Path) -> None:
    history = [
        {"epoch": 0.5, "loss": 2.0, "learning_rate": 1e-4, "step": 10},
        {"epoch": 1.0, "eval_loss": 1.5, "eval_runtime": 3.0, "step": 20},
        {"epoch": 1.0, "loss": float("nan"), "step": 20},
        {"epoch": 1.0, "train_runtime": 60.0, "train_loss": 1.7, "total_flos": 1e9, "step": 20},
    ]
    file = tmp_path / "trainer_state.json"
    file.write_text(json.dumps({"log_history": history, "global_step": 20}))
    rows = list(imports.read(file))
    assert [(row["step"], row["data"]) for row in rows] == [
        (10, {"loss": 2.0, "learning_rate": 1e-4}),
        (20, {"eval_loss": 1.5}),
        (20, {"loss": "NaN"}),
    ]
    assert {row["time"] for row in rows} == {file.stat().st_mtime}


def test_a_file_of_torchs_summary_writer_is_read_with_what_belongs_together_in_a_row() -> None:
    rows = list(imports.read(SAMPLE))
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert rows[0] == {"step": 0, "time": 1.7e9, "data": {"loss": 1.0, "reward/mean": 0.0}}
    assert rows[3]["data"] == {"loss": "NaN", "tensor": 4.5}


def test_an_event_file_that_is_still_being_written_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    torn = tmp_path / SAMPLE.name
    torn.write_bytes(SAMPLE.read_bytes()[:-150])
    assert len(list(tfevents.read(torn))) < len(list(tfevents.read(SAMPLE)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wandb.jsonl", '{"_step": 5, "_timestamp": 1700000000, "loss": 1.5, "h": {"_type": "histogram"}}\n'),
        (
            "trackio.jsonl",
            '{"step": 5, "timestamp": "2023-11-14T22:13:20+00:00", "metrics": {"loss": 1.5}}\n',
        ),
        ("wandb.csv", "Step,_timestamp,loss,loss__MIN,loss__MAX,note\n5,1700000000,1.5,1,2,fine\n"),
        ("table.csv", "\ufeffstep,time,loss\n5,1700000000000,1.5\n"),
    ],
)
def test_tables_of_wandb_and_trackio_are_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert list(imports.read(tmp_path / name)) == [{"step": 5, "time": 1.7e9, "data": {"loss": 1.5}}]


def test_an_imported_run_is_over_and_says_where_it_comes_from(database: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my run"
    for number, steps in ((50, 1), (100, 2)):
        (folder / f"checkpoint-{number}").mkdir(parents=True)
        history = [{"loss": 3.0 - n, "step": n + 1} for n in range(steps)]
        state = folder / f"checkpoint-{number}" / "trainer_state.json"
        state.write_text(json.dumps({"log_history": history}))
    with db.transaction() as session:
        run = imports.add(session, folder, "from my laptop", who="ada")
    assert (run.kind, run.state, run.step, run.latest) == (Kind.IMPORTED, State.SUCCEEDED, 2, {"loss": 2.0})
    assert run.note == "Imported from trainer_state.json."
    with db.reading() as session:
        answer = metrics.read(session, [session.get_one(Run, run.id)])
        assert answer["series"][str(run.id)]["loss"]["values"] == [3.0, 2.0]
        assert answer["charts"][0]["group"] == "Loss"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.txt", "loss 1", "is no file of metrics"),
        ("x.json", "{}", "no log_history"),
        ("x.json", "{oops", "cannot be read"),
        ("x.csv", "loss\n1\n", "no column named step"),
        ("x.csv", "step,loss\n1,\n", "No metrics were found"),
        ("x.tfevents.1", "no event file at all", "wrong checksum"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_can(
    database: Path, tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(StudioError, match=says), db.transaction() as session:
        imports.add(session, tmp_path / name)
    with db.reading() as session:
        assert session.query(Run).count() == 0


@pytest.mark.parametrize("wrong", ["{oops", "[1, 2]"])
def test_the_line_that_cannot_be_read_is_named(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "x.jsonl").write_text(f'{{"step": 1, "loss": 2}}\n\n{wrong}\n')
    with pytest.raises(StudioError, match="Line 3") as refused:
        list(imports.read(tmp_path / "x.jsonl"))
    assert [each["line"] for each in refused.value.lines] == [3]
    assert "nothing was kept" in refused.value.hint


def test_an_empty_folder_is_refused(database: Path, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="no metrics in the folder"), db.transaction() as session:
        imports.add(session, tmp_path)


# ---- and back -----------------------------------------------------------------------------------------


def written(run: Run, way: str, folder: Path) -> Path:
    folder.mkdir()
    with db.reading() as session:
        exports.WAYS[way](session, session.get_one(Run, run.id), folder)
    return folder


def test_the_table_has_a_line_a_moment_and_a_column_a_metric(run: Run, tmp_path: Path) -> None:
    (file,) = written(run, "csv", tmp_path / "out").iterdir()
    rows = list(csv.reader(file.read_text().splitlines()))
    assert rows[0] == ["step", "time", "'=2+3", "eval_loss", "loss", "rewards/exact match/mean"]
    assert rows[1] == ["1", "1700000000.0", "", "", "2.5", "0.25"]
    assert rows[2] == ["2", "1700000000.5", "", "", "NaN", ""]
    assert len(rows) == 5


@pytest.mark.parametrize("rows", [3, 700])
def test_what_is_written_for_tensorboard_is_read_back_the_same(
    database: Path, tmp_path: Path, rows: int
) -> None:
    logged = [{"step": n, "time": 1.7e9 + n, "data": {"loss": n / 4, "x": -1.0}} for n in range(rows)]
    with db.transaction() as session:
        run = Run(name="../x", technique="sft", attempt=1)
        session.add(run)
        session.flush()
        metrics.append(session, run.id, logged)
    folder = written(run, "tensorboard", tmp_path / "out")
    (place,) = folder.iterdir()
    assert plain(imports.read(imports.find(place))) == logged


def test_checksums_are_those_of_the_format() -> None:
    """The check value of CRC-32C for "123456789" is E3069283; here it is rotated and shifted."""
    rotated = (0xE3069283 >> 15 | 0xE3069283 << 17) & 2**32 - 1
    wanted = (rotated + 0xA282EAD8) & 2**32 - 1
    assert tfevents._checksum(b"123456789") == wanted.to_bytes(4, "little")


def test_mlflows_folder_has_a_file_a_metric_with_time_value_and_step(run: Run, tmp_path: Path) -> None:
    folder = written(run, "mlflow", tmp_path / "out")
    place = folder / "1" / f"{run.id:032x}"
    assert (place / "metrics" / "loss").read_text() == (
        "1700000000000 2.5 1\n1700000000500 nan 2\n1700000001000 inf 3\n"
    )
    assert (place / "metrics" / "rewards" / "exact match" / "mean").read_text() == "1700000000000 0.25 1\n"
    assert 'run_name: "a/b: first"' in (place / "meta.yaml").read_text()
    assert (place / "tags" / "mlflow.runName").read_text() == "a/b: first"


def test_names_that_mlflow_would_not_take_are_written_as_it_takes_them(run: Run, tmp_path: Path) -> None:
    with db.transaction() as session:
        known = session.get_one(Run, run.id)
        known.graders = [{"name": "exact: größe", "grader": "exact_match"}]
        metrics.append(session, run.id, [{"step": 4, "time": 1.7e9, "data": {"rewards/exact: größe": 1.0}}])
        run = known
    place = written(run, "mlflow", tmp_path / "out") / "1" / f"{run.id:032x}"
    names = {str(file.relative_to(place)) for file in place.rglob("*") if file.is_file()}
    assert {"params/grader.exact_ gr__e", "metrics/rewards/exact_ gr__e"} <= names
    assert all(re.fullmatch(r"[\w\-. :/]+", name, re.ASCII) for name in names)
