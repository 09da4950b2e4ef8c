"""A run whose rows are all cut before their answer says so, instead of what a library says."""

import os
from pathlib import Path

import orjson

from studio import attempts, db, runs, techniques
from studio.exits import Exit
from studio.models import State
from tests.engine.test_every_technique import CPU, _fork, configure, folder
from worker import dispatch

__all__ = ["folder"]


def test_rows_cut_before_their_answer_are_said_to_be_so(folder: Path) -> None:
    config = configure(folder, techniques.get("sft"), "full")
    config.parameters |= {"max_length": 16, "sample_prompts": 0}
    with db.transaction() as session:
        run_id = runs.launch(session, config).id
        given = attempts.claim(session, "here", CPU)
        assert given is not None
    with db.transaction() as session:
        run = attempts.begin(session, run_id, given.attempt, os.getpid(), 0.0)
        assert run is not None
        order = dispatch.order_for(session, run, given.devices)
        run.spool_attempt, run.spool_offset = run.attempt, 0
    order.write()
    db.engine().dispose()
    assert _fork(order, None) == Exit.FAILED
    entries = [orjson.loads(line) for line in order.spool.read_bytes().splitlines()]
    with db.transaction() as session:
        attempts.absorb(session, run_id, entries, attempt=given.attempt, offset=order.spool.stat().st_size)
        assert attempts.end(session, run_id, given.attempt, Exit.FAILED) == State.FAILED
        error = runs.get(session, run_id).error
    assert error["kind"] == "settings"
    assert "longest row of 16 tokens" in error["message"]
    assert "max_length" in error["hint"]
