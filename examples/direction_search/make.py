"""Write the sample data "Direction search": a direction as written, the house's record of it, near misses.

    python -m examples.direction_search.make [FOLDER]

writes `train.jsonl` and `test.jsonl`, the same bytes every time. Entirely synthetic: directions and what they
mean are drawn as in `examples.medication_directions`. It knows nothing of models or trainers.
"""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

from examples.medication_directions import phrases as p
from examples.medication_directions.make import Direction, draw_hard, draw_plain, fingerprint

SEED = 31
SIZES = {"test": 200, "train": 600}  # drawn in this order
HARD_SHARE = 0.4  # directions with a twist: a correction, hours between doses, a second step
NEAR_MISSES = 3  # wrong records beside each right one


def main(folder: Path) -> None:
    """Write train and test (`.jsonl`) into `folder`."""
    for name, rows in files().items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def files() -> dict[str, list[dict]]:
    """All rows of both files. No direction is written twice, and no two mean the same."""
    written: set[str] = set()
    known: set[str] = set()  # records that are somewhere's right answer
    return {f"{name}.jsonl": draw_rows(name, count, written, known) for name, count in SIZES.items()}


def draw_rows(name: str, count: int, written: set[str], known: set[str]) -> list[dict]:
    """`count` rows whose directions and records are not in `written` and `known`, which grow."""
    rng = random.Random(f"{SEED} {name}")
    rows: list[dict] = []
    while len(rows) < count:
        direction = (draw_hard if len(rows) < HARD_SHARE * count else draw_plain)(rng)
        right = record(direction.meaning)
        if fingerprint(direction.text) in written or right in known:
            continue
        written.add(fingerprint(direction.text))
        known.add(right)
        wrong = near_misses(rng, direction)
        rows.append(
            {"query": direction.text, "positive": right, "negatives": wrong, "slice": direction.slice}
        )
    rng.shuffle(rows)
    return rows


def record(meaning: dict) -> str:
    """A meaning as one line of the house's list: fixed words in a fixed order, none of them abbreviated."""
    dose = f"{meaning['dose']} {meaning['form']}, {meaning['route']}, {meaning['times_a_day']} a day"
    when = meaning["when"] or "any time"
    line = f"{dose}, {when}, {length(meaning)}, {'as needed' if meaning['as_needed'] else 'regular'}"
    if then := meaning.get("then"):
        line += f", then {then['dose']}, {then['times_a_day']} a day, {length(then)}"
    return line


def length(meaning: dict) -> str:
    return f"{meaning['days']} days" if meaning["days"] else "no end"


def near_misses(rng: random.Random, direction: Direction) -> list[str]:
    """Wrong records, all different: what a careless reader would take a twist for, and one part changed."""
    meaning = direction.meaning
    changes = [make(rng, meaning) for make in rng.sample(CHANGES, k=len(CHANGES))]
    wrong = [record(meaning | change) for change in changes if change]
    if direction.trap:
        wrong.insert(0, record(direction.trap))
    return [text for text in dict.fromkeys(wrong) if text != record(meaning)][:NEAR_MISSES]


def another_dose(rng: random.Random, meaning: dict) -> dict:
    doses = [dose for dose in p.FORMS[meaning["form"]].doses if dose != meaning["dose"]]
    return {"dose": rng.choice(doses)} if doses else {}


def another_frequency(rng: random.Random, meaning: dict) -> dict:
    return {"times_a_day": rng.choice([times for times in p.TIMES_A_DAY if times != meaning["times_a_day"]])}


def another_time(rng: random.Random, meaning: dict) -> dict:
    return {"when": rng.choice([when for when in (None, *p.WHEN) if when != meaning["when"]])}


def another_length(rng: random.Random, meaning: dict) -> dict:
    return {"days": rng.choice([days for days in (None, *p.DAYS) if days != meaning["days"]])}


def another_route(rng: random.Random, meaning: dict) -> dict:
    routes = [route for route in p.FORMS[meaning["form"]].routes if route != meaning["route"]]
    return {"route": rng.choice(routes)} if routes else {}


def flipped_need(rng: random.Random, meaning: dict) -> dict:
    return {"as_needed": not meaning["as_needed"]}


CHANGES: tuple[Callable[[random.Random, dict], dict], ...] = (
    another_dose,
    another_frequency,
    another_time,
    another_length,
    another_route,
    flipped_need,
)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
