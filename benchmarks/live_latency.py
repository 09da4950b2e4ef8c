"""Point logged → point drawn: how long somebody who watches a run in Chromium waits for each point.

    python benchmarks/live_latency.py [--steps 150]

Starts a studio of its own, opens the page of a real training run on the starter model before it begins, and
notes once a frame which steps of the loss Plotly has drawn. Logged is the moment the trainer wrote the point
down. Goals: 95 of 100 points within 1.5 s, the first within 2 s.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.running import ROOT, SAMPLE, RunningStudio

GOALS = {"p95": 1.5, "first point": 2.0}
SETTINGS = {"sample_prompts": 0, "per_device_train_batch_size": 8, "max_length": 128, "save_steps": 50}
NOTE_DRAWN = (ROOT / "tests" / "browser" / "drawing.js").read_text()
SEEN = 'document.querySelector("#run-header .chip")?.textContent.trim()'


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--steps", type=int, default=150)
    steps = options.parse_args().steps
    with tempfile.TemporaryDirectory(prefix="tunesmith-live-") as folder, sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        studio = RunningStudio(Path(folder) / "data")
        studio.start()
        try:
            waited = watch(studio, browser.new_page(viewport={"width": 1440, "height": 900}), steps)
        finally:
            studio.close()
            browser.close()
    print(json.dumps(summary(waited) | {"goals": GOALS, "load": os.getloadavg()[0]}))


def watch(studio: RunningStudio, page: Page, steps: int) -> list[float]:
    """Seconds from logged to drawn of every point, in the order of the steps."""
    dataset = studio.upload(SAMPLE / "train.jsonl")["id"]
    settings = SETTINGS | {"max_steps": steps}
    run = studio.launch(model="Tunesmith starter", dataset=dataset, adapter="full", parameters=settings)
    page.goto(f"{studio.url}/run?id={run}")
    page.evaluate(NOTE_DRAWN)
    studio.finish(run, seconds=1800)
    page.wait_for_function(f"{steps} in drawn && {SEEN} === 'done'")
    drawn = {int(step): at / 1000 for step, at in page.evaluate("drawn").items()}
    return [drawn[step] - logged for step, logged in sorted(studio.logged(run).items())]


def summary(waited: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(waited, [50, 95])
    figures = {"p50": p50, "p95": p95, "max": max(waited), "first point": waited[0]}
    return {"points": len(waited)} | {name: round(float(value), 3) for name, value in figures.items()}


if __name__ == "__main__":
    main()
