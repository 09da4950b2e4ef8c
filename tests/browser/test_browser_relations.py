"""Settings against metrics, answers side by side and the report, as a person meets them on /compare."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio import db
from studio.models import Run, Sample, State
from tests import made_runs
from tests.browser.looking import fits, focused, inaccessible, tab_to, visit

RATES = (1e-5, 1e-4, 1e-3, 1e-3)
LOSSES = (0.9, 0.5, 0.7, 0.8)
LOG_ACROSS = re.compile(r'^\{"x":\{"key":"loss"[^}]*"kind":"log"')


@pytest.fixture
def compared(new_page: Page, database: Path) -> Page:
    """Four runs with answers, compared; the last two differ only in their seed."""
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        for number, (rate, loss) in enumerate(zip(RATES, LOSSES, strict=True)):
            run = made_runs.made(
                session,
                model,
                data,
                State.SUCCEEDED,
                losses=[2.0, loss],
                name=f"Run of {rate:g}, {number}",
                seed=number if number > 1 else 1,
                parameters={"learning_rate": rate, "lr_scheduler_type": "cosine" if number else "linear"},
            )
            run.latest = run.latest | {"mean_token_accuracy": 1 - loss / 2}
            for prompt in range(5):
                asked = {"prompt": f"question {prompt}", "answer": f"says {number}", "reference": "says 1"}
                scores = {"exact_match": float(number == 1)}
                session.add(Sample(run_id=run.id, step=2, number=prompt, scores=scores, **asked))
    visit(new_page, "/compare?runs=1,2,3,4")
    expect(new_page.locator("#relations-lines .mark")).to_have_count(4)
    return new_page


def kept(page: Page, where: str = "#relations-lines") -> list[str]:
    """The runs that are not filtered out."""
    return page.locator(f"{where} .mark:not(.out)").evaluate_all("all => all.map(one => one.dataset.run)")


def drag(page: Page, axis: str, start: float, end: float) -> None:
    """Along an axis, from and to shares of its height from above."""
    reach = page.locator(f'.brush-reach[data-axis="{axis}"]')
    reach.scroll_into_view_if_needed()
    box = reach.bounding_box()
    assert box
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + start * box["height"])
    page.mouse.down()
    page.mouse.move(x, box["y"] + end * box["height"], steps=5)
    page.mouse.up()


def test_dragging_along_an_axis_keeps_the_runs_that_pass_there(
    compared: Page, shot: Callable[..., None]
) -> None:
    drag(compared, "learning_rate", 0.01, 0.6)
    assert kept(compared) == ["2", "3", "4"]
    drag(compared, "loss", 0.75, 0.99)
    assert kept(compared) == ["2"]
    assert kept(compared, "#relations-points") == ["2"]
    expect(compared.get_by_text("1 of 4 runs pass the filter.")).to_be_visible()
    compared.get_by_text("Table of settings and figures").click()
    expect(compared.locator("#relations-numbers tbody tr:visible")).to_have_count(1)
    shot(compared, "compare-brushed")
    with db.transaction() as session:
        session.get_one(Run, 1).latest = {"loss": 0.52}
    compared.evaluate("studio.refresh()")
    expect(compared.locator('#relations-numbers tr[data-run="1"]')).to_contain_text("0.52")
    assert kept(compared) == ["2"]
    compared.locator('.brush-reach[data-axis="learning_rate"]').click()
    assert kept(compared) == ["1", "2"]


def test_runs_are_read_and_filtered_without_a_mouse(compared: Page) -> None:
    tab_to(compared, "Run of 0.0001, 1: Learning rate 0.0001")
    reading = compared.locator("#relations-lines .relations-reading")
    expect(reading).to_contain_text("Run of 0.0001, 1: Learning rate 0.0001")
    tab_to(compared, "Filter by values")
    compared.keyboard.press("Enter")
    tab_to(compared, "Learning rate, from")
    compared.keyboard.type("0.0005")
    assert kept(compared) == ["3", "4"]
    assert focused(compared) == "Learning rate, from"
    tab_to(compared, "Show all runs")
    compared.keyboard.press("Enter")
    assert kept(compared) == ["1", "2", "3", "4"]
    compared.get_by_role("checkbox", name="linear").uncheck()
    assert kept(compared) == ["2", "3", "4"]


def test_the_address_keeps_what_is_held_against_what(compared: Page) -> None:
    compared.locator('select[name="figure"]').select_option("mean_token_accuracy")
    expect(compared.locator("#relations-lines .axis .title").last).to_contain_text("Token accuracy")
    compared.locator('select[name="x"]').select_option("loss")
    compared.locator('select[name="scale_x"]').select_option("log")
    expect(compared.locator("#relations-points")).to_have_attribute("data-scatter", LOG_ACROSS)
    assert "figure=mean_token_accuracy" in compared.url
    compared.reload()
    expect(compared.locator("#relations-points .title")).to_have_text("Loss")
    expect(compared.locator('select[name="scale_x"]')).to_have_value("log")
    assert compared.locator("#relations-points .joined").count() == 1


def test_a_chosen_baseline_turns_the_win_rates_over(compared: Page) -> None:
    rates = compared.locator("#compare-rates")
    expect(rates.locator("tbody tr").first).to_contain_text("better")
    compared.locator('select[name="base"]').select_option("2")
    expect(rates.locator("tbody tr").first).to_contain_text("worse")
    assert "base=2" in compared.url


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(compared: Page, shot: Callable[..., None], theme: str) -> None:
    compared.emulate_media(color_scheme=theme)
    compared.get_by_text("Filter by values").click()
    compared.get_by_text("Table of settings and figures").click()
    for width in (1440, 390):
        compared.set_viewport_size({"width": width, "height": 900})
        assert fits(compared), width
        assert inaccessible(compared) == []
        shot(compared, f"compare-relations-{width}-{theme}", whole=True)


def test_the_report_can_be_taken_along_and_read_alone(compared: Page, shot: Callable[..., None]) -> None:
    compared.get_by_role("button", name="Report").click()
    with compared.expect_download() as found:
        compared.get_by_role("link", name="Report as HTML").click()
    assert found.value.suggested_filename == "comparison-runs-1-2-3-4.html"
    alone = compared.context.new_page()
    alone.goto("about:blank")
    alone.set_content(found.value.path().read_text())
    for theme, width in (("light", 1200), ("dark", 390)):
        alone.emulate_media(color_scheme=theme)
        alone.set_viewport_size({"width": width, "height": 900})
        assert fits(alone)
        shot(alone, f"report-{width}-{theme}", whole=True)
    alone.close()
    with compared.expect_download() as found:
        compared.get_by_role("link", name="Report as PDF").click()
    assert found.value.path().read_bytes().startswith(b"%PDF-")
