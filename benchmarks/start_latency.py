"""Start pressed → first training step, with the model on disk and an idle worker.

    python benchmarks/start_latency.py [--times 5]

Starts a studio of its own, waits until its worker has a standby trainer, then launches short runs over the
API, one after the other. Loading the model is timed apart, from the trainer's own words in the database.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.running import SAMPLE, RunningStudio, until

GOAL = 1.5
SETTINGS = {"max_steps": 3, "sample_prompts": 0, "per_device_train_batch_size": 8, "max_length": 128}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio = RunningStudio(Path(folder) / "data", TUNESMITH_LOOK_EVERY="2")
        studio.start()
        try:
            dataset = studio.upload(SAMPLE / "train.jsonl")["id"]
            seconds = [one(studio, dataset) for _ in range(given.times)]
        finally:
            studio.close()
    print(f"Start → first step logged: median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s")
    print(f"goal: {GOAL} s plus loading the model")


def one(studio: RunningStudio, dataset: int) -> float:
    until(lambda: standby_is_warm(studio), 120, "a standby trainer")
    pressed = time.time()
    run = studio.launch(model="Tunesmith starter", dataset=dataset, adapter="full", parameters=SETTINGS)
    studio.finish(run)
    first = min(studio.logged(run).values())
    print(f"  run {run}: {first - pressed:.2f} s", flush=True)
    return first - pressed


def standby_is_warm(studio: RunningStudio) -> bool:
    """The waiting trainer has finished its imports: it uses no CPU any more."""
    for runner in studio.part("worker").children():
        for trainer in runner.children():
            before = sum(trainer.cpu_times()[:2])
            time.sleep(0.5)
            if before > 2 and sum(trainer.cpu_times()[:2]) - before < 0.02:
                return True
    return False


if __name__ == "__main__":
    main()
