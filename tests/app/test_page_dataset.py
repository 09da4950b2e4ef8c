"""The page of one dataset: rows as a person reads them, findings, statistics, history, reading it anew."""

from html import unescape
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import api, errors, parts
from app.pages import dataset, dataset_rows
from studio import db, runs
from studio.datasets import library
from studio.models import DatasetVersion, Model

SCRIPT = (
    '<script>alert(1)</script><img src=x onerror="alert(1)">{{7*7}}${7*7}<a href="javascript:alert(1)">x</a>'
)


@pytest.fixture
def browser(database: Path) -> TestClient:
    """The fragments and the API without Gradio's pages, which take half a second to lay out."""
    app = FastAPI()
    errors.install(app)
    for router in (parts.router, *api.routers()):
        app.include_router(router)
    return TestClient(app, base_url="http://127.0.0.1")


def chat(*said: str, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]} | more


def store(
    folder: Path, rows: list[dict[str, Any]] | bytes, name: str = "sums", ending: str = "jsonl"
) -> DatasetVersion:
    path = folder / f"upload.{ending}"
    path.write_bytes(rows if isinstance(rows, bytes) else b"\n".join(orjson.dumps(row) for row in rows))
    kept, report = library.prepare(path, path.name)
    with db.transaction() as session:
        return library.add(session, kept, report, name=name, original=path.name)


def show(browser: TestClient, version: DatasetVersion, tab: str = "preview", **query: str | int) -> str:
    address: dict[str, str | int] = {"id": version.dataset_id, "version": version.number, "tab": tab}
    answer = browser.get("/parts/dataset", params=address | query)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_chat_rows_are_bubbles_with_their_roles(browser: TestClient, tmp_path: Path) -> None:
    said = show(browser, store(tmp_path, [chat("2+2?", "4")]))
    assert 'class="bubble user"' in said
    assert 'class="bubble assistant"' in said
    assert "2+2?" in said


def test_the_head_says_what_was_understood_and_why(browser: TestClient, tmp_path: Path) -> None:
    version = store(tmp_path, [chat("2+2?", "4")])
    said = unescape(show(browser, version))
    assert "Read as OpenAI chat." in said
    assert version.report["why"] in said
    assert f'href="/new-run?dataset={version.id}"' in said


def test_a_tool_call_is_shown_as_a_call_and_thinking_is_folded_away(
    browser: TestClient, tmp_path: Path
) -> None:
    call = {"type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Lugo"}'}}
    row = {
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": None, "thinking": "I should look.", "tool_calls": [call]},
            {"role": "tool", "content": '{"celsius": 14}'},
            {"role": "assistant", "content": "14 °C"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
        ],
    }
    said = show(browser, store(tmp_path, [row]))
    assert "calls <code>get_weather</code>" in said
    assert "&#34;city&#34;: &#34;Lugo&#34;" in said
    assert "<summary>Thinking</summary>" in said
    assert "1 tool to call: get_weather" in said


def test_a_turn_that_is_masked_says_that_it_is_not_learned_from(browser: TestClient, tmp_path: Path) -> None:
    row = chat("Hello", "Hi", "2+2?", "4")
    row["messages"][1]["weight"] = 0
    assert "assistant · not learned from" in show(browser, store(tmp_path, [row]))


