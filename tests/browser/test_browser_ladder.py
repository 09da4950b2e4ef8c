"""Letting a use case climb from its ladder: started, watched, stopped; and what a climb to the end leaves."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests import climbing
from tests.browser import looking
from tests.browser.looking import visit
from tests.running import RunningStudio


def test_a_climb_is_started_watched_and_stopped(
    page: Page, studio: RunningStudio, tmp_path: Path, shot: Callable[..., None]
) -> None:
    project = climbing.small(studio, tmp_path, "Directions to climb")
    visit(page, f"/ladder?project={project}")
    expect(page.get_by_role("heading", name="The ladder of Directions to climb")).to_be_visible()
    page.get_by_label("Up to phase").select_option("1")
    page.get_by_label("At most, hours").fill("0.5")
    page.get_by_role("button", name="Let it climb").click()
    climb = page.locator("section[data-key=climb]")
    expect(climb).to_contain_text("climbing")
    expect(climb).to_contain_text("Measure the starting point")
    expect(climb).to_contain_text("it was to climb no higher", timeout=90_000)
    rungs = page.locator("section[data-key=chart] li")
    expect(rungs).to_have_count(5)
    expect(rungs.nth(1)).to_contain_text(re.compile(r"\d %\s*\d.* % to \d"))
    expect(page.locator("section[data-key=says]")).to_contain_text("60 labelled examples")
    shot(page, "ladder-measured", whole=True)
    assert looking.inaccessible(page) == []

    page.get_by_role("button", name="Let it climb").click()
    expect(climb.get_by_role("button", name="Stop")).to_be_visible()
    climb.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop climbing").click()
    expect(climb).to_contain_text("Somebody stopped it.")
    expect(page.get_by_role("button", name="Let it climb")).to_be_visible()


def test_what_the_numbers_say_opens_the_filled_form(
    page: Page, studio: RunningStudio, tmp_path: Path
) -> None:
    project = climbing.small(studio, tmp_path, "Directions to go on with")
    measured = studio.api.post(f"/api/ladders/{project}/measure").raise_for_status().json()
    studio.finish(measured["id"])
    visit(page, f"/evaluate?id={measured['id']}")
    page.get_by_role("button", name="Set up SFT").click()
    page.wait_for_url("**/new-run?draft=*")
    looking.complete(page)
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
