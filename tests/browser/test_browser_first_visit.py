"""A studio nobody has used yet."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK
from tests.browser.looking import complete, fits, inaccessible, visit


def test_an_empty_studio_offers_two_ways_in_and_the_sample_is_one_click_away(
    new_page: Page, shot: Callable[..., None]
) -> None:
    visit(new_page, "/")
    main = new_page.locator("#main")
    expect(main.get_by_role("button", name="Start with the sample")).to_be_visible()
    expect(main.get_by_role("link", name="Bring your data")).to_be_visible()
    shot(new_page, "home-empty")
    for address in ("/", "/datasets", "/runs", "/compare", "/try", "/new-run", "/workers"):
        visit(new_page, address)
        new_page.set_viewport_size({"width": 390, "height": 844})
        assert fits(new_page), address
        assert inaccessible(new_page) == [], address
        shot(new_page, f"empty{address.replace('/', '-')}")
    visit(new_page, "/")
    main.get_by_role("link", name="Bring your data").click()
    new_page.wait_for_url("**/datasets")
    new_page.set_viewport_size(DESK)
    visit(new_page, "/")
    new_page.get_by_role("button", name="Start with the sample").click()
    new_page.wait_for_url(re.compile(r"/run\?id=1$"))
    complete(new_page)
    expect(new_page.get_by_role("heading", level=1)).to_have_text("Medication directions: first fine-tuning")
    expect(new_page.get_by_text("Queued:")).to_contain_text("worker")
    shot(new_page, "run-queued")
    visit(new_page, "/datasets")
    expect(new_page.get_by_role("row")).to_have_count(6)
