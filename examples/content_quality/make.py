"""Write the sample data "Content quality": notes for patients, and whether they can be used. Synthetic.

    python -m examples.content_quality.make [FOLDER]

writes `train.jsonl` and `test.jsonl`, the same bytes every time. The notes are medication directions drawn as
in `examples.medication_directions`, most of them spoiled in one of three ways. It knows nothing of models.
"""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

from examples.medication_directions import phrases as p
from examples.medication_directions.make import Parts, draw_parts, fingerprint, say_amount, say_days, write

SEED = 47
SIZES = {"test": 200, "train": 600}  # drawn in this order
SHARES = {"clear": 0.4, "incomplete": 0.3, "contradictory": 0.15, "garbled": 0.15}
LINKS = (" but ", ", ", ". ", ", and ", "; ")


def main(folder: Path) -> None:
    """Write train and test (`.jsonl`) into `folder`."""
    for name, rows in files().items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def files() -> dict[str, list[dict]]:
    """All rows of both files. No note is in two files or twice in one."""
    seen: set[str] = set()
    return {f"{name}.jsonl": draw_rows(name, count, seen) for name, count in SIZES.items()}


def draw_rows(name: str, count: int, seen: set[str]) -> list[dict]:
    """`count` notes whose fingerprints are not in `seen`, which grows; labels in the shares of `SHARES`."""
    rng = random.Random(f"{SEED} {name}")
    labels = [label for label, share in SHARES.items() for _ in range(round(share * count))]
    rng.shuffle(labels)
    return [{"text": draw_unseen(rng, label, seen), "label": label} for label in labels]


def draw_unseen(rng: random.Random, label: str, seen: set[str]) -> str:
    while True:
        text = NOTES[label](rng)
        if fingerprint(text) not in seen:
            seen.add(fingerprint(text))
            return text


def clear(rng: random.Random) -> str:
    """Says how much and how often; nothing speaks against it."""
    return write(rng, draw_parts(rng))


def incomplete(rng: random.Random) -> str:
    """Does not say how much, or not how often."""
    parts = draw_parts(rng)
    if rng.random() < 0.5:
        parts.frequency = ""
        if parts.meaning["when"] in p.ONCE_A_DAY:  # "at night" says how often too
            parts.when = ""
    else:
        parts.amount = rng.choice(p.FORMS[parts.meaning["form"]].plural)
    return write(rng, parts).replace(", ,", ",").strip(" ,")


def contradictory(rng: random.Random) -> str:
    """Says two things that cannot both be meant, and none of them is marked as a correction."""
    parts = draw_parts(rng)
    return write(rng, parts).rstrip(".") + rng.choice(LINKS) + rng.choice(CLASHES)(rng, parts)


def other_frequency(rng: random.Random, parts: Parts) -> str:
    times = rng.choice([times for times in p.TIMES_A_DAY if times != parts.meaning["times_a_day"]])
    return rng.choice(p.TIMES_A_DAY[times])


def other_amount(rng: random.Random, parts: Parts) -> str:
    form, said = parts.meaning["form"], parts.meaning["dose"]
    return say_amount(rng, rng.choice([dose for dose in p.FORMS[form].doses if dose != said]), form)


def other_length(rng: random.Random, parts: Parts) -> str:
    """Another length; where none was said, two of them."""
    if said := parts.meaning["days"]:
        return say_days(rng, rng.choice([days for days in p.DAYS if days != said]))
    return ", ".join(say_days(rng, days) for days in rng.sample(p.DAYS, 2))


def garbled(rng: random.Random) -> str:
    """Words in the wrong order, cut, or with letters lost on the way."""
    words = write(rng, draw_parts(rng)).split()
    kind = rng.random()
    if kind < 0.4:
        rng.shuffle(words)
    elif kind < 0.8:
        words = [scramble(rng, word) if rng.random() < 0.6 else word for word in words]
    else:
        words = [word[: max(1, len(word) // 2)] if rng.random() < 0.7 else word for word in words]
    return " ".join(words)


def scramble(rng: random.Random, word: str) -> str:
    letters = list(word)
    rng.shuffle(letters)
    return "".join(letters)


CLASHES: tuple[Callable[[random.Random, Parts], str], ...] = (other_frequency, other_amount, other_length)
NOTES: dict[str, Callable[[random.Random], str]] = {
    "clear": clear,
    "incomplete": incomplete,
    "contradictory": contradictory,
    "garbled": garbled,
}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
