"""The form of a new run in a browser: techniques switched, graders added and tried, several values, Start."""

import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import REFUSED, Guard
from tests.browser.looking import complete, fits, focused, inaccessible, visit
from tests.running import SAMPLE, RunningStudio

WINDOWS = ((1440, 900), (390, 844))


def test_a_technique_is_found_by_another_name_and_brings_its_own_form(page: Page, trained: int) -> None:
    visit(page, "/new-run")
    search = page.get_by_label("Find a technique")
    search.fill("kahneman")
    offers = page.locator("#technique-offers .offer:visible")
    expect(offers).to_have_count(1)
    expect(offers).to_contain_text("KTO")
    search.press("Enter")
    page.keyboard.press("Space")
    expect(page.locator(".chosen-one h3")).to_contain_text("KTO")
    page.keyboard.press("Enter")
    expect(page.locator("#technique-chooser")).not_to_have_attribute("open", "")
    expect(page.locator("[data-path='parameters:packing']")).to_have_count(0)
    page.reload()
    complete(page)
    expect(page.locator(".chosen-one h3")).to_contain_text("KTO")


def test_nothing_that_is_being_typed_is_overwritten(page: Page, data: dict[str, int], trained: int) -> None:
    visit(page, f"/new-run?technique=sft&model=1&dataset={data['labelled']}")
    rate = page.get_by_label("Learning rate", exact=True)
    expect(rate).to_have_value("0.01")
    page.get_by_role("radio", name=re.compile("^Full")).check(force=True)
    rate.click()
    expect(rate).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    for letter in "0.00345":
        page.keyboard.type(letter)
        page.wait_for_timeout(120)  # slower than an answer, quicker than the pause before one is asked for
    expect(page.locator("#new-run-changes")).to_contain_text("1 setting changed")
    expect(rate).to_have_value("0.00345")
    expect(rate).to_be_focused()
    page.get_by_role("radio", name=re.compile("^LoRA")).check(force=True)
    expect(rate).to_have_value("0.00345")
    page.get_by_label("Epochs", exact=True).fill("2e0")
    page.get_by_label("Epochs", exact=True).blur()
    expect(page.get_by_label("Epochs", exact=True)).to_have_value("2")
    page.get_by_role("button", name="Reset to the recommendation").click()
    expect(rate).to_have_value("0.01")
    expect(page.get_by_label("Epochs", exact=True)).to_have_value("10")
    rate.fill("fast")
    expect(page.locator("#new-run-start")).to_have_text("Check the learning rate to start")
    expect(rate).to_have_attribute("aria-invalid", "true")
    page.reload()
    complete(page)
    expect(rate).to_have_value("fast")


def test_graders_are_added_tried_and_shown_to_everybody(
    page: Page, data: dict[str, int], trained: int, shot: Callable[..., None]
) -> None:
    visit(page, f"/new-run?technique=grpo&model=1&dataset={data['labelled']}")
    start = page.locator("#new-run-start")
    expect(start).to_have_text("Choose a grader to start")
    page.locator("#grader-chooser > summary").click()
    page.get_by_label("Find a grader").fill("exact")
    page.locator("#grader-offers button:visible").first.click()
    expect(page.locator("#grader-g1")).to_be_visible()
    expect(start).to_have_text("Start")
    expect(page.get_by_label("Name", exact=True).first).to_be_focused()
    page.locator("#grader-import > summary").click()
    page.locator("#import-text").fill(
        '{"type": "string_check", "name": "same", "operation": "eq",'
        ' "input": "{{sample.output_text}}", "reference": "{{item.reference_answer}}"}'
    )
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator(".grader")).to_have_count(2)
    page.get_by_role("button", name="Move up").click()
    expect(page.locator(".grader").first).to_have_attribute("data-key", "g2")
    page.locator("#grader-try > summary").click()
    page.get_by_role("button", name="Score it").click()
    expect(page.locator("[data-sum]")).to_have_text("2")
    page.get_by_label("Answer to score").fill("something else")
    page.get_by_role("button", name="Score it").click()
    expect(page.locator("[data-sum]")).to_have_text("0")
    page.get_by_role("button", name="Next row").click()
    expect(page.locator(".trial")).to_contain_text("Row 2 of Directions")
    expect(page.get_by_role("link", name="Open the reward lab")).to_have_attribute(
        "href", re.compile("draft=")
    )
    page.locator("#new-run-all > summary").click()
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function("(theme) => document.documentElement.dataset.theme === theme", arg=theme)
            assert fits(page)
            shot(page, f"new-run-graders-{width}-{theme}", whole=True)
            assert inaccessible(page) == []
    page.get_by_role("button", name="Remove Exact match").click()
    expect(page.locator(".grader")).to_have_count(1)


