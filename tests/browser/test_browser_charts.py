"""Charts as a person uses them: zoom, axes, a place read in all of them, marks, groups, twenty runs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.looking import await_plot, inaccessible, traces, visit
from tests.browser.test_browser_run import drag
from tests.running import RunningStudio

STEPS = 6000
BEGAN = 1_700_000_000
MARKS = ".chart-mark"


def logged(seed: int, steps: int) -> str:
    """A CSV as trackers export it: a step each two seconds, 100 tokens a step, a loss no two steps share."""
    rows = [
        f"{step},{BEGAN + 2 * step},{100 * step},{3 - step / steps + seed / 10 + (step * 7919 % 1000) / 1e5}"
        for step in range(1, steps + 1)
    ]
    return "\n".join(["step,timestamp,num_tokens,loss", *rows])


def imported(studio: RunningStudio, name: str, seed: int, steps: int) -> int:
    asked = {"file": "logged.csv", "name": name}
    answer = studio.api.post("/api/runs/import", params=asked, content=logged(seed, steps).encode())
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


@pytest.fixture(scope="module")
def long(studio: RunningStudio) -> int:
    """A finished run of which a page holds a fifth of the points."""
    return imported(studio, "Long", 0, STEPS)


@pytest.fixture(scope="module")
def many(studio: RunningStudio) -> list[int]:
    """Twenty short finished runs."""
    return [imported(studio, f"Number {number:02}", number, 80) for number in range(20)]


def compare(page: Page, runs: list[int]) -> None:
    visit(page, f"/compare?runs={','.join(map(str, runs))}")
    page.locator('[data-metric="loss"]').scroll_into_view_if_needed()
    await_plot(page, "plot.data.length")


def plot(page: Page, metric: str = "loss") -> Locator:
    return page.locator(f'[data-metric="{metric}"] .chart-plot')


def test_a_metric_that_is_logged_later_gets_a_chart_with_its_words(
    page: Page, studio: RunningStudio, train: Callable[..., int]
) -> None:
    run = train("Measured later", max_steps=60, eval_steps=30, sample_prompts=0)
    visit(page, f"/run?id={run}")
    studio.reach(run, 5)
    await_plot(page, "plot.data.length")
    expect(page.locator('[data-metric="eval_loss"] h3')).to_have_text("Held-out loss", timeout=60_000)
    studio.finish(run)


def test_zooming_in_shows_every_point_there_is(page: Page, long: int, shot: Callable[..., None]) -> None:
    visit(page, f"/run?id={long}")
    await_plot(page, "plot.data.length")
    before = traces(page)[0]["x"]
    assert len(before) < STEPS / 2
    drag(page, page.locator('[data-metric="loss"] .nsewdrag').first, 0.4, 0.45)
    await_plot(page, "plot.data[0].x.length > 200")
    shown = traces(page)[0]["x"]
    assert shown == list(range(int(shown[0]), int(shown[-1]) + 1))
    assert 0.39 * STEPS < shown[0] < shown[-1] < 0.46 * STEPS
    shot(page, "charts-zoomed")
    page.get_by_role("button", name="Show all steps: Loss", exact=True).click()
    await_plot(page, "plot.data[0].x.length === arg", arg=len(before))


def test_the_axis_is_steps_time_or_tokens_and_stays_so(page: Page, long: int) -> None:
    visit(page, f"/run?id={long}")
    await_plot(page, "plot.data.length")
    axis = page.get_by_label("Axis")
    axis.select_option("Time")
    await_plot(page, "plot.layout.xaxis.title?.text === 'hours since the first point'")
    hours = traces(page)[0]["x"]
    assert (hours[0], hours[-1]) == (0, pytest.approx(2 * (STEPS - 1) / 3600, abs=1e-6))
    page.reload()
    await_plot(page, "plot.layout.xaxis.title?.text === 'hours since the first point'")
    axis.select_option("Tokens")
    await_plot(page, "plot.layout.xaxis.title?.text === 'tokens seen'")
    tokens = traces(page)[0]["x"]
    assert (tokens[0], tokens[-1]) == (100, 100 * STEPS)
    drag(page, page.locator('[data-metric="loss"] .nsewdrag').first, 0.5, 0.53)
    await_plot(page, "plot.data[0].x.length > 150")
    assert all(place % 100 == 0 for place in traces(page)[0]["x"])
    axis.select_option("Steps")
    await_plot(page, "!plot.layout.xaxis.title?.text")


def test_a_place_is_read_in_all_charts_by_mouse_and_by_keyboard(page: Page, long: int) -> None:
    visit(page, f"/run?id={long}")
    await_plot(page, "plot.data.length")
    await_plot(page, "plot.data.length", "num_tokens")
    plot(page).hover()
    tip = page.locator('[data-metric="loss"] .chart-tip')
    expect(tip).to_contain_text(re.compile(r"step [\d,]+"))
    expect(page.locator('[data-metric="num_tokens"] .crosshair')).to_be_visible()
    plot(page).focus()
    said = "aria-valuetext"
    page.keyboard.press("Home")
    expect(plot(page)).to_have_attribute(said, "step 1: 3.009")
    page.keyboard.press("ArrowRight")
    expect(plot(page)).to_have_attribute(said, re.compile(r"step [2-9]: 3\.0\d\d"))
    page.keyboard.press("End")
    expect(plot(page)).to_have_attribute(said, f"step {STEPS:,}: 2")
    expect(page.locator('[data-metric="num_tokens"] .chart-now')).to_have_text("600,000")
    assert inaccessible(page) == []
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    expect(page.locator(".crosshair:visible")).to_have_count(0)


def test_what_happened_to_a_run_is_marked(page: Page, trained: int, shot: Callable[..., None]) -> None:
    visit(page, f"/run?id={trained}")
    await_plot(page, "plot.data.length")
    chart = page.locator('[data-metric="loss"]')
    kept = chart.locator(f'{MARKS}[data-kind="checkpoint"]')
    expect(kept.first.locator("i")).to_have_attribute("title", re.compile(r"Checkpoint.* · step \d+"))
    expect(chart.locator(f'{MARKS}[data-kind="evaluation"]')).to_have_count(3)
    shot(page, "charts-marked")
    chart.get_by_text("Table", exact=True).click()
    table = chart.locator("table.marked")
    expect(table.get_by_role("row").filter(has_text="Checkpoint").first).to_be_visible()
    expect(chart.get_by_role("link", name="Directions, first")).to_have_attribute(
        "href", f"/api/runs/{trained}/metrics.csv"
    )
    button = page.get_by_role("button", name="Marks", exact=True)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(page.locator(MARKS)).to_have_count(0)


def test_a_chart_is_saved_as_svg_and_its_points_as_csv(page: Page, long: int) -> None:
    visit(page, f"/run?id={long}")
    await_plot(page, "plot.data.length")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as SVG: Loss", exact=True).click()
    assert saved.value.suggested_filename == "loss.svg"
    assert "<svg" in Path(saved.value.path()).read_text()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the points drawn as CSV: Loss", exact=True).click()
    assert saved.value.suggested_filename == "loss-points-drawn.csv"
    lines = Path(saved.value.path()).read_text().splitlines()
    assert lines[0] == "run,step,value"
    assert 900 < len(lines) <= 1201


def test_twenty_runs_are_told_apart(page: Page, many: list[int], shot: Callable[..., None]) -> None:
    compare(page, many)
    legend = page.get_by_role("group", name="Lines shown").get_by_role("button")
    expect(legend).to_have_count(20)
    page.get_by_label("Filter the legend").fill("number 07")
    expect(page.get_by_role("group", name="Lines shown").get_by_role("button")).to_have_count(1)
    legend.first.focus()
    dimmed = (
        "[...plot.querySelectorAll('.scatterlayer .trace')].filter((line) => line.style.opacity < 0.5).length"
    )
    await_plot(page, f"{dimmed} === 19")
    shot(page, "charts-twenty")
    page.get_by_label("Filter the legend").fill("")
    await_plot(page, f"{dimmed} === 0")
    plot(page).hover()
    tip = page.locator('[data-metric="loss"] .chart-tip')
    expect(tip.get_by_role("listitem", include_hidden=True)).to_have_count(8)
    expect(tip).to_contain_text("and 12 further away")


def test_a_group_is_a_mean_and_a_band(page: Page, many: list[int], shot: Callable[..., None]) -> None:
    """Runs of a group differ by a constant, so that its mean and its spread are known."""
    compare(page, many[:6])
    grouped = [{"title": "<b>Low</b>", "runs": many[:3]}, {"title": "High", "runs": many[3:5]}]
    board = page.locator("[data-charts]")
    board.evaluate("(board, grouped) => (board.dataset.groups = JSON.stringify(grouped))", grouped)
    await_plot(page, "plot.data.length === 11")
    lines = traces(page)
    assert [line["opacity"] for line in lines] == [0.25] * 3 + [1] * 3 + [0.25] * 2 + [1] * 3
    low, high, mean = lines[3:6]
    assert mean["y"][0] == pytest.approx(3 - 1 / 80 + 0.1 + 0.00919, abs=1e-4)
    assert high["y"][0] - low["y"][0] == pytest.approx(0.2, abs=1e-4)
    entry = page.get_by_role("button", name="<b>Low</b>")
    expect(entry).to_contain_text("3 runs, mean ± standard deviation")
    expect(page.get_by_role("button", name="High")).to_contain_text("2 runs, mean and lowest to highest")
    shot(page, "charts-grouped")
    entry.click()
    await_plot(page, "plot.data.length === 5")
