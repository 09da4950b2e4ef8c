"""From a trained run to what it is better at, by clicks alone."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser import looking
from tests.browser.looking import visit


def test_a_run_is_measured_beside_the_base_it_began_as(
    page: Page, trained: int, shot: Callable[..., None]
) -> None:
    visit(page, f"/run?id={trained}")
    page.get_by_role("link", name="Evaluate").last.click()
    page.wait_for_url("**/evaluate?models=*")
    expect(page.locator("input[name=contestants]:checked")).to_have_count(1)
    page.get_by_label("Questions, at most").fill("12")
    page.get_by_text("JSON, field by field").click()
    page.get_by_text("Metrics with settings").click()
    page.get_by_text("Contains", exact=True).click()
    page.get_by_label("Must occur", exact=True).fill("dose")
    page.get_by_role("button", name="Measure").click()
    page.wait_for_url("**/evaluate?id=*")
    expect(page.locator(".page-head .chip")).to_contain_text("done", timeout=90_000)
    figures = page.locator("section[data-key=figures]")
    expect(figures).to_contain_text("Tunesmith starter")
    expect(figures).to_contain_text(re.compile(r"\d %\s+to|% to"))
    expect(page.locator("section[data-key=differences] tbody tr")).to_have_count(3)
    expect(page.locator(".notice").first).to_contain_text("Tunesmith starter")
    shot(page, "evaluation")
    assert looking.inaccessible(page) == []
    page.get_by_role("link", name="Lost").click()
    page.wait_for_url("**show=lost")
    expect(page.get_by_role("link", name="Lost")).to_have_attribute("aria-current", "true")
    page.get_by_role("navigation", name="Metric").get_by_role("link", name="contains").click()
    page.wait_for_url("**metric=contains**")
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.locator("section[data-key=changed] tbody tr")).to_have_count(6)
