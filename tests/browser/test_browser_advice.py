"""The answer card: decided, priced and kept, by keyboard; and the page that remembers."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser import looking
from tests.browser.looking import tab_to, visit
from tests.running import RunningStudio

ANSWERS = {"main_gap": "task_accuracy", "phase_done": "1", "n_labelled": "800", "stakes": "high"}


def test_another_technique_is_taken_by_keyboard_and_remembered(
    page: Page, studio: RunningStudio, trained: int, shot: Callable[..., None]
) -> None:
    visit(page, f"/guide?recommendation={advice(studio)}")
    own = page.locator("section[data-key=own]")
    expect(own).to_contain_text("Supervised fine-tuning")
    tab_to(page, "Take another technique")
    page.keyboard.press("Enter")
    tab_to(page, "Technique")
    page.keyboard.type("DPO")
    tab_to(page, "Why")
    page.keyboard.type("Our experts compared answers already")
    shot(page, "guide-answer-deciding")
    assert looking.inaccessible(page) == []
    tab_to(page, "Take it instead")
    page.keyboard.press("Enter")
    expect(page.get_by_text("DPO is taken instead")).to_be_visible()
    expect(page.get_by_role("link", name="Open the form for DPO")).to_be_visible()
    page.get_by_role("link", name="How earlier advice turned out").click()
    page.wait_for_url("**/advice")
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("another taken")
    expect(row).to_contain_text("Our experts compared answers already")
    shot(page, "advice")


def test_a_price_set_on_the_card_gives_a_cost(page: Page, studio: RunningStudio, trained: int) -> None:
    visit(page, f"/guide?recommendation={advice(studio)}")
    own = page.locator("section[data-key=own]")
    expect(own).to_contain_text("is set to cost nothing")
    own.get_by_text("Change prices").click()
    own.get_by_label("Currency").fill("EUR")
    own.get_by_label("A processor, an hour").fill("0.12")
    own.get_by_role("button", name="Keep").click()
    expect(own).to_contain_text("0.12 EUR an hour")
    visit(page, "/settings")
    expect(page.get_by_label("A processor, an hour")).to_have_value("0.12")
    studio.api.put("/api/prices", json={"currency": "USD", "cpu_hour": 0})


def test_the_card_is_kept_as_a_pdf(page: Page, studio: RunningStudio) -> None:
    number = advice(studio)
    visit(page, f"/guide?recommendation={number}")
    with page.expect_download() as kept:
        page.get_by_role("link", name="PDF").click()
    assert kept.value.suggested_filename == f"advice-{number}-sft.pdf"
    assert kept.value.path().read_bytes().startswith(b"%PDF")


def advice(studio: RunningStudio) -> int:
    draft = studio.api.post("/api/guide/drafts", json={"answers": ANSWERS}).json()["draft"]
    return int(studio.api.post(f"/api/guide/drafts/{draft}/finish").json()["id"])
