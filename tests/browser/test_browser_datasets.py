"""Bringing data, as a person does: dropped or chosen, in every shape; what the page then says of it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from playwright.sync_api import Page, expect
from pyarrow import parquet

from tests.browser.conftest import REFUSED, Guard
from tests.browser.looking import complete, visit
from tests.running import ROOT, RunningStudio

SAMPLES = ROOT / "tests" / "samples"
TOPICS = ["rivers", "bread", "glaciers", "violins", "moss"]

MAKE_DROP = """([name, text]) => {
  const dropped = new DataTransfer();
  dropped.items.add(new File([text], name));
  return dropped;
}"""


def chat(topic: str) -> dict[str, Any]:
    said = [("user", f"Tell me about {topic}."), ("assistant", f"There is much to say of {topic}.")]
    return {"messages": [{"role": role, "content": text} for role, text in said]}


def sharegpt(topic: str) -> dict[str, Any]:
    said = [("human", f"Tell me about {topic}."), ("gpt", f"There is much to say of {topic}.")]
    return {"conversations": [{"from": role, "value": text} for role, text in said]}


def alpaca(topic: str) -> dict[str, Any]:
    return {
        "instruction": f"Tell me about {topic}.",
        "input": "",
        "output": f"There is much to say of {topic}.",
    }


def pair(topic: str) -> dict[str, Any]:
    answer = f"There is much to say of {topic}."
    return {"prompt": f"Tell me about {topic}.", "chosen": answer, "rejected": f"{topic}? No idea at all."}


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_array(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows))


def write_csv(path: Path, _rows: list[dict[str, Any]]) -> None:
    lines = [f"Tell me about {topic}.,There is much to say of {topic}." for topic in TOPICS]
    path.write_text("\n".join(["prompt,completion", *lines]))


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    parquet.write_table(arrow.Table.from_pylist(rows), path)


FILES: list[tuple[str, Callable[[str], dict[str, Any]], Callable[..., None], str, str]] = [
    ("chat.json", chat, write_array, "OpenAI chat", "Chat"),
    ("questions.csv", chat, write_csv, "Prompt and completion", "Prompt and completion"),
    ("alpaca.json", alpaca, write_array, "Alpaca", "Prompt and completion"),
    ("shared.jsonl", sharegpt, write_lines, "ShareGPT", "Chat"),
    ("pairs.parquet", pair, write_parquet, "TRL preference", "Preference"),
]


@pytest.mark.parametrize(("name", "make", "write", "layout", "shape"), FILES, ids=[file[0] for file in FILES])
def test_a_chosen_file_is_understood_and_shown_as_people_read_it(
    page: Page,
    tmp_path: Path,
    shot: Callable[..., None],
    name: str,
    make: Callable[[str], dict[str, Any]],
    write: Callable[..., None],
    layout: str,
    shape: str,
) -> None:
    path = tmp_path / name
    write(path, [make(topic) for topic in TOPICS])
    choose(page, path)
    page.wait_for_url(re.compile(r"/dataset\?id="))
    complete(page)
    understood = page.get_by_label("What was understood")
    expect(understood).to_contain_text(f"Read as {layout}", ignore_case=True)
    expect(understood).to_contain_text(shape, ignore_case=True)
    expect(understood).to_contain_text("5all of them readable")
    first = page.get_by_role("article", name="Row 1", exact=True)
    expect(first.locator(".bubble.user")).to_contain_text("Tell me about rivers.")
    expect(first.locator(".bubble.assistant").first).to_contain_text("There is much to say of rivers.")
    expect(page.locator(".records")).not_to_contain_text('{"')
    shot(page, f"dataset-{path.stem}")


def test_a_dropped_file_is_stored_and_listed(page: Page, studio: RunningStudio) -> None:
    visit(page, "/datasets")
    drop(page, "dropped chats.jsonl", "".join(json.dumps(chat(topic)) + "\n" for topic in TOPICS))
    page.wait_for_url(re.compile(r"/dataset\?id="))
    expect(page.get_by_role("heading", level=1)).to_have_text("dropped chats")
    visit(page, "/datasets")
    row = page.get_by_role("row", name=re.compile("dropped chats"))
    expect(row).to_contain_text("5")
    row.click()
    page.wait_for_url(re.compile(r"/dataset\?id="))


def test_findings_name_their_lines(page: Page, shot: Callable[..., None]) -> None:
    choose(page, SAMPLES / "openai_chat" / "findings.jsonl")
    page.wait_for_url(re.compile(r"/dataset\?id="))
    page.get_by_role("link", name="1 error").click()
    finding = page.get_by_role("article").filter(has_text="does not end with the assistant")
    expect(finding).to_contain_text("line 4")
    expect(finding).to_contain_text("Add the answers")
    shot(page, "dataset-findings", whole=True)


def test_a_bad_file_says_what_is_wrong_and_where_and_nothing_is_stored(
    page: Page, tmp_path: Path, guard: Guard, studio: RunningStudio, shot: Callable[..., None]
) -> None:
    guard.allow(REFUSED)
    path = tmp_path / "bad.jsonl"
    write_lines(path, [{"messages": [{"role": "wizard", "content": topic}]} for topic in TOPICS])
    before = studio.rows("SELECT count(*) FROM dataset_version")
    folders = sorted((studio.folder / "datasets").glob("*"))
    choose(page, path)
    told = page.get_by_role("alert")
    expect(told).to_contain_text("bad.jsonl")
    expect(told.get_by_role("listitem").nth(1)).to_contain_text("line 2")
    expect(told.get_by_role("listitem").nth(1)).to_contain_text("has the role “wizard”")
    shot(page, "dataset-refused")
    assert "/datasets" in page.url
    assert studio.rows("SELECT count(*) FROM dataset_version") == before
    assert sorted((studio.folder / "datasets").glob("*")) == folders


def test_rows_are_split_into_training_and_held_out_data(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "to split.jsonl"
    write_lines(path, [chat(topic) for topic in TOPICS])
    choose(page, path)
    page.wait_for_url(re.compile(r"/dataset\?id="))
    page.get_by_role("button", name="Split off held-out data").click()
    page.get_by_role("button", name="Split", exact=True).click()
    page.wait_for_url(re.compile("tab=history"))
    expect(page.get_by_role("row", name=re.compile("Version 3 held-out"))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Version 2 of 3"))).to_be_visible()


EVIL = [
    "<script>window.hacked = 'script'</script>",
    "<img src=x onerror=\"window.hacked = 'image'\">",
    "<svg onload=\"window.hacked = 'svg'\"></svg>",
    "[click me](javascript:window.hacked='link')",
    '"><iframe srcdoc="<script>parent.hacked=\'frame\'</script>"></iframe>',
    "{{ 7 * 7 }} ${window.hacked='template'}",
]


def test_a_dataset_full_of_scripts_runs_none_on_any_page(
    page: Page, tmp_path: Path, studio: RunningStudio, train: Callable[..., int]
) -> None:
    path = tmp_path / "<img src=x onerror=window.hacked='name'>.jsonl"
    said = [[("user", text), ("assistant", f"Answer {text}")] for text in EVIL]
    rows = [{"messages": [{"role": role, "content": text} for role, text in row]} for row in said]
    write_lines(path, [row | {EVIL[1]: EVIL[0]} for row in rows])
    choose(page, path)
    page.wait_for_url(re.compile(r"/dataset\?id="))
    address = page.url
    for text in EVIL:
        expect(page.locator(".bubble.user").filter(has_text=text)).to_be_visible()
    for fold in page.locator("details summary").all():
        fold.click()
    assert_untouched(page)
    version = studio.rows("SELECT max(id) FROM dataset_version")[0][0]
    run = studio.launch(
        name=EVIL[1],
        model="Tunesmith starter",
        dataset=version,
        adapter="full",
        parameters={"max_steps": 2, "sample_prompts": 4, "sample_tokens": 4},
    )
    studio.finish(run)
    for shown in (
        f"{address}&tab=findings",
        f"{address}&tab=statistics",
        "/datasets",
        f"/new-run?clone={run}",
        "/",
        "/runs",
        "/models",
        f"/compare?runs={run},{run}",
        *(f"/run?id={run}&tab={tab}" for tab in ("charts", "samples", "settings", "log", "history")),
    ):
        visit(page, shown)
        assert_untouched(page)


def assert_untouched(page: Page) -> None:
    page.wait_for_timeout(100)  # an image that fails to load says so a moment later
    assert page.evaluate("window.hacked ?? null") is None
    assert page.locator("[onerror], [onload], iframe, [href^='javascript:']").count() == 0


def choose(page: Page, path: Path) -> None:
    visit(page, "/datasets")
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name="Choose a file").click()
    asked.value.set_files(path)


def drop(page: Page, name: str, text: str) -> None:
    page.locator("[data-upload]").dispatch_event(
        "drop", {"dataTransfer": page.evaluate_handle(MAKE_DROP, [name, text])}
    )
