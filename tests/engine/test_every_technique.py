"""Every technique with every adapter that fits it: trains, stops, resumes, evaluates, exports and reloads.

Each goes through the studio's own launching, placing, ordering, training and recording, on the starter model.
Only the trainer's process is forked from this one, which has imported the libraries already, so that forty
trainings take minutes. A new technique is tested by being there.
"""

import json
import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from studio import adapters, attempts, db, metrics, runs, sample, script, techniques, weights
from studio.datasets import library
from studio.exits import Exit
from studio.models import Metric, Run, State, Wish
from studio.runs import RunConfig
from studio.techniques import Technique
from tests.running import SAMPLE
from worker import dispatch
from worker.order import DataOrder, ModelOrder

EACH = ("full", "lora", "frozen")  # with every technique; the others, with the first
FITTING = [
    pytest.param(technique, adapter.name, id=f"{technique.name}-{adapter.name}")
    for technique in techniques.all()
    for adapter in adapters.all()
    if technique.fits_adapter(adapter.name) and (adapter.name in EACH or technique.name == "sft")
]
CPU = [{"name": "cpu:0", "kinds": ["train"]}]
STEPS, STOPPED_AT = 4, 2
SHORT: dict[str, Any] = {
    "max_steps": STEPS,
    "save_steps": 1,
    "eval_steps": 2,
    "eval_rows": 8,
    "per_device_train_batch_size": 4,
    "sample_prompts": 1,
    "sample_tokens": 4,
    # where a technique has them
    "max_length": 128,
    "num_generations": 2,
    "max_completion_length": 8,
    "steps_per_generation": 2,
    "threshold": 0.0,
}
ROWS = 48


def _read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / name).read_text(encoding="utf-8").splitlines()[:ROWS]]


def _texts() -> list[dict[str, Any]]:
    return [
        {"text": " ".join(m["content"] for m in row["messages"]), "label": ("short", "long")[at % 2]}
        for at, row in enumerate(_read("train.jsonl"))
    ]


MAKE: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "chat": lambda: _read("train.jsonl"),
    "preference": lambda: _read("preference.jsonl"),
    "labelled": lambda: _read("thumbs.jsonl"),
    "prompt": lambda: _read("prompts.jsonl"),
    "text": lambda: [{"text": row["text"]} for row in _texts()],
    "classification": _texts,
    "retrieval": lambda: [
        {"query": row["messages"][1]["content"], "positive": row["messages"][2]["content"]}
        for row in _read("train.jsonl")
    ],
}


@pytest.fixture
def folder(database: Path) -> Path:
    os.environ["OMP_NUM_THREADS"] = "1"
    with db.transaction() as session:
        sample.add_starter(session)
    return database


def upload(folder: Path, shape: str, name: str, rows: list[dict[str, Any]]) -> int:
    """The id of a dataset version of this shape."""
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    at, report = library.prepare(path, path.name)
    with db.transaction() as session:
        version = library.add(session, at, report, name=name)
        assert version.shape == shape, f"{name}: {version.shape}"
        return version.id


