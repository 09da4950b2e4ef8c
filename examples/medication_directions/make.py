"""Write the sample use case "Medication directions": free text in, one line of JSON out. Entirely synthetic.

    python -m examples.medication_directions.make [FOLDER]

writes the five shipped files, the same bytes every time. `draw_plain` and `draw_hard` make one direction
each; `answer` is the house convention that training teaches. The words are in `phrases.py`, the wrong answers
in `mistakes.py`. It knows nothing of models or trainers.
"""

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from examples.medication_directions import phrases as p
from examples.medication_directions.mistakes import spoil

SEED = 20
SYSTEM = "Turn the medication direction into JSON."
KEYS = ("dose", "form", "route", "times_a_day", "when", "days", "as_needed")

# rows in each file, and the share of them that is hard
SIZES = {"train": 500, "preference": 1200, "thumbs": 1200, "prompts": 1200}
HARD_SHARE = {"train": 0.12, "preference": 0.5, "thumbs": 0.5, "prompts": 0.5}
TEST_SIZES = {"plain": 400, "hard": 200}


@dataclass
class Direction:
    """What was written, what it means, and (hard ones only) the mistake its wording invites."""

    text: str
    meaning: dict
    slice: str = "plain"
    trap: dict | None = None


@dataclass
class Parts:
    """A direction before it is put into words: its meaning and the wording of each part."""

    meaning: dict
    verb: str
    amount: str
    route: str
    frequency: str
    when: str
    days: str
    as_needed: str
    before: str = ""
    after: str = ""
    trap: dict = field(default_factory=dict)


def main(folder: Path) -> None:
    """Write train, preference, thumbs, prompts and test (`.jsonl`) into `folder`."""
    for name, rows in files().items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def files() -> dict[str, list[dict]]:
    """All rows of all files. No direction is in two files or twice in one."""
    seen: set[str] = set()
    made: dict[str, list[dict]] = {}
    test = [d for name, count in TEST_SIZES.items() for d in draw_unseen(name, count, "test", seen)]
    made["test.jsonl"] = [{"messages": ask(d), "reference_answer": answer(d), "slice": d.slice} for d in test]
    for name, row in {
        "train": train_row,
        "preference": preference_row,
        "thumbs": thumbs_row,
        "prompts": prompt_row,
    }.items():
        hard = round(SIZES[name] * HARD_SHARE[name])
        directions = draw_unseen("plain", SIZES[name] - hard, name, seen) + draw_unseen(
            "hard", hard, name, seen
        )
        rng = random.Random(f"{SEED} {name} rows")
        rng.shuffle(directions)
        made[f"{name}.jsonl"] = [row(rng, d) for d in directions]
    return made


def draw_unseen(slice_: str, count: int, name: str, seen: set[str]) -> list[Direction]:
    """`count` new directions of a slice for the file `name`; their inputs are added to `seen`."""
    draw: Callable[[random.Random], Direction] = {"plain": draw_plain, "hard": draw_hard}[slice_]
    rng = random.Random(f"{SEED} {name} {slice_}")
    found: list[Direction] = []
    while len(found) < count:
        direction = draw(rng)
        if fingerprint(direction.text) not in seen:
            seen.add(fingerprint(direction.text))
            found.append(direction)
    return found


def fingerprint(text: str) -> str:
    """The direction without case and punctuation: two that differ only there count as the same input."""
    return " ".join("".join(c if c.isalnum() or c == "/" else " " for c in text.lower()).split())


# Rows


def ask(direction: Direction) -> list[dict]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": direction.text}]