def test_preference_rows_stand_side_by_side_under_their_prompt(browser: TestClient, tmp_path: Path) -> None:
    said = show(browser, store(tmp_path, [{"prompt": "Sum it up.", "chosen": "Short.", "rejected": "Long."}]))
    assert said.index("Sum it up.") < said.index("side chosen") < said.index("Short.")
    assert said.index("Short.") < said.index("side rejected") < said.index("Long.")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"prompt": "Hi", "completion": "Ho", "label": True}, ["thumbs up", "Ho"]),
        ({"prompt": "Hi", "completion": "Ho", "label": False}, ["thumbs down"]),
        ({"prompt": "Hi", "completion": "Ho", "score": 4}, ["score 4"]),
        ({"prompt": "Hi", "completion": "Ho"}, ['class="bubble user"', 'class="bubble assistant"']),
        ({"text": "Running text."}, ['class="passage"', "Running text."]),
        ({"text": "It never arrived.", "label": "delivery"}, ["delivery", "It never arrived."]),
        ({"query": "hours", "positive": "9 to 17", "negatives": ["no"]}, ["Query", "Passage that does not"]),
        (
            {"messages": [{"role": "user", "content": "17 × 3?"}], "reference_answer": "51"},
            ["Reference answer", "51"],
        ),
    ],
)
def test_every_shape_is_shown_as_what_it_is(
    browser: TestClient, tmp_path: Path, row: dict[str, Any], words: list[str]
) -> None:
    said = show(browser, store(tmp_path, [row]))
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("tab", ["preview", "findings", "statistics", "history"])
def test_nothing_a_dataset_says_becomes_markup(browser: TestClient, tmp_path: Path, tab: str) -> None:
    rows = [chat(SCRIPT, SCRIPT, tools=[{"name": SCRIPT}]), chat(SCRIPT, SCRIPT), chat(SCRIPT)]
    rows[0]["messages"][1]["thinking"] = SCRIPT
    rows[0]["messages"][0]["name"] = SCRIPT
    rows += [{"messages": [{"role": SCRIPT, "content": ""}]}]
    said = show(browser, store(tmp_path, rows, name=SCRIPT), tab)
    assert "<script" not in said
    assert "<img" not in said
    assert 'href="javascript:' not in said
    assert "{{7*7}}${7*7}" in said


def test_right_to_left_text_reads_its_own_way(browser: TestClient, tmp_path: Path) -> None:
    said = show(browser, store(tmp_path, [chat("כמה עולה?", "12 ₪")]))
    assert '<span dir="auto">כמה עולה?</span>' in said


def test_a_long_text_is_cut_and_the_rest_can_be_unfolded(browser: TestClient, tmp_path: Path) -> None:
    said = show(browser, store(tmp_path, [chat("x" * 10_000, "y")]))
    assert "Show all 10,000 characters" in said
    assert said.count("x" * 5_000) == 1


def test_of_a_huge_text_only_so_much_is_sent(browser: TestClient, tmp_path: Path) -> None:
    said = show(browser, store(tmp_path, [chat("x " * 500_000, "y")]))
    assert "980,000 more characters" in said
    assert len(said) < 60_000


def test_cutting_loses_no_character_but_those_it_counts() -> None:
    text = "word " * 5_000
    cut = dataset_rows.cut(text)
    assert cut.length == len(text)
    assert (cut.head + cut.rest) == text[: dataset_rows.MOST]


def test_the_address_names_the_first_row_of_the_page(browser: TestClient, tmp_path: Path) -> None:
    version = store(tmp_path, [chat(f"question {n}?", "yes") for n in range(25)])
    said = show(browser, version, row=dataset.PAGE_ROWS)
    assert "question 10?" in said
    assert "question 9?" not in said
    assert "question 20?" not in said
    assert "row=0#rows" in said
    assert "row=20#rows" in said


def test_a_row_beyond_the_end_shows_the_last_one(browser: TestClient, tmp_path: Path) -> None:
    assert "2+2?" in show(browser, store(tmp_path, [chat("2+2?", "4")]), row=999)


def test_findings_name_lines_and_the_next_step(browser: TestClient, tmp_path: Path) -> None:
    version = store(tmp_path, [chat("2+2?", "4"), chat("3+3?", "6"), chat("2+2?", "4")])
    (finding,) = version.report["findings"]
    said = unescape(show(browser, version, "findings"))
    assert finding["title"] in said
    assert finding["next_step"] in said
    assert "line 3" in said


