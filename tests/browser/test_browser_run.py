"""A run as a person watches it: live curves, what survives, what can be done with it."""

import re
import signal
import statistics
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import REFUSED, UNREACHABLE, Guard
from tests.browser.looking import (
    await_plot,
    await_redraws,
    complete,
    drawn_band,
    shown_range,
    traces,
    visit,
)
from tests.running import RunningStudio

NOTE_DRAWN = (Path(__file__).parent / "drawing.js").read_text()
FIRST_POINT = 2.0  # seconds from logged to drawn


def test_points_are_drawn_as_they_are_logged_and_a_reload_loses_none(
    page: Page, studio: RunningStudio, train: Callable[..., int], shot: Callable[..., None]
) -> None:
    run = train("Watched", eval_steps=1000)
    visit(page, f"/run?id={run}")
    page.evaluate(NOTE_DRAWN)
    page.wait_for_function("Object.keys(drawn).length >= 20")
    shot(page, "run-live")
    expect(page.locator("#run-now")).to_contain_text("Time left")
    expect(page.locator("#run-header .chip")).to_have_text("done", timeout=60_000)
    page.wait_for_function("60 in drawn")
    drawn = {int(step): at / 1000 for step, at in page.evaluate("drawn").items()}
    logged = studio.logged(run)
    waited = [drawn[step] - logged[step] for step in range(1, 61)]
    assert waited[0] <= FIRST_POINT, waited
    assert statistics.median(waited) <= 1.5, waited
    page.reload()
    complete(page)
    await_plot(page, "plot.data.length")
    assert traces(page)[0]["x"] == list(range(1, 61))
    page.locator("[data-metric=mean_token_accuracy]").scroll_into_view_if_needed()
    await_plot(page, "plot.data.length", "mean_token_accuracy")
    assert len(traces(page, "mean_token_accuracy")[0]["x"]) == 60


def test_a_healthy_range_is_seen_said_and_missed_in_words(
    page: Page, trained: int, studio: RunningStudio, train: Callable[..., int], shot: Callable[..., None]
) -> None:
    """The band fills what the axis shows of the range; the axis does not reach for a far end of it."""
    broken = train("Broken", learning_rate=0.5, max_steps=8, save_steps=100, sample_prompts=0)
    visit(page, f"/run?id={trained}")
    chart = page.locator('[data-metric="mean_token_accuracy"]')
    expect(chart.get_by_text("Healthy: above 0.3", exact=True)).to_be_visible()
    expect(chart.get_by_role("button", name=re.compile("Healthy: above 0.3.*arXiv"))).to_be_visible()
    expect(page.locator('[data-metric="loss"]').get_by_text("Healthy")).to_have_count(0)
    chart.scroll_into_view_if_needed()
    await_plot(page, "plot.layout.shapes.length", "mean_token_accuracy")
    values, band = traces(page, "mean_token_accuracy")[0]["y"], drawn_band(page, "mean_token_accuracy")
    low, high = band["axis"]
    assert low < min(values) <= max(values) < high < 1.1
    assert (band["y0"], band["y1"]) == (max(0.3, low), high)
    expect(chart.locator(".missed")).to_have_count(0)
    page.emulate_media(color_scheme="dark")
    await_plot(page, "plot.layout.shapes[0].fillcolor !== arg", "mean_token_accuracy", band["fill"])
    shot(page, "run-healthy-dark")
    studio.finish(broken)
    visit(page, f"/run?id={broken}")
    expect(chart.locator(".missed")).to_have_text("too low")
    expect(page.locator("#run-now")).to_contain_text("too low: healthy is above 0.3")
    shot(page, "run-broken-dark")


