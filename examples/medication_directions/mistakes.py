"""Wrong answers to a medication direction, the way models and tired people go wrong.

Used for rejected answers and thumbs down; it draws no directions.
"""

import json
import random
from collections.abc import Callable

from examples.medication_directions import phrases as p


def spoil(rng: random.Random, meaning: dict, trap: dict | None) -> str:
    """A wrong answer of a realistic kind; mostly the trap (another meaning), where the direction has one."""
    if trap and rng.random() < 0.6:
        return json.dumps(trap)
    for mistake in rng.sample(MISTAKES, k=len(MISTAKES)):
        text = mistake(rng, dict(meaning))
        if text is not None and text != json.dumps(meaning):
            return text
    raise AssertionError("every direction can be spoiled by a wrong frequency")


def wrong_frequency(rng: random.Random, meaning: dict) -> str:
    others = [t for t in p.TIMES_A_DAY if t != meaning["times_a_day"]]
    return json.dumps(meaning | {"times_a_day": rng.choice(others)})


def wrong_dose(rng: random.Random, meaning: dict) -> str:
    others = [d for d in (1, 2, 3, 5) if d != meaning["dose"]]
    return json.dumps(meaning | {"dose": rng.choice(others)})


def wrong_route(rng: random.Random, meaning: dict) -> str:
    routes = sorted({route for form in p.FORMS.values() for route in form.routes} - {meaning["route"]})
    return json.dumps(meaning | {"route": rng.choice(routes)})


def wrong_when(rng: random.Random, meaning: dict) -> str:
    others = [when for when in (None, *p.WHEN) if when != meaning["when"]]
    return json.dumps(meaning | {"when": rng.choice(others)})


def lost_days(rng: random.Random, meaning: dict) -> str | None:
    return json.dumps(meaning | {"days": None}) if meaning["days"] else None


def flipped_as_needed(rng: random.Random, meaning: dict) -> str:
    return json.dumps(meaning | {"as_needed": not meaning["as_needed"]})


def missing_as_needed(rng: random.Random, meaning: dict) -> str:
    return json.dumps({key: value for key, value in meaning.items() if key != "as_needed"})


def abbreviated(rng: random.Random, meaning: dict) -> str | None:
    """Another clinic's convention: the abbreviation instead of the number."""
    short = {1: "qd", 2: "bid", 3: "tid", 4: "qid"}.get(meaning["times_a_day"])
    return json.dumps(meaning | {"times_a_day": short}) if short else None


def chatty(rng: random.Random, meaning: dict) -> str:
    before = rng.choice(("Here is the JSON: ", "Sure! ", "The direction is: "))
    return before + json.dumps(meaning) + rng.choice(("", " Anything else?"))


def cut_short(rng: random.Random, meaning: dict) -> str:
    text = json.dumps(meaning)
    return text[: text.index('"when"')].rstrip(", ")


MISTAKES: tuple[Callable[[random.Random, dict], str | None], ...] = (
    wrong_frequency,
    wrong_dose,
    wrong_route,
    wrong_when,
    lost_days,
    flipped_as_needed,
    missing_as_needed,
    abbreviated,
    chatty,
    cut_short,
)
