"""A use case, described by hand or begun from a template, in an empty studio."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser import looking
from tests.browser.conftest import DESK, REFUSED, Guard
from tests.browser.looking import complete, visit

PHONE = {"width": 390, "height": 844}


def test_an_empty_studio_is_one_click_away_from_the_wizard_and_from_a_template(
    new_page: Page, shot: Callable[..., None]
) -> None:
    visit(new_page, "/")
    shot(new_page, "home-empty", whole=True)
    new_page.get_by_role("link", name="Answer the guide").click()
    expect(new_page.locator("#guide-title")).to_be_visible()
    visit(new_page, "/")
    new_page.get_by_role("button", name="Engineering questions").click()
    new_page.wait_for_url("**/use-case?id=1")
    expect(new_page.get_by_role("heading", level=1)).to_have_text("Engineering questions")
    expect(new_page.locator(".page-head")).to_contain_text("synthetic data")
    new_page.get_by_role("link", name="Ask the guide").click()
    new_page.wait_for_url("**/guide?project=1**")
    visit(new_page, "/")
    expect(new_page.locator("aside")).to_contain_text("synthetic data")
    fit_and_are_usable(new_page, "/use-case?id=1", "use-case", shot)
    fit_and_are_usable(new_page, "/use-cases", "use-cases", shot)


def test_a_use_case_is_described_by_hand_and_nothing_typed_is_lost(
    new_page: Page, shot: Callable[..., None]
) -> None:
    visit(new_page, "/use-cases")
    new_page.get_by_role("link", name="Describe your own").click()
    complete(new_page)
    new_page.get_by_label("Which problem should a model solve?").fill("Nobody reads\nthe notes.")
    new_page.get_by_text("It costs time or money").click()
    first, second = (new_page.locator(f"[data-key=criterion-{place}]") for place in (0, 1))
    first.get_by_label("A good answer").fill("is the right label")
    first.get_by_label("Measured by").select_option("exact_match")
    first.get_by_label("Target").fill("190")
    second.get_by_label("A good answer").fill("is kind")
    expect(second.get_by_label("Rubric")).to_have_count(0)
    second.get_by_label("Measured by").select_option(label="AI judge")
    second.get_by_label("Rubric").fill("Is it kind?")
    with new_page.expect_response("**/api/use-case-drafts"):
        second.get_by_label("Rubric").blur()
    expect(first).to_contain_text("Exact match")
    new_page.reload()
    complete(new_page)
    expect(new_page.get_by_label("Which problem should a model solve?")).to_have_value(
        "Nobody reads\nthe notes."
    )
    expect(new_page.locator("[name=stakes]:checked")).to_have_value("medium")
    expect(first.get_by_label("Target")).to_have_value("190")
    expect(first.get_by_label("Measured by")).to_have_value("exact_match")
    expect(second.get_by_label("Rubric")).to_have_value("Is it kind?")
    fit_and_are_usable(new_page, "", "use-case-form", shot)


def test_a_refusal_stands_at_its_field_and_a_saved_use_case_can_be_edited(
    new_page: Page, new_guard: Guard, shot: Callable[..., None]
) -> None:
    new_guard.allow(REFUSED)
    visit(new_page, "/use-case")
    new_page.locator("[data-key=criterion-0]").get_by_label("A good answer").fill("is right")
    new_page.locator("[data-key=criterion-0]").get_by_label("Target").fill("190")
    new_page.get_by_role("button", name="Save").click()
    expect(new_page.get_by_text("Give a number from 0 to 100.")).to_be_visible()
    assert looking.focused(new_page).startswith("Target")
    new_page.keyboard.type("9")
    new_page.locator("[data-key=criterion-0]").get_by_label("Target").fill("90")
    new_page.keyboard.press("Enter")
    expect(new_page.get_by_text("A use case needs a name.")).to_be_visible()
    shot(new_page, "use-case-refused")
    new_page.keyboard.type("Notes")
    new_page.keyboard.press("Enter")
    new_page.wait_for_url("**/use-case?id=1")
    expect(new_page.locator("[data-key=criteria]")).to_contain_text("90 %")
    expect(new_page.locator("[data-key=criteria]")).to_contain_text("No grader is chosen for it.")
    new_page.get_by_role("link", name="Edit").click()
    complete(new_page)
    new_page.get_by_label("Name", exact=True).fill("Notes for patients")
    new_page.get_by_role("button", name="Save").click()
    expect(new_page.get_by_role("heading", level=1)).to_have_text("Notes for patients")
    new_page.get_by_role("button", name="Remove").click()
    new_page.get_by_role("button", name="Remove it").click()
    expect(new_page.get_by_text("No use case yet")).to_be_visible()


def fit_and_are_usable(page: Page, address: str, name: str, shot: Callable[..., None]) -> None:
    """At a desk and on a phone, light and dark; without an address, the page that is open."""
    if address:
        visit(page, address)
    for window, size in (("wide", DESK), ("narrow", PHONE)):
        page.set_viewport_size(size)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function("(theme) => document.documentElement.dataset.theme === theme", arg=theme)
            assert looking.fits(page), f"{name} is too wide for {size['width']} px"
            assert looking.inaccessible(page) == [], f"{name}, {window}, {theme}"
            shot(page, f"{name}-{window}-{theme}", whole=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESK)