def reply(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


def answer(direction: Direction) -> str:
    return json.dumps(direction.meaning)


def train_row(rng: random.Random, direction: Direction) -> dict:
    return {"messages": ask(direction) + reply(answer(direction))}


def preference_row(rng: random.Random, direction: Direction) -> dict:
    return {
        "prompt": ask(direction),
        "chosen": reply(answer(direction)),
        "rejected": reply(spoil(rng, direction.meaning, direction.trap)),
    }


def thumbs_row(rng: random.Random, direction: Direction) -> dict:
    label = rng.random() < 0.5
    text = answer(direction) if label else spoil(rng, direction.meaning, direction.trap)
    return {"prompt": ask(direction), "completion": reply(text), "label": label}


def prompt_row(rng: random.Random, direction: Direction) -> dict:
    return {"messages": ask(direction), "reference_answer": answer(direction)}


# Plain directions


def draw_plain(rng: random.Random) -> Direction:
    parts = draw_parts(rng)
    return Direction(write(rng, parts), parts.meaning)


def draw_parts(rng: random.Random) -> Parts:
    """Draw a meaning and everyday words for each part of it."""
    form = rng.choice(
        ("tablet", "tablet", "capsule", "liquid", "drop", "puff", "spray", "patch", "suppository")
    )
    says = p.FORMS[form]
    dose = rng.choice(says.doses)
    route = rng.choice(tuple(says.routes))
    times = rng.choice(tuple(p.TIMES_A_DAY))
    when = draw_when(rng, route, times)
    days = rng.choice(p.DAYS) if rng.random() < 0.5 else None
    as_needed = rng.random() < 0.3
    return Parts(
        meaning=dict(zip(KEYS, (dose, form, route, times, when, days, as_needed), strict=True)),
        verb=rng.choice(says.verbs),
        amount=say_amount(rng, dose, form),
        route=rng.choice(says.routes[route]),
        frequency=rng.choice(p.TIMES_A_DAY[times]),
        when=rng.choice(p.WHEN[when]) if when else "",
        days=say_days(rng, days) if days else "",
        as_needed=say_as_needed(rng) if as_needed else "",
    )


def draw_when(rng: random.Random, route: str, times: int) -> str | None:
    possible = (p.FOOD if route == "oral" else ()) + (p.ONCE_A_DAY if times == 1 else ())
    return rng.choice(possible) if possible and rng.random() < 0.6 else None


def say_amount(rng: random.Random, dose: float, form: str) -> str:
    nouns = p.FORMS[form].singular if dose <= 1 else p.FORMS[form].plural
    return f"{rng.choice(p.NUMBERS[dose])} {rng.choice(nouns)}"


def say_days(rng: random.Random, days: int) -> str:
    lengths = [f"{number} days" for number in p.NUMBERS[days]] + list(p.WEEKS.get(days, ()))
    return f"{rng.choice(('for', 'for', 'x'))} {rng.choice(lengths)}"


def say_as_needed(rng: random.Random) -> str:
    reason = f" for {rng.choice(p.REASONS)}" if rng.random() < 0.3 else ""
    return rng.choice(p.AS_NEEDED) + reason


def write(rng: random.Random, parts: Parts) -> str:
    """Put the parts into one line, in one of the orders people write them in."""
    tail = [parts.when, parts.days, parts.as_needed]
    rng.shuffle(tail)
    order = rng.random()
    if order < 0.6:
        pieces = [f"{parts.verb} {parts.amount}", parts.route, parts.frequency, *tail]
    elif order < 0.8:
        pieces = [f"{parts.verb} {parts.amount}", parts.frequency, parts.route, *tail]
    elif order < 0.9:
        pieces = [f"{parts.frequency},", f"{parts.verb} {parts.amount}", parts.route, *tail]
    else:
        pieces = [parts.amount, parts.route, parts.frequency, *tail]
    text = " ".join(piece for piece in [parts.before, *pieces, parts.after] if piece)
    if rng.random() < 0.3:
        text = text[0].upper() + text[1:] + "."
    return text


# Hard directions: one or two twists on a plain one


def draw_hard(rng: random.Random) -> Direction:
    """A plain direction with one or two twists. Its trap is the answer of someone who misses the last one."""
    parts = draw_parts(rng)
    done: list[Callable] = []
    for twist in rng.sample(TWISTS, k=len(TWISTS)):
        if clashes(twist, done):
            continue
        if twist(rng, parts):
            done.append(twist)
        if len(done) == (2 if rng.random() < 0.5 else 1) or len(done) == 2:
            break
    trap = {**parts.meaning, **parts.trap}
    trap = {key: value for key, value in trap.items() if value != "absent"}
    return Direction(write(rng, parts), parts.meaning, "hard", trap if trap != parts.meaning else None)


def clashes(twist: Callable, done: list[Callable]) -> bool:
    """Two twists that reword the same part cannot be combined."""
    return any(AREA[twist] & AREA[other] for other in done)


def taper(rng: random.Random, parts: Parts) -> bool:
    """A second step: "… for 3 days then 1 tablet daily for 4 days"."""
    doses = [d for d in p.FORMS[parts.meaning["form"]].doses if d != parts.meaning["dose"]]
    if not doses:
        return False
    dose, times, days = rng.choice(doses), rng.choice(tuple(p.TIMES_A_DAY)), rng.choice(p.DAYS)
    first = rng.choice(p.DAYS)
    parts.meaning |= {"days": first, "when": None, "as_needed": False}
    parts.meaning["then"] = {"dose": dose, "times_a_day": times, "days": days}
    parts.days, parts.when, parts.as_needed = say_days(rng, first), "", ""
    amount = say_amount(rng, dose, parts.meaning["form"])
    link = rng.choice(("then", "and then", "followed by", "after that"))
    parts.after = f"{link} {amount} {rng.choice(p.TIMES_A_DAY[times])} {say_days(rng, days)}"
    parts.trap = {"then": "absent"}
    return True


def interval(rng: random.Random, parts: Parts) -> bool:
    """Hours between doses instead of times a day: "q8h"."""
    hours = rng.choice(tuple(p.INTERVALS))
    number = rng.choice(p.NUMBERS[hours])
    parts.frequency = rng.choice((f"q{hours}h", f"every {number} hours", f"{number}-hourly"))
    parts.meaning["times_a_day"] = p.INTERVALS[hours]
    if parts.meaning["when"] in p.ONCE_A_DAY:
        parts.meaning["when"], parts.when = None, ""
    parts.trap = {"times_a_day": {12: 1, 8: 4, 6: 3, 4: 4, 24: 2}[hours]}
    return True


def day_part(rng: random.Random, parts: Parts) -> bool:
    """Parts of the day or meals carry the frequency: "with breakfast and supper"."""
    words, times, when = rng.choice(p.DAY_PARTS)
    if when in p.FOOD and parts.meaning["route"] != "oral":
        return False
    parts.frequency, parts.when = words, ""
    parts.meaning |= {"times_a_day": times, "when": when}
    parts.trap = {"times_a_day": 1 if times > 1 else 2}
    return True


def corrected_dose(rng: random.Random, parts: Parts) -> bool:
    """The last word counts: "three, no, two tablets"."""
    wrong = [d for d in p.FORMS[parts.meaning["form"]].doses if d != parts.meaning["dose"]]
    if not wrong:
        return False
    slip = rng.choice(wrong)
    parts.amount = (
        f"{say_amount(rng, slip, parts.meaning['form'])}, {rng.choice(p.CORRECTIONS)}{parts.amount}"
    )
    parts.trap = {"dose": slip}
    return True


def corrected_frequency(rng: random.Random, parts: Parts) -> bool:
    """The last word counts: "tid, sorry, bid"."""
    slip = rng.choice([t for t in p.TIMES_A_DAY if t != parts.meaning["times_a_day"]])
    parts.frequency = f"{rng.choice(p.TIMES_A_DAY[slip])}, {rng.choice(p.CORRECTIONS)}{parts.frequency}"
    parts.trap = {"times_a_day": slip}
    return True


def history(rng: random.Random, parts: Parts) -> bool:
    """What used to be taken, before what is to be taken now."""
    old_dose = rng.choice(p.FORMS[parts.meaning["form"]].doses)
    old_times = rng.choice(tuple(p.TIMES_A_DAY))
    old = f"{say_amount(rng, old_dose, parts.meaning['form'])} {rng.choice(p.TIMES_A_DAY[old_times])}"
    parts.before = rng.choice(
        (f"was {old}, now", f"stop {old},", f"instead of {old}:", f"changed from {old} to")
    )
    parts.trap = {"dose": old_dose, "times_a_day": old_times}
    return True


def strength(rng: random.Random, parts: Parts) -> bool:
    """A drug and its strength: one more number, and not the dose."""
    parts.before = f"{rng.choice(p.DRUGS)} {rng.choice(p.STRENGTHS)}:"
    if rng.random() < 0.5:
        parts.before = f"{rng.choice(p.STRENGTHS)} {rng.choice(p.DRUGS)},"
    parts.trap = {"dose": int(parts.before.split(" mg")[0].split()[-1])}
    return True


def dose_range(rng: random.Random, parts: Parts) -> bool:
    """ "one to two tablets": the house records the most that may be taken."""
    doses = p.FORMS[parts.meaning["form"]].doses
    low, high = sorted(rng.sample(doses, 2))
    parts.meaning["dose"] = high
    number = rng.choice(p.NUMBERS[low]).removesuffix(" a")
    parts.amount = f"{number} {rng.choice(('to', 'or'))} {say_amount(rng, high, parts.meaning['form'])}"
    parts.trap = {"dose": low}
    return True


def daily_total(rng: random.Random, parts: Parts) -> bool:
    """ "six tablets a day in three equal doses": two, three times a day."""
    dose, times = rng.choice(
        ((1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4), (3, 2), (4, 2), (4, 3), (5, 2), (5, 3))
    )
    total = dose * times
    plural = rng.choice(p.FORMS[parts.meaning["form"]].plural)
    parts.amount = f"{rng.choice(p.NUMBERS[total])} {plural} a day"
    parts.frequency = (
        f"in {rng.choice(p.NUMBERS[times])} {rng.choice(('equal doses', 'divided doses', 'parts'))}"
    )
    parts.meaning |= {"dose": dose, "times_a_day": times}
    if parts.meaning["when"] in p.ONCE_A_DAY:
        parts.meaning["when"], parts.when = None, ""
    parts.trap = {"dose": total}
    return True


def long_spell(rng: random.Random, parts: Parts) -> bool:
    """Durations counted in other units: "for a fortnight"."""
    days = rng.choice(tuple(p.LONG_SPELLS))
    words = rng.choice(p.LONG_SPELLS[days])
    parts.days = f"{rng.choice(('for', 'over'))} {words}"
    parts.meaning["days"] = days
    parts.trap = {"days": rng.choice([d for d in (7, 14, 21, 28, 30) if d != days])}
    return True


def not_as_needed(rng: random.Random, parts: Parts) -> bool:
    """The words "as needed", denied."""
    parts.as_needed = rng.choice(p.NOT_AS_NEEDED)
    parts.meaning["as_needed"] = False
    parts.trap = {"as_needed": True}
    return True


# Which part of the direction each twist rewords.
AREA: dict[Callable, set[str]] = {
    taper: {"days", "when", "as_needed", "after"},
    interval: {"frequency"},
    day_part: {"frequency", "when"},
    corrected_dose: {"amount"},
    corrected_frequency: {"frequency"},
    history: {"before"},
    strength: {"before"},
    dose_range: {"amount"},
    daily_total: {"amount", "frequency"},
    long_spell: {"days"},
    not_as_needed: {"as_needed"},
}
TWISTS = tuple(AREA)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
