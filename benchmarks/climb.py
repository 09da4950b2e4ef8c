"""A whole climb of the sample use case through the browser, unattended: the way it is asked, SFT, DPO, GRPO.

    python -m benchmarks.climb [--until 4] [--minutes 30] [--shot FILE.png]

Starts a studio of its own on an empty folder, opens the ladder page of the sample use case in Chromium, lets
it climb with one click, and looks at nothing but that page until it says that the climb has ended. Prints
what each phase reached and gained as the page shows it, and what the climb says of every step. Goal: all
phases measured within 30 minutes on two cores, and every gain with its interval, also where there was none.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.running import ROOT, RunningStudio

GOAL = 30.0  # minutes
LOAD = "from studio import sample; print(sample.load())"
VERDICTS = {"better", "open", "worse"}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--until", type=int, default=4, help="the phase to climb up to")
    options.add_argument("--minutes", type=float, default=60, help="the climb's own limit")
    options.add_argument("--shot", type=Path, help="keep a picture of the ladder")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tunesmith-climb-") as folder, sync_playwright() as player:
        chromium = player.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        studio = RunningStudio(Path(folder) / "data")
        studio.start()
        try:
            page = chromium.new_page(viewport={"width": 1440, "height": 900}, base_url=studio.url)
            took = climb(studio, page, given.until, given.minutes)
            if given.shot:
                page.screenshot(path=given.shot, full_page=True)
            return report(studio, page, given.until, took)
        finally:
            studio.close()
            chromium.close()


def climb(studio: RunningStudio, page: Page, until: int, minutes: float) -> float:
    """Lets the sample use case climb by the page's own button; minutes until the page says it has ended."""
    project = prepare(studio)
    page.goto(f"/ladder?project={project}")
    page.get_by_label("Up to phase").select_option(str(until))
    page.get_by_label("At most, hours").fill(f"{minutes / 60:.3f}")
    began = time.monotonic()
    page.get_by_role("button", name="Let it climb").click()
    page.locator("details.climb-ended").first.wait_for(timeout=(minutes + 5) * 60_000)
    return (time.monotonic() - began) / 60


def prepare(studio: RunningStudio) -> int:
    """The sample use case with its data and nothing trained; its id."""
    command = [sys.executable, "-c", LOAD]
    done = subprocess.run(
        command, cwd=ROOT, env=studio.environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def report(studio: RunningStudio, page: Page, until: int, took: float) -> int:
    """Prints the ladder as the page shows it; 0 where the goal is met."""
    project = int(re.findall(r"project=(\d+)", page.url)[0])
    print("| phase | reached (95 %) | gain over the one before (95 %) | says | time |\n|---|---|---|---|---|")
    reached = page.locator("section[data-key=chart] li")
    steps = {
        row.get_attribute("data-key"): row for row in page.locator("section[data-key=steps] tbody tr").all()
    }
    for place in range(reached.count()):
        name, figure = (words(part) for part in reached.nth(place).locator(".who b, .num").all())
        cells = [words(cell) for cell in steps[str(place)].locator("td").all()] if place else []
        print(
            "| "
            + " | ".join([name, figure, *([cells[1], cells[2], cells[4]] if cells else ["–"] * 3)])
            + " |"
        )
    ended = studio.api.get("/api/climbs", params={"project": project}).json()[0]
    print(f"\n{ended['state']}: {ended['reason']}")
    for step in ended["steps"]:
        print(f"- phase {step['phase']}, {step['title']} ({step['rule'] or 'begin'}). {step.get('says', '')}")
    rungs = studio.api.get(f"/api/ladders/{project}").json()["rungs"]
    shown = [rung for rung in rungs if 0 < rung["phase"] <= until and rung["verdict"] in VERDICTS]
    met = len(shown) == until and ended["state"] == "done" and took <= GOAL
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"\n{took:.1f} minutes on {machine}; goal ≤ {GOAL:g}: {'met' if met else 'missed'}")
    return 0 if met else 1


def words(part) -> str:
    return " ".join(part.inner_text().split())


if __name__ == "__main__":
    sys.exit(main())
