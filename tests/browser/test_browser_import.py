"""Bringing metrics from elsewhere, as a person does."""

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import REFUSED, Guard
from tests.browser.looking import complete, visit


def test_a_trainers_state_is_chosen_named_understood_and_compared(
    page: Page, trained: int, tmp_path: Path, shot: Callable[..., None]
) -> None:
    history = [{"loss": 3.0 / step, "step": step} for step in range(1, 101)]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    visit(page, "/runs")
    page.get_by_role("link", name="Import").click()
    complete(page)
    page.get_by_label("Name of the run").fill("from the cluster")
    expect(page.locator("[data-upload*='from+the+cluster'] button")).to_be_visible()
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name="Choose a file").click()
    asked.value.set_files(tmp_path / "trainer_state.json")
    expect(page.get_by_role("heading", name="“from the cluster” is in")).to_be_visible()
    expect(page.get_by_text("100 moments, up to step 100")).to_be_visible()
    shot(page, "import-understood", whole=True)
    page.locator("a[href^='/compare?runs=']").first.click()
    complete(page)
    expect(page.get_by_text("from the cluster").first).to_be_visible()


def test_a_file_that_cannot_be_read_is_refused_with_the_line_and_what_to_do(
    page: Page, guard: Guard, tmp_path: Path
) -> None:
    guard.allow(REFUSED)
    (tmp_path / "export.jsonl").write_text('{"step": 1, "loss": 2}\n{oops\n')
    visit(page, "/import-run")
    page.locator("input[type=file]").set_input_files(tmp_path / "export.jsonl")
    told = page.get_by_role("alert")
    expect(told).to_contain_text("Line 2 is not JSON that can be read.")
    expect(told).to_contain_text("nothing was kept")
    expect(told).to_contain_text("line 2")
