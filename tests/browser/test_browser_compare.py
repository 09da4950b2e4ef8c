"""Comparing many runs: choosing them, putting them together, keeping the comparison."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looking import complete, fits, inaccessible, visit
from tests.running import RunningStudio


@pytest.fixture(scope="module")
def rivals(studio: RunningStudio) -> list[int]:
    """Six runs from elsewhere, three of each tag."""
    found = []
    for number in range(6):
        rows = [{"step": step, "loss": 2.0 / (step + 1 + number % 2)} for step in range(20)]
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        asked = {"file": "rival.jsonl", "name": f"rival {number}"}
        run = studio.api.post("/api/runs/import", params=asked, content=content).json()["id"]
        tag = "odd" if number % 2 else "even"
        assert studio.api.post(f"/api/runs/{run}/tags", json={"add": [tag]}).status_code == 200
        found.append(run)
    return found


def test_runs_are_chosen_grouped_saved_found_again_and_the_comparison_deleted(
    page: Page, rivals: list[int], shot: Callable[..., None]
) -> None:
    visit(page, "/compare")
    page.get_by_role("button", name="Add runs").click()
    page.get_by_role("searchbox", name="Search runs to add").fill("rival tag:even")
    page.get_by_role("link", name="Add all 3 found").click()
    page.wait_for_url(re.compile(r"runs=\d+,\d+,\d+"))
    expect(page.get_by_text("No other run has these words")).to_be_visible()
    page.get_by_role("searchbox", name="Search runs to add").fill("rival tag:odd")
    page.get_by_role("link", name="Add all 3 found").click()
    expect(page.locator("#compare-headline tbody tr")).to_have_count(6)
    page.keyboard.press("Escape")
    page.get_by_label("Group by").select_option("tag")
    expect(page.locator("#compare-headline-grouped tr.group")).to_have_count(2)
    expect(page.locator("#compare-charts")).to_have_attribute("data-groups", re.compile("tag even"))
    expect(page.locator(".legend").get_by_role("button", name=re.compile("tag even"))).to_contain_text("mean")
    shot(page, "compare-grouped")
    page.set_viewport_size({"width": 390, "height": 844})
    assert fits(page)
    assert inaccessible(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})

    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_label("Name", exact=True).fill("Even against odd")
    page.get_by_label("Note").fill("<b>odd</b> is behind")
    page.get_by_role("button", name="Save the comparison").click()
    page.wait_for_url(re.compile(r"/compare\?saved=\d+$"))
    page.reload()
    complete(page)
    expect(page.get_by_role("heading", name="Even against odd")).to_be_visible()
    expect(page.locator("p.lead")).to_have_text("<b>odd</b> is behind")
    expect(page.locator("tr.group")).to_have_count(2)
    expect(page.get_by_label("Group by")).to_have_value("tag")

    page.get_by_role("searchbox", name="Show only runs").fill("tag:even")
    expect(page.get_by_text("3 of 6 runs hidden")).to_be_visible()
    expect(page.get_by_text("Changed since it was saved")).to_be_visible()
    page.get_by_role("button", name="Save the changes").click()
    page.wait_for_url(re.compile(r"/compare\?saved=\d+$"))
    complete(page)
    expect(page.get_by_text("3 of 6 runs hidden")).to_be_visible()
    expect(page.get_by_role("searchbox", name="Show only runs")).to_have_value("tag:even")

    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_url("**/compare")
    complete(page)
    expect(page.get_by_role("heading", name="Choose at least two runs")).to_be_visible()
    expect(page.get_by_text("Even against odd")).to_have_count(0)


def test_several_runs_are_tagged_at_once_and_found_by_the_tag(page: Page, rivals: list[int]) -> None:
    visit(page, "/runs?q=rival")
    for number in (1, 2):
        page.get_by_role("checkbox", name=f"Choose rival {number}").first.check()
    page.get_by_role("button", name="Tag 2 runs").click()
    page.get_by_label("Add tags").fill("picked")
    page.get_by_label("Add tags").press("Enter")
    expect(page.get_by_role("link", name="picked")).to_have_count(2)
    page.get_by_role("link", name="picked").first.click()
    expect(page.locator("#runs-table tbody tr")).to_have_count(2)
    assert "tag:picked" in page.url
