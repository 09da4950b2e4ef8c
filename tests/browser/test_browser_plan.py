"""An answer that is no training: from the guide to its plan, a tick that stays, a file to fill in, a day."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from studio.datasets import template
from tests.browser.looking import complete, tab_to, visit
from tests.running import RunningStudio


def test_a_plan_is_followed_ticked_and_its_file_comes_back(
    page: Page, studio: RunningStudio, data: dict[str, int], tmp_path: Path, shot: Callable[..., None]
) -> None:
    answers = {"main_gap": "preference_alignment", "phase_done": 2, "n_pairs": 320}
    draft = ask(studio, "/api/guide/drafts", {"answers": answers})["draft"]
    advice = ask(studio, f"/api/guide/drafts/{draft}/finish")
    visit(page, advice["url"])
    page.get_by_role("button", name="See what to do").click()
    page.wait_for_url(re.compile(r"/plan\?recommendation=\d+$"))
    complete(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Collect preferences")
    expect(page.get_by_text("680 missing at 60 a week: 12 weeks")).to_be_visible()

    tab_to(page, "Write down what better means")
    page.keyboard.press("Space")
    tick = page.get_by_role("checkbox", name="Write down what better means")
    expect(tick).to_be_checked()
    page.get_by_label("Judgements a week").fill("170")
    page.keyboard.press("Enter")
    expect(page.get_by_text("680 missing at 170 a week: 4 weeks")).to_be_visible()
    page.reload()
    complete(page)
    expect(tick).to_be_checked()
    expect(page.get_by_label("Judgements a week")).to_have_value("170")
    shot(page, "plan-followed")

    with page.expect_download() as download:
        page.get_by_role("link", name="Save to calendar").click()
    assert "BEGIN:VEVENT" in download.value.path().read_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of Preference pairs").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    written = [
        row | {"prompt": f"asked {n}", "chosen": f"better {n}", "rejected": "worse"}
        for n, row in enumerate(rows)
    ]
    written[-1][template.NOTE] = ""
    path = tmp_path / "judged for the plan.csv"
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(written)
    page.get_by_label("Filled-in file").set_input_files(path)
    page.wait_for_url(re.compile(r"/plan\?recommendation=\d+&added=\d+$"))
    complete(page)
    expect(page.locator("[data-key=added]")).to_contain_text("judged for the plan · v1 is here")
    left_out = f"1 row, {len(rows) - 1} left out"  # the examples
    expect(page.locator("[data-key=added]")).to_contain_text(left_out)
    shot(page, "plan-filled-in")


def ask(studio: RunningStudio, address: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = studio.api.post(address, json=body)
    assert answer.is_success, answer.text
    return dict(answer.json())