def test_several_seeds_become_several_runs(
    page: Page, studio: RunningStudio, data: dict[str, int], trained: int, shot: Callable[..., None]
) -> None:
    visit(page, f"/new-run?technique=sft&adapter=full&model=1&dataset={data['labelled']}")
    page.locator("#new-run-all > summary").click()
    page.get_by_label("Find a setting").fill("steps")
    page.get_by_label("Maximum of steps", exact=True).fill("2")
    page.get_by_label("Find a setting").fill("sample")
    page.get_by_label("Sample prompts", exact=True).fill("0")
    page.locator("#new-run-sweep > summary").click()
    page.locator("#vary").select_option("seed")
    values = page.get_by_label("Seed: values")
    expect(values).to_be_focused()
    assert focused(page).startswith("Seed: values")
    values.fill("1, 2")
    start = page.locator("#new-run-start")
    expect(start).to_have_text("Start 2 runs")
    shot(page, "new-run-sweep", whole=True)
    start.click()
    page.wait_for_url(re.compile(r"/runs\?sweep=\d+$"))
    runs = studio.rows("SELECT id, seed FROM run WHERE sweep_id IS NOT NULL ORDER BY id DESC LIMIT 2")
    assert {seed for _, seed in runs} == {1, 2}
    for run, _ in runs:
        studio.finish(run)


def test_a_refused_start_leads_to_the_field_it_is_about(
    page: Page, guard: Guard, data: dict[str, int], trained: int
) -> None:
    guard.allow(REFUSED)
    same = data["labelled"]
    visit(page, f"/new-run?technique=sft&model=1&dataset={same}&held_out={same}")
    expect(page.locator("#new-run-start")).to_have_text("Start")
    page.locator("#new-run-start").click()
    expect(page.locator("#new-run-summary")).to_contain_text("only show what was memorised")
    expect(page.get_by_label("Held-out data", exact=True)).to_be_focused()
    expect(page.locator("#toasts")).to_contain_text("training data")


def test_a_trace_is_made_while_the_studio_goes_on_answering(
    page: Page, data: dict[str, int], trained: int, studio: RunningStudio, shot: Callable[..., None]
) -> None:
    visit(page, f"/new-run?technique=sft&model=1&dataset={data['labelled']}")
    page.get_by_role("button", name="Trace it").click()
    traced = page.locator("#new-run-summary .traced")
    waited = []
    while not traced.count():
        began = time.monotonic()
        assert studio.api.get("/parts/runs").status_code == 200
        waited.append(time.monotonic() - began)
        page.wait_for_timeout(200)
        assert len(waited) < 900
    assert len(waited) > 5, "it was there before anybody could have waited"
    assert statistics.median(waited) < 0.5
    shot(page, "new-run-traced")
    page.reload()
    complete(page)
    expect(traced).to_contain_text("the formula says")
    page.get_by_label("Longest row", exact=True).fill("64")
    expect(page.get_by_role("button", name="Trace it")).to_be_visible()
    expect(traced).to_have_count(0)


def test_a_chain_is_started_and_each_of_its_runs_leads_to_the_others(
    page: Page, data: dict[str, int], trained: int, studio: RunningStudio, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join((SAMPLE / "preference.jsonl").read_text().splitlines(keepends=True)[:20]))
    judged = studio.upload(pairs, "Judged")["id"]
    visit(page, f"/new-run?technique=ppo&model=1&dataset={data['held_out']}")
    page.get_by_text("Learn the reward first").click()
    page.get_by_label("Learn the reward from").select_option(str(judged))
    page.get_by_label("Teach it first with").select_option(str(data["labelled"]))
    start = page.get_by_role("button", name="Start 3 runs")
    expect(start).to_be_enabled()
    assert not inaccessible(page)
    start.click()
    page.wait_for_url(re.compile(r"/run\?id=\d+$"))
    first = int(page.url.rpartition("=")[2])
    followers = page.locator("#run-header [data-key=followers]")
    expect(followers).to_contain_text("Reward model")
    followers.get_by_role("link").last.click()
    page.wait_for_url(f"**/run?id={first + 2}")
    origins = page.locator("#run-header [data-key=origins]")
    expect(origins).to_have_text(re.compile("^Goes on from SFT .* → Reward model "))
    expect(page.get_by_role("link", name="Queue what follows")).to_be_visible()
    for run in (first + 2, first + 1, first):
        studio.api.post(f"/api/runs/{run}/stop")
        studio.finish(run, state="cancelled")
