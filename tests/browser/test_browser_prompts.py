"""The prompt lab in the browser: a version with two examples is written, measured, its failures tagged."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import looking
from tests.browser.looking import complete, visit
from tests.running import RunningStudio


@pytest.fixture(scope="module")
def project(studio: RunningStudio) -> int:
    return int(studio.api.post("/api/sample/data").raise_for_status().json()["project"])


def test_from_a_draft_to_tagged_failures(page: Page, project: int, shot: Callable[..., None]) -> None:
    write_a_version(page, project)
    measure_it(page)
    tag_failures(page, shot)


def write_a_version(page: Page, project: int) -> None:
    visit(page, f"/prompts?project={project}")
    page.get_by_role("link", name="Write the first").click()
    page.get_by_label("Name").fill("With two examples")
    page.get_by_label("Template").fill("Direction:")
    expect(page.locator(".beside-form")).to_contain_text("leaves the question out")
    expect(page.get_by_label("Template")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Template").fill("Direction: {input}")
    expect(page.locator(".beside-form .bubble.user")).to_contain_text("Direction: tid, take 5 ml")
    page.get_by_label("How many").fill("2")
    page.get_by_label("Which").select_option("diverse")
    page.get_by_role("button", name="Take them").click()
    expect(page.locator("[data-shot]")).to_have_count(2)
    expect(page.locator(".beside-form .bubble")).to_have_count(6)
    page.get_by_role("button", name="Write an example").click()
    expect(page.locator("[data-shot]")).to_have_count(3)
    page.get_by_label("Question").last.fill("one puff")
    expect(page.locator(".beside-form")).to_contain_text("one puff")
    page.reload()
    complete(page)
    expect(page.get_by_label("Question").last).to_have_value("one puff")
    page.get_by_role("button", name="Remove example 3").click()
    expect(page.locator("[data-shot]")).to_have_count(2)
    page.get_by_role("button", name="Ask about row 1").click()
    expect(page.locator(".beside-form")).to_contain_text("what a version is worth", timeout=90_000)
    expect(page.locator(".beside-form dl")).to_contain_text("Share of the fields that are right")
    assert looking.inaccessible(page) == []
    page.get_by_role("button", name="Save as v1").click()
    page.wait_for_url(re.compile(r"/prompts\?project=\d+$"))
    expect(page.locator("[data-key=versions]")).to_contain_text("never measured")


def measure_it(page: Page) -> None:
    page.get_by_label("Questions, at most").fill("6")
    page.get_by_label("Longest answer, tokens").fill("40")
    page.get_by_role("button", name="Measure").click()
    row = page.locator("[data-key=versions] tbody tr").first
    expect(row).to_contain_text("Tunesmith starter", timeout=90_000)
    expect(row).to_contain_text(re.compile(r"% to \d"))
    expect(row.locator(".chip")).to_contain_text(re.compile("better|worse|not shown"))
    expect(page.locator("[data-key=versions]")).to_contain_text("As the rows ask")


def tag_failures(page: Page, shot: Callable[..., None]) -> None:
    page.get_by_role("link", name="Look at its failures").first.click()
    for name in ("Wrong route", "Words around the JSON"):
        page.get_by_label("New kind").fill(name)
        page.keyboard.press("Enter")
        expect(page.locator(".kinds")).to_contain_text(name)
        expect(page.get_by_label("New kind")).to_have_value("")
    failures = page.locator(".failures > li")
    page.get_by_role("button", name="Tag with the keyboard").click()
    expect(failures.first).to_be_focused()
    page.keyboard.press("2")
    page.keyboard.press("j")
    expect(failures.nth(1)).to_be_focused()
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("2")
    page.keyboard.press("ArrowUp")
    expect(failures.first).to_be_focused()
    counted = page.locator("#failure-counts tr", has_text="Wrong route").get_by_role("link").last
    expect(counted).to_have_text("1")
    page.reload()
    complete(page)
    pressed = page.locator(".failures [aria-pressed=true]")
    expect(pressed).to_have_text([re.compile("Words around the JSON"), re.compile("Wrong route")])
    page.set_viewport_size({"width": 390, "height": 844})
    assert looking.fits(page)
    assert looking.inaccessible(page) == []
    shot(page, "prompts-failures-narrow")
