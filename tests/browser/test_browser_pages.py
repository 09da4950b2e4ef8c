"""Every page, wide and narrow, light and dark: complete, no wider than the window, usable by everybody."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser import looking
from tests.browser.conftest import Guard

# With real ids where a page wants one. A page that is not listed here fails the first test.
ADDRESSES = {
    "/": "/",
    "/guide": "/guide",
    "/advice": "/advice",
    "/use-cases": "/use-cases",
    "/use-case": "/use-case",
    "/plan": "/plan?for=collect_preferences",
    "/ladder": "/ladder",
    "/datasets": "/datasets",
    "/dataset": "/dataset?id=1",
    "/runs": "/runs",
    "/import-run": "/import-run",
    "/run": "/run?id={run}",
    "/new-run": "/new-run?clone={run}",
    "/compare": "/compare?runs={run}",
    "/evaluate": "/evaluate",
    "/prompts": "/prompts",
    "/lab": "/lab",
    "/try": "/try?models=1",
    "/models": "/models",
    "/model": "/model?id=1",
    "/techniques": "/techniques",
    "/technique": "/technique?name=sft",
    "/workers": "/workers",
    "/settings": "/settings",
    "/look": "/look",
}
WINDOWS = {"wide": (1440, 900), "narrow": (390, 844)}
TABS = ["samples", "settings", "log", "history"]


def test_no_page_is_forgotten(page: Page) -> None:
    looking.visit(page, "/")
    pages = page.evaluate("gradio_config.pages.map(([address]) => `/${address}`)")
    assert set(pages) == set(ADDRESSES)


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_page_fits_every_window_and_everybody_can_use_it(
    page: Page, guard: Guard, trained: int, shot: Callable[..., None], path: str
) -> None:
    guard.allow("/parts/look-error")  # what the style guide shows as an error is one
    look_at(page, ADDRESSES[path].format(run=trained), path.strip("/") or "home", shot)


@pytest.mark.parametrize("tab", TABS)
def test_a_tab_of_a_run_fits_every_window(
    page: Page, trained: int, shot: Callable[..., None], tab: str
) -> None:
    look_at(page, f"/run?id={trained}&tab={tab}", f"run-{tab}", shot)


def look_at(page: Page, address: str, name: str, shot: Callable[..., None]) -> None:
    looking.visit(page, address)
    for window, (width, height) in WINDOWS.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function("(theme) => document.documentElement.dataset.theme === theme", arg=theme)
            assert looking.fits(page), f"{address} is too wide for {width} px"
            shot(page, f"{name}-{window}-{theme}")
            assert looking.inaccessible(page) == [], f"{address}, {window}, {theme}"