def test_rows_left_out_are_listed_with_line_and_reason(browser: TestClient, tmp_path: Path) -> None:
    version = store(tmp_path, orjson.dumps(chat("2+2?", "4")) + b'\n{"messages": []}\n')
    said = unescape(show(browser, version, "findings"))
    assert "Rows left out" in said
    assert "“messages” is empty" in said
    assert "1 row left out" in said


def test_clean_data_says_that_nothing_was_found(browser: TestClient, tmp_path: Path) -> None:
    assert "Nothing to mend was found" in show(browser, store(tmp_path, [chat("2+2?", "4")]), "findings")


def test_statistics_show_lengths_and_labels(browser: TestClient, tmp_path: Path) -> None:
    version = store(tmp_path, [{"text": "ab" * n, "label": "x" if n % 2 else "y"} for n in range(1, 11)])
    said = show(browser, version, "statistics")
    assert 'id="lengths-table"' in said
    assert 'aria-label="x"' in said
    assert "50 %" in said


def test_history_names_versions_their_parents_and_the_runs_that_used_them(
    browser: TestClient, tmp_path: Path
) -> None:
    version = store(tmp_path, [chat(f"{n}+1?", str(n + 1)) for n in range(40)])
    with db.transaction() as session:
        session.add(Model(name="tiny", source="someone/tiny"))
        runs.launch(session, runs.RunConfig(name="first try", model="tiny", dataset=version.id))
    answer = browser.post(f"/api/versions/{version.id}/split", json={"share": "0.25", "seed": 1})
    assert answer.status_code == 201
    said = show(browser, version, "history")
    for words in ("Version 3", "held-out", "sums · v1", "first try", "Version 1 added"):
        assert words in said


def test_without_a_version_the_newest_trainable_one_is_shown(browser: TestClient, tmp_path: Path) -> None:
    version = store(tmp_path, [chat(f"{n}+1?", str(n + 1)) for n in range(40)])
    browser.post(f"/api/versions/{version.id}/split", json={"share": 0.25})
    said = browser.get("/parts/dataset", params={"id": version.dataset_id}).text
    assert "Version 2 of 3" in said


def test_another_reading_is_tried_on_the_first_rows_before_anything_is_kept(
    browser: TestClient, tmp_path: Path
) -> None:
    version = store(tmp_path, b"question,answer,note\nWas?,4,vier\n", ending="csv")
    said = show(browser, version, **{"as": "prompt_completion", "column.completion": "note"})
    assert "Keep it as a new version" in said
    assert "vier" in said
    body = unescape(said.partition('data-body="')[2].partition('"')[0])
    assert orjson.loads(body) == {"format": "prompt_completion", "columns": {"completion": "note"}}
    kept = browser.post(f"/api/versions/{version.id}/reread", json=orjson.loads(body))
    assert kept.status_code == 201
    assert kept.json()["number"] == 2


def test_a_reading_that_fits_no_row_says_so_and_cannot_be_kept(browser: TestClient, tmp_path: Path) -> None:
    said = show(browser, store(tmp_path, [chat("2+2?", "4")]), **{"as": "kto"})
    assert "No row can be used" in said
    assert "Keep it as a new version" not in said


def test_a_part_of_a_split_has_no_file_of_its_own_to_read_anew(browser: TestClient, tmp_path: Path) -> None:
    version = store(tmp_path, [chat(f"{n}+1?", str(n + 1)) for n in range(40)])
    made = browser.post(f"/api/versions/{version.id}/split", json={"share": 0.25}).json()
    with db.reading() as session:
        train = library.get_version(session, made["train"]["id"])
    assert "Not right?" not in show(browser, train)


@pytest.mark.parametrize("query", [{"id": 99}, {"id": 1, "version": 7}])
def test_what_is_not_there_is_said_with_the_next_step(
    browser: TestClient, tmp_path: Path, query: dict[str, int]
) -> None:
    store(tmp_path, [chat("2+2?", "4")])
    answer = browser.get("/parts/dataset", params=query)
    assert answer.status_code == 404
    assert "There is no dataset 99" in answer.text or "no version 7" in answer.text