def configure(folder: Path, technique: Technique, adapter: str) -> RunConfig:
    shape = next(shape for shape in technique.shapes if shape in MAKE)
    rows = MAKE[shape]()
    known = technique.parameters.model_fields
    inputs: dict[str, str | int] = {}
    for wanted in technique.inputs:
        if wanted.kind == "model":
            inputs[wanted.name] = sample.STARTER_NAME
        else:
            its = next(each for each in wanted.shapes if each in MAKE)
            inputs[wanted.name] = upload(folder, its, wanted.name, MAKE[its]()[ROWS // 2 :])
    rewards: list[Any] = (
        [{"grader": "exact_match"}, {"grader": "length", "weight": 0.1}] if technique.graded else []
    )
    return RunConfig(
        technique=technique.name,
        adapter=adapter,
        model=sample.STARTER_NAME,
        dataset=upload(folder, shape, "teaches", rows[: ROWS // 2]),
        held_out=upload(folder, shape, "measures", rows[ROWS // 2 :]),
        parameters={name: value for name, value in SHORT.items() if name in known},
        inputs=inputs,
        graders=rewards,
    )


def attempt(run_id: int, *, stop_at: int | None = None) -> State | None:
    """One attempt, from claim to end; with `stop_at` the trainer is asked to stop after that step."""
    with db.transaction() as session:
        given = attempts.claim(session, "here", CPU)
        assert given is not None
        assert given.run_id == run_id
    with db.transaction() as session:
        run = attempts.begin(session, run_id, given.attempt, os.getpid(), 0.0)
        assert run is not None
        order = dispatch.order_for(session, run, given.devices)
        run.spool_attempt, run.spool_offset = run.attempt, 0
    order.write()
    db.engine().dispose()
    code = _fork(order, stop_at)
    words = order.log.read_text()[-4000:]
    assert code == (Exit.DONE if stop_at is None else Exit.INTERRUPTED), words
    entries = [orjson.loads(line) for line in order.spool.read_bytes().splitlines()]
    with db.transaction() as session:
        attempts.absorb(session, run_id, entries, attempt=given.attempt, offset=order.spool.stat().st_size)
        if stop_at is not None:
            runs.get(session, run_id).wish = Wish.PAUSE
    with db.transaction() as session:
        return attempts.end(session, run_id, given.attempt, code, last_words=words)


def _fork(order: Any, stop_at: int | None) -> int:
    """The trainer's exit code. It is a process of its own: real signals, real exits."""
    from worker import train

    child = os.fork()
    if child == 0:
        log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        warnings.resetwarnings()  # this process turns them into errors; a trainer's does not
        os._exit(train.carry_out(order))
    asked = stop_at is None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if not asked and f'"step":{stop_at}'.encode() in _said(order.spool, b'"kind":"metric"'):
            os.kill(child, signal.SIGTERM)
            asked = True
        time.sleep(0.005)


def _said(spool: Path, what: bytes) -> bytes:
    if not spool.exists():
        return b""
    return b"\n".join(line for line in spool.read_bytes().splitlines() if what in line)


@pytest.mark.parametrize(("technique", "adapter"), FITTING)
def test_it_trains_stops_resumes_evaluates_exports_and_reloads(
    folder: Path, technique: Technique, adapter: str
) -> None:
    with db.transaction() as session:
        run_id = runs.launch(session, configure(folder, technique, adapter)).id
    first = attempt(run_id, stop_at=STOPPED_AT)
    with db.transaction() as session:
        run = runs.get(session, run_id)
        assert first == State.PAUSED, run.error
        assert STOPPED_AT <= run.step < STEPS
        runs.resume(session, run_id)
    last = attempt(run_id)
    with db.reading() as session:
        run = runs.get(session, run_id)
        assert last == State.SUCCEEDED, run.error
        assert run.step == STEPS
        _check_metrics(session, run, technique)
        made = script.bundle(session, run)
        compile(made["train.py"], "train.py", "exec")
        _check_model(session, run, technique)


def _check_metrics(session: Any, run: Run, technique: Technique) -> None:
    """Every step is there once, the held-out data was measured, and charts know what they draw."""
    rows = session.query(Metric).where(Metric.run_id == run.id).order_by(Metric.seq).all()
    trained = [row.step for row in rows if any(not key.startswith("eval_") for key in row.data)]
    assert trained == sorted(set(trained)), trained
    assert trained[-1] == STEPS
    logged = {key for row in rows for key in row.data}
    assert technique.best_by[0] in logged
    begun = [row for row in rows if row.step == 0 and technique.best_by[0] in row.data]
    has_start = technique.model != "classifier"  # a head that is not fitted yet says nothing
    assert len(begun) == has_start, "what the model could before is measured once, however often it resumes"
    nameless = [chart["key"] for chart in metrics.describe([run], logged) if chart["group"] == "Other"]
    assert not nameless, "metrics that no chart explains"


def _check_model(session: Any, run: Run, technique: Technique) -> None:
    """The result is read again; what is measured has the figures that the trainer logged last."""
    made = session.query(weights.Model).where(weights.Model.run_id == run.id).one()
    assert made.kind == technique.model
    if technique.model in ("language", "reward"):
        _answers(dispatch.model_order(session, made), technique.model)
        return
    found = {"embedding": _ranked, "classifier": _classified}[technique.model](
        weights.folder_of(made), _measured_on(run, technique)
    )
    logged = {name: run.latest[f"eval_{name}"] for name in found}
    assert found == pytest.approx(logged, rel=1e-3, abs=1e-4)


def _measured_on(run: Run, technique: Technique) -> Any:
    """The held-out rows, as the trainer has them."""
    from worker import data

    version = run.held_out
    assert version is not None
    held_out = DataOrder(path=library.rows_path(version), shape=version.shape, title=version.title)
    return data.load(held_out, technique.reads, most=SHORT["eval_rows"])


def _answers(order: ModelOrder, kind: str) -> None:
    from worker import model as models

    loaded, tokenizer = models.load(order, kind=kind)
    words = tokenizer("take 1 tablet", return_tensors="pt", return_token_type_ids=False)
    assert bool(loaded(**words).logits.isfinite().all())


def _ranked(folder: Path, rows: Any) -> dict[str, float]:
    """What an embedding model finds, read by its own library as anybody would."""
    from sentence_transformers import SentenceTransformer

    from worker.trainers.embedding import Ranking

    return Ranking(rows, 8)(SentenceTransformer(str(folder), device="cpu"))


def _classified(folder: Path, rows: Any) -> dict[str, float]:
    """How well a head on the model that it was trained on says the class of each row."""
    import torch

    from worker.trainers import head_export, heads

    head, about = head_export.load_head(folder)
    reader = head_export.load_reader(about, about.base["source"])
    head_export.check(head, reader)
    classes = torch.tensor([about.reading.labels.index(label) for label in rows["label"]])
    with torch.no_grad():
        return heads.measure(head.probabilities(reader.features(rows["text"])[:, 0]), classes)
