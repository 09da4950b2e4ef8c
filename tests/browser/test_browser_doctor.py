"""A run that goes wrong is told from one that does not, and cloned with what mends it."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.looking import complete, visit
from tests.running import RunningStudio


def test_a_run_that_diverged_is_found_explained_and_cloned_with_the_fix(
    page: Page, trained: int, studio: RunningStudio, train: Callable[..., int], shot: Callable[..., None]
) -> None:
    ill = train("Too fast", learning_rate=0.5, max_steps=12, save_steps=100, sample_prompts=0)
    visit(page, f"/run?id={trained}")
    expect(page.locator("#run-doctor")).to_contain_text("nothing wrong found")
    visit(page, f"/run?id={ill}")
    finding = page.get_by_role("article", name="Diverged")
    expect(finding).to_be_visible(timeout=60_000)
    studio.finish(ill)
    finding.get_by_text("Evidence and what to change").click()
    expect(finding.get_by_role("row", name="Learning rate")).to_contain_text("0.5")
    page.wait_for_timeout(4000)  # the next look leaves open what was opened
    expect(finding.get_by_role("row", name="Learning rate")).to_be_visible()
    shot(page, "run-doctor")
    finding.get_by_role("link", name="Clone with the fix for Diverged").click()
    page.wait_for_url("**/new-run?clone=*&fix=diverged")
    complete(page)
    expect(page.locator("#clone-changes")).to_contain_text("1 setting changed from run")
    expect(page.locator("#clone-changes").get_by_role("row", name="Learning rate")).to_contain_text("0.5")
    shot(page, "new-run-fixed")
    visit(page, "/runs")
    row = page.get_by_role("row").filter(has_text="Too fast")
    expect(row.get_by_role("link", name="Diverged")).to_be_visible()
