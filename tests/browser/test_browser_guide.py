"""From a question to a training run: the guide by keyboard alone, then the form it fills in."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.looking import complete, tab_to, visit
from tests.running import RunningStudio


def test_answers_by_keyboard_lead_to_a_started_run(
    page: Page, studio: RunningStudio, data: dict[str, int], trained: int, shot: Callable[..., None]
) -> None:
    visit(page, "/guide")
    answer_by_keyboard(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("SFT")
    expect(page.get_by_text("Labelled examples with one right output per input")).to_be_visible()
    shot(page, "guide-answer")

    tab_to(page, "Use this")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/new-run\?"))
    complete(page)
    start = page.locator("#new-run-start")
    expect(page.get_by_role("link", name="SFT", exact=True)).to_be_visible()
    expect(page.get_by_label("Supervised fine-tuning")).to_be_checked()
    expect(page.get_by_label("Base model", exact=True)).to_have_value("1")  # the only one there is
    shot(page, "new-run-from-guide")

    choose(page, "Dataset", "Directions · v1")
    expect(start).to_be_enabled()
    expect(start).to_have_text("Start")
    choose(page, "Held-out data", "Held out · v1")
    page.get_by_label("Name", exact=True).fill("From the guide")
    page.locator("#new-run-all > summary").click()
    page.get_by_label("Maximum of steps", exact=True).fill("10")
    expect(page.locator("#new-run-summary")).to_contain_text("the maximum that is set")
    shot(page, "new-run-ready")
    start.click()
    page.wait_for_url(re.compile(r"/run\?id=\d+$"))
    complete(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("From the guide")
    run = int(page.url.rpartition("=")[2])
    row = studio.rows("SELECT dataset_version_id, held_out_id FROM run WHERE id = :run", run=run)[0]
    assert tuple(row) == (data["labelled"], data["held_out"])
    config = studio.finish(run)
    assert (config["adapter"], config["parameters"]["max_steps"]) == ("lora", 10)


def answer_by_keyboard(page: Page) -> None:
    keys = page.keyboard
    tab_to(page, "Sorts into categories")
    keys.press("Space")
    keys.press("ArrowDown")
    expect(page.get_by_label("Pulls out structured data")).to_be_checked()
    next_step(page, "What goes wrong today?")
    tab_to(page, "I have not tested it yet")
    keys.press("Space")
    for _ in range(4):
        keys.press("ArrowDown")
    expect(page.get_by_label("It gets the task wrong")).to_be_checked()
    next_step(page, "How far have you got")
    tab_to(page, "Nothing yet")
    keys.press("Space")
    keys.press("ArrowDown")
    next_step(page, "What data do you have")
    tab_to(page, "Labelled examples")
    keys.press("ControlOrMeta+a")
    keys.type("500")
    tab_to(page, "Skip to the answer")
    keys.press("Enter")
    page.wait_for_url(re.compile("recommendation="))
    complete(page)


def next_step(page: Page, title: str) -> None:
    tab_to(page, "Next")
    page.keyboard.press("Enter")
    expect(page.locator("#guide-title")).to_contain_text(title)
    expect(page.locator("#guide-title")).to_be_focused()


def choose(page: Page, label: str, words: str) -> None:
    """One option of a dropdown, by words it begins with."""
    dropdown = page.get_by_label(label, exact=True)
    options = dropdown.locator("option").all_inner_texts()
    dropdown.select_option(label=next(option for option in options if option.startswith(words)))