def test_zoom_and_a_hidden_run_survive_updates(
    page: Page, trained: int, studio: RunningStudio, train: Callable[..., int], shot: Callable[..., None]
) -> None:
    run = train("Zoomed", max_steps=400, eval_steps=1000)
    visit(page, f"/compare?runs={trained},{run}")
    studio.reach(run, 5)
    await_plot(page, "new Set(plot.data.map((line) => line.name)).size === 2")
    page.get_by_role("button", name="Directions, first").click()
    hand = page.locator('[data-metric="loss"] .nsewdrag').first
    drag(page, hand, 0.2, 0.5)
    await_plot(page, "plot.layout.xaxis.range")
    zoomed = shown_range(page)
    await_redraws(page, 3)
    shot(page, "compare-zoomed")
    assert shown_range(page) == zoomed
    assert {line["name"] for line in traces(page)} == {"Zoomed"}
    expect(page.get_by_role("button", name="Directions, first")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Show all steps: Loss", exact=True).click()
    page.get_by_role("button", name="Directions, first").click()
    await_plot(page, "new Set(plot.data.map((line) => line.name)).size === 2")
    studio.api.post(f"/api/runs/{run}/stop")
    studio.finish(run, state="cancelled")


def test_a_restarted_web_process_is_waited_for(
    page: Page, guard: Guard, studio: RunningStudio, train: Callable[..., int], shot: Callable[..., None]
) -> None:
    guard.allow(UNREACHABLE)
    run = train("Interrupted", max_steps=400, eval_steps=1000)
    visit(page, f"/run?id={run}")
    await_plot(page, "plot.data.length")
    studio.part("web").send_signal(signal.SIGKILL)
    bar = page.get_by_text("Connection lost")
    expect(bar).to_be_visible(timeout=15_000)
    shot(page, "connection-lost")
    before = len(traces(page)[0]["x"])
    expect(bar).to_be_hidden(timeout=60_000)
    await_plot(page, "plot.data[0].x.length > arg", arg=before)
    steps = traces(page)[0]["x"]
    assert steps == list(range(1, len(steps) + 1))
    studio.api.post(f"/api/runs/{run}/stop")
    studio.finish(run, state="cancelled")


def test_a_run_is_stopped_and_goes_on_where_it_was(
    page: Page, studio: RunningStudio, train: Callable[..., int], shot: Callable[..., None]
) -> None:
    run = train("Stopped", eval_steps=1000, sample_prompts=0)
    visit(page, f"/run?id={run}")
    studio.reach(run, 5)
    page.get_by_role("button", name="Stop", exact=True).click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("saves a checkpoint first")
    question.get_by_role("button", name="Stop the run").click()
    chip = page.locator("#run-header .chip")
    expect(chip).to_have_text("stopped", timeout=30_000)
    shot(page, "run-stopped")
    stopped_at = studio.show(run)["step"]
    assert 5 <= stopped_at < 60
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(chip).to_have_text("done", timeout=60_000)
    assert [step for _, step, values in studio.metric_rows(run) if '"loss"' in values] == list(range(1, 61))
    expect(page.get_by_role("link", name="Chat with it")).to_be_visible()
    visit(page, f"/run?id={run}&tab=history")
    expect(page.locator("#run-view")).to_contain_text(re.compile("stop", re.IGNORECASE))


def test_the_tabs_of_a_run_show_answers_settings_and_log(
    page: Page, trained: int, shot: Callable[..., None]
) -> None:
    visit(page, f"/run?id={trained}")
    page.get_by_role("link", name="Samples").click()
    answers = page.get_by_role("table", name=re.compile("answered to each sample prompt"))
    expect(answers.get_by_role("columnheader", name="Before training")).to_be_visible()
    expect(answers.get_by_role("columnheader", name="Step 60")).to_be_visible()
    shot(page, "run-samples-before-and-after")
    page.get_by_role("link", name="Settings").last.click()
    expect(page.get_by_role("row", name=re.compile("max_steps"))).to_contain_text("60")
    page.get_by_role("link", name="Log").click()
    expect(page.locator("#log")).not_to_be_empty()
    page.go_back()
    expect(page.get_by_role("row", name=re.compile("max_steps"))).to_be_visible()


def test_a_clone_with_another_learning_rate_is_compared_with_its_origin(
    page: Page, trained: int, studio: RunningStudio, shot: Callable[..., None]
) -> None:
    visit(page, f"/run?id={trained}")
    page.get_by_role("link", name="Clone with changes").click()
    page.wait_for_url("**/new-run?clone=*")
    complete(page)
    rate = page.get_by_label("Learning rate", exact=True)
    expect(rate).to_have_value("0.002")
    rate.fill("0.001")
    changed = page.locator("#new-run-changes")
    expect(changed).to_contain_text("1 setting changed from run")
    expect(page.locator("#new-run-start")).to_be_enabled()
    page.get_by_label("Name", exact=True).fill("Half the rate")
    page.locator("#new-run-start").click()
    page.wait_for_url(re.compile(r"/run\?id=\d+$"))
    clone = int(page.url.rpartition("=")[2])
    assert studio.rows("SELECT parent_id FROM run WHERE id = :run", run=clone)[0][0] == trained
    studio.finish(clone)

    visit(page, "/runs")
    for name in ("Directions, first", "Half the rate"):
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))
        expect(row).to_contain_text("done")
        expect(row).to_contain_text("SFT · Full")
        row.get_by_role("checkbox", name=f"Choose {name}").check()
    shot(page, "runs-chosen")
    page.get_by_role("link", name="Compare 2 runs").click()
    page.wait_for_url(f"**/compare?runs={trained},{clone}")
    complete(page)
    await_plot(page, "plot.data.length")
    assert {line["name"] for line in traces(page)} == {"Directions, first", "Half the rate"}
    assert all(len(line["x"]) == 60 for line in traces(page))
    settings = page.locator("table.diff tbody tr")
    expect(settings).to_have_count(1)
    expect(settings.get_by_role("rowheader")).to_have_text("Learning rate")
    expect(settings.get_by_role("cell")).to_have_text(["0.002", "0.001"])
    shot(page, "compare", whole=True)


def test_a_run_that_is_gone_says_so(page: Page, guard: Guard) -> None:
    guard.allow(REFUSED)
    visit(page, "/run?id=99999")
    expect(page.get_by_role("heading", name="There is no such run")).to_be_visible()


def drag(page: Page, area: Locator, start: float, end: float) -> None:
    """From one share of its width to another, at half its height."""
    box = area.bounding_box()
    assert box
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], height)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], height, steps=5)
    page.mouse.up()


def test_answers_of_any_step_are_put_beside_each_other_by_keyboard(page: Page, trained: int) -> None:
    visit(page, f"/run?id={trained}&tab=samples")
    heads = page.locator(".samples thead th")
    expect(heads).to_have_text(["Prompt", "Before training", "Step 36", "Step 60"])
    page.get_by_role("link", name="Step 12").focus()
    page.keyboard.press("Enter")
    expect(heads).to_have_text(["Prompt", "Before training", "Step 12", "Step 36", "Step 60"])
    assert "steps=0,12,36,60" in page.url
    page.get_by_role("link", name="Worst first").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Worst first")).to_have_attribute("aria-current", "true")
    page.reload()
    complete(page)
    expect(heads).to_have_count(5)
