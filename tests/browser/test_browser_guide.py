"""From a question to a training run: the guide by keyboard alone, then the form it fills in."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect

from studio import db, recommendations, sample
from tests.browser.conftest import REFUSED, Guard
from tests.browser.looking import complete, focused, tab_to, visit
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


@dataclass
class Hands:
    """Somebody without a mouse. An action is what a click would be: something activated, or an answer."""

    page: Page
    actions: int = 0
    tabs: int = 0

    def go_to(self, words: str) -> None:
        while not focused(self.page).startswith(words):
            assert self.tabs < 200, f"no way to “{words}”"
            self.page.keyboard.press("Tab")
            self.tabs += 1

    def act(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.actions += 1


def test_from_opening_the_studio_to_accepted_advice_by_keyboard_alone(
    database: Path, new_page: Page, shot: Callable[..., None]
) -> None:
    project = sample.load()
    hands, began = Hands(new_page), time.monotonic()
    visit(new_page, "/")
    hands.go_to("Answer the guide")
    hands.act("Enter")
    new_page.wait_for_url(re.compile(rf"/guide\?project={project}$"))
    complete(new_page)
    for step in range(1, 9):
        form = new_page.locator(f"#guide-step-{step}")
        expect(form.locator("input").first).to_be_visible()
        new_page.wait_for_function("() => document.activeElement.form?.matches('[data-guide]')")
        if step == 5:
            expect(new_page.get_by_label("A program can")).to_be_focused()
        if step == 6:
            shot(new_page, "guide-for-use-case")
            hands.act("ArrowUp")  # the stakes are lower than the use case says
            expect(new_page.locator(".changes li")).to_have_count(1)
        hands.act("Enter")
    new_page.wait_for_url(re.compile("recommendation="))
    complete(new_page)
    expect(new_page.get_by_role("heading", level=1)).to_have_text("SFT")
    hands.go_to("Use this")
    hands.act("Enter")
    new_page.wait_for_url(re.compile(r"/new-run\?"))
    seconds = time.monotonic() - began
    print(f"{hands.actions} actions, {hands.tabs} × Tab, {seconds:.1f} s")
    with db.reading() as session:
        made = recommendations.newest(session)
        assert made is not None
        assert (made.project_id, made.decision) == (project, "accepted")
        assert made.answers["n_labelled"] == 500
    assert hands.actions <= 12
    assert hands.tabs <= 60
    assert seconds <= 90


def test_back_and_forward_keep_answers_and_the_panel_says_what_they_changed(
    page: Page, studio: RunningStudio
) -> None:
    visit(page, "/guide?step=2")
    page.get_by_label("It lacks facts, or they change").check()
    panel = page.locator(".so-far")
    expect(panel.locator("h2")).to_have_text("Prompt engineering")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Prompt engineering").check()
    newest = panel.locator(".changes li").first
    expect(newest).to_contain_text("Retrieval (RAG) instead of Prompt engineering")
    expect(page.locator("#announcer")).to_contain_text("instead of Prompt engineering")
    page.go_back()
    expect(page.get_by_label("It lacks facts, or they change")).to_be_checked()
    page.go_forward()
    expect(page.locator("#guide-step-3").get_by_label("Prompt engineering")).to_be_checked()
    page.reload()
    expect(page.locator("#guide-step-3").get_by_label("Prompt engineering")).to_be_checked()
    expect(panel.locator(".changes li")).to_have_count(2)


def answer_by_keyboard(page: Page) -> None:
    keys, hands = page.keyboard, Hands(page)
    hands.go_to("Sorts into categories")
    keys.press("Space")
    keys.press("ArrowDown")
    expect(page.get_by_label("Pulls out structured data")).to_be_checked()
    next_step(page, "What goes wrong today?")
    hands.go_to("I have not tested it yet")
    keys.press("Space")
    for _ in range(4):
        keys.press("ArrowDown")
    expect(page.get_by_label("It gets the task wrong")).to_be_checked()
    next_step(page, "How far have you got")
    hands.go_to("Nothing yet")
    keys.press("Space")
    keys.press("ArrowDown")
    next_step(page, "What data do you have")
    hands.go_to("Labelled examples")
    keys.press("ControlOrMeta+a")
    keys.type("500")
    hands.go_to("Skip to the answer")
    keys.press("Enter")
    page.wait_for_url(re.compile("recommendation="))
    complete(page)


def next_step(page: Page, title: str) -> None:
    Hands(page).go_to("Next")
    page.keyboard.press("Enter")
    expect(page.locator("#guide-title")).to_contain_text(title)
    page.wait_for_function("() => document.activeElement.matches('.asked input')")


def choose(page: Page, label: str, words: str) -> None:
    """One option of a dropdown, by words it begins with."""
    dropdown = page.get_by_label(label, exact=True)
    options = dropdown.locator("option").all_inner_texts()
    dropdown.select_option(label=next(option for option in options if option.startswith(words)))


def test_a_threshold_is_changed_and_taken_back_in_settings(
    page: Page, guard: Guard, shot: Callable[..., None]
) -> None:
    guard.allow(REFUSED)
    visit(page, "/settings")
    field = page.get_by_label("Labelled examples for SFT")
    field.fill("9000")
    field.press("Enter")
    expect(page.get_by_text("cannot be above")).to_be_visible()
    field.fill("300")
    field.press("Enter")
    row = page.locator("tr[data-key=sft_min]")
    expect(row.get_by_text("set by you")).to_be_visible()
    shot(page, "settings-thresholds", whole=True)
    page.set_viewport_size({"width": 390, "height": 844})
    row.scroll_into_view_if_needed()
    shot(page, "settings-thresholds-narrow")
    row.get_by_role("button", name="Reset Labelled examples for SFT").click()
    expect(row.get_by_text("set by you")).to_be_hidden()
    expect(field).to_have_value("500")
