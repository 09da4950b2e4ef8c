"""Without a mouse, on a phone, in the dark."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Guard, open_context
from tests.browser.looking import complete, focused, tab_to, visit
from tests.running import RunningStudio

VISIBLY_FOCUSED = """() => {
  const seen = (element) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
    const ring = / 0px 0px 0px [1-9]/.test(boxShadow);
    return ring || (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1);
  };
  const around = [document.activeElement];
  for (let level = 0; level < 4; level++) around.push(around.at(-1)?.parentElement);
  return around.filter(Boolean).some(seen);
}"""


def test_tab_reaches_start_and_shows_where_it_is(page: Page, data: dict[str, int], trained: int) -> None:
    visit(page, f"/new-run?dataset={data['labelled']}&model=1")
    expect(page.locator("#new-run-start")).to_be_enabled()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    way: list[tuple[str, bool]] = []
    while len(way) < 100 and focused(page) != "Start":
        page.keyboard.press("Tab")
        way.append((focused(page)[:24], page.evaluate(VISIBLY_FOCUSED)))
    assert focused(page) == "Start", way
    assert [words for words, visible in way if not visible] == [], " ".join(words for words, _ in way)


def test_the_skip_link_leads_past_the_navigation(page: Page) -> None:
    visit(page, "/datasets")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "Choose a file"


def test_a_chosen_theme_stays(page: Page, shot: Callable[..., None]) -> None:
    visit(page, "/")
    root = page.locator("html")
    toggle = page.locator("[data-theme-toggle]")
    expect(root).to_have_attribute("data-theme", "light")
    toggle.click()
    toggle.click()
    expect(toggle).to_have_text("Theme: dark")
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    complete(page)
    expect(root).to_have_attribute("data-theme", "dark")
    visit(page, "/runs")
    expect(root).to_have_attribute("data-theme", "dark")
    expect(page.locator("body")).to_have_class("framed dark")
    shot(page, "theme-dark")


def test_the_menu_of_a_phone_opens_and_closes(
    studio: RunningStudio, browser: Browser, guard: Guard, shot: Callable[..., None]
) -> None:
    context = open_context(browser, studio.url)
    guard.watch(context)
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, "/")
    menu = page.get_by_role("button", name="Menu")
    runs = page.get_by_role("navigation", name="Pages").get_by_role("link", name="Runs")
    expect(runs).to_be_hidden()
    menu.click()
    expect(runs).to_be_visible()
    shot(page, "menu-of-a-phone")
    page.keyboard.press("Escape")
    expect(runs).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    runs.click()
    page.wait_for_url("**/runs")
    context.close()
    assert guard.problems == []


@pytest.mark.parametrize("address", ["/runs", "/datasets", "/try?models=1"])
def test_tab_reaches_the_main_action(page: Page, trained: int, address: str) -> None:
    visit(page, address)
    tab_to(page, {"/runs": "New run", "/datasets": "Choose a file"}.get(address, "Send"))
