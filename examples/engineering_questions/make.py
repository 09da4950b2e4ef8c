"""Write the sample use case "Engineering questions": what is wrong with a machine, and what the service says.
Entirely synthetic.

    python -m examples.engineering_questions.make [FOLDER]

writes the four shipped files, the same bytes every time. `draw_plain` and `draw_hard` make one question each;
`answer` is how the service answers, in prose, which training teaches. The words are in `words.py`. It knows
nothing of models or trainers.
"""

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from examples.engineering_questions import words as w
from examples.medication_directions.make import fingerprint

SEED = 31
SYSTEM = "Answer as the engineering service."
SIZES = {"train": 600, "preference": 1200, "prompts": 1200}
HARD_SHARE = {"train": 0.12, "preference": 0.5, "prompts": 0.5}
TEST_SIZES = {"plain": 140, "hard": 60}


@dataclass(frozen=True)
class Case:
    """What is the matter: a machine, its fault, and how often it came."""

    colour: str
    kind: str
    fault: str
    often: str


@dataclass(frozen=True)
class Question:
    """What was written, the case it is about and, for hard ones, the case of who misses its twist."""

    text: str
    case: Case
    slice: str = "plain"
    trap: Case | None = None


@dataclass
class Parts:
    """A question before it is put into words."""

    case: Case
    machine: str
    fault: str
    often: str
    trap: Case


def main(folder: Path) -> None:
    """Write train, preference, prompts and test (`.jsonl`) into `folder`."""
    for name, rows in files().items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def files() -> dict[str, list[dict]]:
    """All rows of all files. No question is in two files or twice in one."""
    seen: set[str] = set()
    made: dict[str, list[dict]] = {}
    test = [each for name, count in TEST_SIZES.items() for each in draw_unseen(name, count, "test", seen)]
    made["test.jsonl"] = [prompt_row(each) | {"slice": each.slice} for each in test]
    for name, size in SIZES.items():
        hard = round(size * HARD_SHARE[name])
        drawn = draw_unseen("plain", size - hard, name, seen) + draw_unseen("hard", hard, name, seen)
        rng = random.Random(f"{SEED} {name} rows")
        rng.shuffle(drawn)
        made[f"{name}.jsonl"] = [row_of(name, rng, each) for each in drawn]
    return made


def draw_unseen(slice_: str, count: int, name: str, seen: set[str]) -> list[Question]:
    """`count` new questions of a slice for the file `name`; their texts are added to `seen`."""
    draw: Callable[[random.Random], Question] = {"plain": draw_plain, "hard": draw_hard}[slice_]
    rng = random.Random(f"{SEED} {name} {slice_}")
    found: list[Question] = []
    while len(found) < count:
        question = draw(rng)
        if fingerprint(question.text) not in seen:
            seen.add(fingerprint(question.text))
            found.append(question)
    return found


# Rows


def row_of(name: str, rng: random.Random, question: Question) -> dict:
    if name == "train":
        return {"messages": ask(question) + reply(answer(question.case))}
    if name == "prompts":
        return prompt_row(question)
    chosen, rejected = reply(answer(question.case)), reply(spoil(rng, question))
    return {"prompt": ask(question), "chosen": chosen, "rejected": rejected}


def prompt_row(question: Question) -> dict:
    return {"messages": ask(question), "reference_answer": answer(question.case)}


def ask(question: Question) -> list[dict]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question.text}]


