"""The page where a file of metrics becomes a run: what can be read, and what was understood."""

import json
from pathlib import Path
from urllib.parse import quote

from studio import db, runs
from studio.metrics import imports
from studio.models import Kind, Run, State
from tests import made_runs


def read(name: str, query: str = "") -> str:
    answer = made_runs.fragments().get(f"/parts/{name}?{query}")
    assert answer.status_code == 200
    return answer.text


def imported(folder: Path, rows: int = 3, name: str = "from <b>afar</b>") -> int:
    file = folder / "export.jsonl"
    lines = [{"step": 10 * n, "loss": 2.0, "learning_rate": 1e-4, "mine": 1} for n in range(1, rows + 1)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with db.transaction() as session:
        return imports.add(session, file, name).id


def test_the_page_says_what_can_be_read_and_where_it_goes(database: Path) -> None:
    text = read("import-run")
    for words in ("trainer_state.json", "events.out.tfevents", "W&amp;B, trackio", "tunesmith run import"):
        assert words in text
    assert 'data-upload="/api/runs/import"' in text
    assert 'data-then="/import-run?id={id}"' in text


def test_a_name_goes_along_with_the_file(database: Path) -> None:
    text = read("import-run", f"name={quote('a & b')}")
    assert 'data-upload="/api/runs/import?name=a+%26+b"' in text
    assert 'value="a &amp; b"' in text


def test_what_was_understood_is_told_with_what_it_can_be_put_beside(database: Path, tmp_path: Path) -> None:
    with db.transaction() as session:
        mine = made_runs.made(
            session, made_runs.base(session), made_runs.version(session), State.RUNNING, name="mine"
        ).id
    run = imported(tmp_path)
    text = read("import-run", f"id={run}")
    assert "“from &lt;b&gt;afar&lt;/b&gt;” is in" in text
    assert "3 moments, up to step 30" in text
    for words in ("export.jsonl", "Loss", "Learning rate", f"/compare?runs={run},{mine}", f"/run?id={run}"):
        assert words in text


def test_moments_are_counted_whether_they_are_packed_or_not(database: Path, tmp_path: Path) -> None:
    assert "700 moments" in read("import-run", f"id={imported(tmp_path, rows=700)}")


def test_a_run_that_was_trained_here_was_not_imported(database: Path) -> None:
    with db.transaction() as session:
        run = made_runs.made(session, made_runs.base(session), made_runs.version(session), State.RUNNING)
    assert "is in</h2>" not in read("import-run", f"id={run.id}")
    assert "is in</h2>" not in read("import-run", "id=99")


def test_the_table_of_runs_leads_there_also_while_it_is_empty(database: Path, tmp_path: Path) -> None:
    assert 'href="/import-run"' in read("runs")
    imported(tmp_path)
    assert 'href="/import-run"' in (table := read("runs"))
    assert "Imported</span>" in table
    with db.reading() as session:
        assert [run.kind for run in runs.listed(session)] == [Kind.IMPORTED]
        assert session.query(Run).count() == 1