def reply(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


def answer(case: Case) -> str:
    """Whether to stop the machine, what to do about the part, and when to look again."""
    fault, part = w.FAULTS[case.fault], w.PARTS[case.kind][case.fault]
    machine = f"the {case.colour} {case.kind}"
    first = f"Stop {machine}." if fault.stops else f"Let {machine} run."
    return f"{first} {fault.remedy.format(part=part)} {w.OFTEN[case.often].follow_up}"


# Questions


def draw_plain(rng: random.Random) -> Question:
    parts = draw_parts(rng)
    return Question(write(rng, parts), parts.case)


def draw_parts(rng: random.Random) -> Parts:
    case = Case(
        rng.choice(w.COLOURS), rng.choice(tuple(w.PARTS)), rng.choice(tuple(w.FAULTS)), draw_often(rng)
    )
    return Parts(
        case,
        machine=f"{case.colour} {case.kind}",
        fault=rng.choice(w.FAULTS[case.fault].now),
        often=rng.choice(w.OFTEN[case.often].said),
        trap=case,
    )


def draw_often(rng: random.Random) -> str:
    return rng.choice(tuple(w.OFTEN))


def write(rng: random.Random, parts: Parts) -> str:
    """Put the parts into words, in one of the ways people write them."""
    hall = rng.choice(("", "", f" in hall {rng.randint(1, 9)}"))
    article = rng.choice(("The", "The", "Our"))
    told = f"{article} {parts.machine}{hall} {parts.fault} {parts.often}".strip() + "."
    asked = rng.choice(w.ASKS)
    kind = rng.random()
    if kind < 0.5:
        return f"{told} {asked}"
    if kind < 0.7:
        return f"{rng.choice(w.GREETINGS).format(name=rng.choice(w.NAMES))} {told} {asked}"
    return f"{asked} {told}" if kind < 0.85 else told


def draw_hard(rng: random.Random) -> Question:
    """A plain question with one twist; its trap is the case of who misses it."""
    parts = draw_parts(rng)
    rng.choice(TWISTS)(rng, parts)
    return Question(write(rng, parts), parts.case, "hard", parts.trap)


def two_faults(rng: random.Random, parts: Parts) -> None:
    """The worse of two decides, whichever is named first."""
    other = other_fault(rng, parts.case)
    order = tuple(w.FAULTS)
    worse, lesser = sorted((parts.case.fault, other), key=order.index)
    said = [rng.choice(w.FAULTS[worse].now), rng.choice(w.FAULTS[lesser].now)]
    rng.shuffle(said)
    parts.fault = f"{said[0]} and {said[1]}"
    parts.trap = replace(parts.case, fault=lesser)
    parts.case = replace(parts.case, fault=worse)


def denied_fault(rng: random.Random, parts: Parts) -> None:
    """What it does not do, before what it does: "is not loud, but is slow"."""
    other = other_fault(rng, parts.case)
    parts.fault = f"{rng.choice(w.FAULTS[other].denied)}, but {parts.fault}"
    parts.trap = replace(parts.case, fault=other)


def former_fault(rng: random.Random, parts: Parts) -> None:
    """What was the matter last week, before what is now."""
    other = other_fault(rng, parts.case)
    parts.fault = f"{rng.choice(w.FAULTS[other].before)} last week, now it {parts.fault}"
    parts.trap = replace(parts.case, fault=other)


def corrected_machine(rng: random.Random, parts: Parts) -> None:
    """The last word counts: "the red pump, no, the blue fan"."""
    colour = rng.choice([each for each in w.COLOURS if each != parts.case.colour])
    kind = rng.choice([each for each in w.PARTS if each != parts.case.kind])
    parts.machine = f"{colour} {kind}, {rng.choice(w.CORRECTIONS)}the {parts.machine}"
    parts.trap = replace(parts.case, colour=colour, kind=kind)


def corrected_often(rng: random.Random, parts: Parts) -> None:
    """The last word counts: "again, I mean every day"."""
    often = rng.choice([each for each in w.OFTEN if each != parts.case.often])
    slip, meant = (
        rng.choice([said for said in w.OFTEN[each].said if said]) for each in (often, parts.case.often)
    )
    parts.often = f"{slip}, {rng.choice(w.CORRECTIONS)}{meant}"
    parts.trap = replace(parts.case, often=often)


def other_fault(rng: random.Random, case: Case) -> str:
    return rng.choice([each for each in w.FAULTS if each != case.fault])


TWISTS: tuple[Callable[[random.Random, Parts], None], ...] = (
    two_faults,
    denied_fault,
    former_fault,
    corrected_machine,
    corrected_often,
)


# Wrong answers, the way models and hurried people go wrong


def spoil(rng: random.Random, question: Question) -> str:
    """A worse answer: mostly the trap's, where there is one."""
    right = answer(question.case)
    if question.trap and rng.random() < 0.6:
        return answer(question.trap)
    return next(text for text in draw_mistakes(rng, question.case) if text != right)


def draw_mistakes(rng: random.Random, case: Case) -> list[str]:
    first, remedy, follow_up = (f"{part}." for part in answer(case).removesuffix(".").split(". "))
    machine = f"the {case.colour} {case.kind}"
    turned = f"Let {machine} run." if w.FAULTS[case.fault].stops else f"Stop {machine}."
    others = [each for each in w.OFTEN if each != case.often]
    kinds = [each for each in w.PARTS if each != case.kind]
    found = [
        f"{turned} {remedy} {follow_up}",
        f"{first} {remedy}",
        f"{first} {follow_up}",
        f"{first} {rng.choice(w.VAGUE)} {follow_up}",
        rng.choice(w.VAGUE),
        f"Thank you for asking. {remedy} {follow_up} Is there more I can do?",
        answer(replace(case, often=rng.choice(others))),
        answer(replace(case, fault=other_fault(rng, case))),
        answer(replace(case, kind=rng.choice(kinds))),
    ]
    rng.shuffle(found)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
