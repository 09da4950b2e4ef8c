"""The synthetic text the starter model is pretrained on: small tasks drawn from templates, nothing collected.

`draw_document` gives one conversation. Medication directions appear here as *other* clinics record them: no
document follows the sample use case's convention in every field, uses its system prompt, or repeats a
direction of its files. Reading the words is pretraining's part; the convention is left for fine-tuning.
"""

import json
import random
from collections.abc import Callable

from examples.medication_directions import make
from examples.medication_directions import phrases as p

NAMES = (
    "Ada",
    "Bo",
    "Cleo",
    "Dara",
    "Emil",
    "Fay",
    "Gus",
    "Hana",
    "Ivo",
    "Jun",
    "Kai",
    "Lena",
    "Mina",
    "Nils",
)
CITIES = ("Lund", "Oslo", "Porto", "Kyoto", "Quito", "Turin", "Leeds", "Accra", "Hanoi", "Perth")
COLOURS = ("red", "green", "blue", "yellow", "black", "white", "brown", "grey")
THINGS = (
    "apple",
    "book",
    "chair",
    "door",
    "egg",
    "fork",
    "glass",
    "hat",
    "key",
    "lamp",
    "map",
    "nail",
    "pen",
    "ring",
)
ANIMALS = ("cat", "dog", "fox", "hen", "owl", "pig", "rat", "cow", "bee", "ant")
WORDS = THINGS + ANIMALS + COLOURS

Messages = list[dict]


def draw_document(rng: random.Random, avoid: set[str]) -> tuple[Messages, list[dict] | None]:
    """One conversation and the tools it declares, if any. `avoid`: fingerprints of directions not to use."""
    kind = rng.random()
    if kind < 0.03:
        return draw_tool_use(rng)
    if kind < 0.045:
        turns = [message for _ in range(rng.randint(6, 24)) for message in draw_task(rng, avoid)]
        return turns, None
    return opening(rng) + draw_task(rng, avoid), None


def opening(rng: random.Random) -> Messages:
    """Mostly no system turn; sometimes a general one."""
    if rng.random() < 0.7:
        return []
    lines = (
        "You are a helpful assistant.",
        "Answer briefly.",
        "Do what the user asks.",
        "You work in a clinic.",
    )
    return [{"role": "system", "content": rng.choice(lines)}]


def draw_task(rng: random.Random, avoid: set[str]) -> Messages:
    if rng.random() < 0.4:
        return record_direction(rng, avoid) if rng.random() < 0.75 else ask_about_direction(rng, avoid)
    return rng.choice(GENERAL)(rng)


def turn(question: str, answer: str) -> Messages:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


# General tasks


def some_words(rng: random.Random, most: int = 7) -> list[str]:
    return [rng.choice(WORDS) for _ in range(rng.randint(2, most))]


def copy(rng: random.Random) -> Messages:
    kind = rng.random()
    if kind < 0.4:
        text = " ".join(some_words(rng, 10))
    elif kind < 0.6:
        text = " ".join(rng.choice(NAMES + CITIES + p.DRUGS) for _ in range(rng.randint(1, 6)))
    else:
        text = scrawl(rng)
    return turn(f"{rng.choice(('Repeat', 'Copy', 'Say'))}: {text}", text)


def scrawl(rng: random.Random) -> str:
    """Letters and digits without meaning, so that every short token is met."""
    alphabet = (
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:;!?()[]{}/+*=<>@#%&'\"éüñøß"
    )
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(2, 14)))


def order(rng: random.Random) -> Messages:
    words = some_words(rng)
    how, result = rng.choice((("Sort", sorted(words)), ("Reverse", words[::-1])))
    return turn(f"{how}: {' '.join(words)}", " ".join(result))


def order_numbers(rng: random.Random) -> Messages:
    numbers = [rng.randint(0, 99) for _ in range(rng.randint(2, 5))]
    how, result = rng.choice(
        (("Sort", sorted(numbers)), ("Largest", [max(numbers)]), ("Smallest", [min(numbers)]))
    )
    return turn(f"{how}: {' '.join(map(str, numbers))}", " ".join(map(str, result)))


def count(rng: random.Random) -> Messages:
    words = some_words(rng)
    return turn(f"How many words: {' '.join(words)}", str(len(words)))


def arithmetic(rng: random.Random) -> Messages:
    a, b = rng.randint(0, 20), rng.randint(0, 20)
    sign, result = rng.choice((("+", a + b), ("-", a - b)))
    return turn(f"{rng.choice(('What is', 'Calculate'))} {a} {sign} {b}?", str(result))


def person(rng: random.Random) -> dict:
    facts = {"name": rng.choice(NAMES), "age": rng.randint(1, 99), "city": rng.choice(CITIES)}
    if rng.random() < 0.5:
        facts |= {
            "likes": rng.choice(WORDS),
            "member": rng.random() < 0.5,
            "floor": rng.choice((None, 1, 2, 3)),
        }
    keys = list(facts)
    rng.shuffle(keys)
    return {key: facts[key] for key in keys}


def write_json(rng: random.Random) -> Messages:
    facts = person(rng)
    listed = ", ".join(f"{key} {said(value)}" for key, value in facts.items())
    return turn(f"Write as JSON: {listed}", json.dumps(facts))


def said(value: object) -> str:
    """A JSON value in words."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def read_json(rng: random.Random) -> Messages:
    facts = person(rng)
    key = rng.choice(list(facts))
    return turn(f"{json.dumps(facts)} What is the {key}?", said(facts[key]))


def small_talk(rng: random.Random) -> Messages:
    name, thing, colour = rng.choice(NAMES), rng.choice(WORDS), rng.choice(COLOURS)
    return turn(
        *rng.choice(
            (
                ("Hello!", "Hello! How can I help?"),
                (f"Hi, I am {name}.", f"Hello {name}, nice to meet you."),
                ("How are you?", "I am well, thank you."),
                ("Who are you?", "I am a small model that knows a few tasks."),
                ("Thank you!", "You are welcome."),
                ("Good night", "Good night!"),
                (f"Write a sentence about a {thing}.", f"The {colour} {thing} is in the room."),
                ("What can you do?", "I can copy, sort, count, calculate a little and write JSON."),
                (f"Tell me about {rng.choice(CITIES)}.", "I do not know about that."),
                (f"Who is {name}?", "I do not know."),
                ("Are you a doctor?", "No. Please ask a doctor or a pharmacist."),
            )
        )
    )


# Tools


def draw_tool_use(rng: random.Random) -> tuple[Messages, list[dict]]:
    """A question, a call of the one fitting tool, its result, and the answer."""
    shown = rng.sample(TOOLS, k=rng.randint(1, 2))
    name = rng.choice(shown)["function"]["name"]
    arguments: dict[str, object]
    if name == "add":
        a, b = rng.randint(0, 20), rng.randint(0, 20)
        question, arguments = f"Add {a} and {b}.", {"a": a, "b": b}
        result = answer = str(a + b)
    elif name == "find_stock":
        thing, number = rng.choice(THINGS), rng.randint(0, 20)
        question, arguments = f"Is there a {thing} in stock?", {"item": thing}
        result, answer = str(number), f"There are {number}." if number else "No, there is none."
    else:
        city, degrees = rng.choice(CITIES), rng.randint(0, 30)
        question, arguments = f"How warm is it in {city}?", {"city": city}
        result, answer = f"{degrees} degrees", f"It is {degrees} degrees in {city}."
    call = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": name, "content": result},
        {"role": "assistant", "content": answer},
    ], shown


def tool(name: str, description: str, **parameters: str) -> dict:
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


TOOLS = (
    tool("add", "Add two numbers.", a="integer", b="integer"),
    tool("find_stock", "Count an item in stock.", item="string"),
    tool("weather", "The weather in a city.", city="string"),
)


# Medication words, and directions as other clinics record them


def glossary(rng: random.Random) -> Messages:
    """What a word of the clinic means."""
    meanings: list[tuple[str, str]] = [
        *((word, f"{times} times a day") for times, words in p.TIMES_A_DAY.items() for word in words),
        *((word, when) for when, words in p.WHEN.items() for word in words),
        *((word, form) for form, row in p.FORMS.items() for word in row.singular + row.plural),
        *((f"q{hours}h", f"every {hours} hours") for hours in p.INTERVALS),
        *((word, f"{days} days") for days, words in (p.WEEKS | p.LONG_SPELLS).items() for word in words),
        *((word, str(number)) for number, words in p.NUMBERS.items() for word in words),
        *((word, "as needed") for word in p.AS_NEEDED),
        *((drug, "a medicine") for drug in p.DRUGS),
        *(
            (f"{drug} {strength}", "a medicine and its strength")
            for drug in p.DRUGS
            for strength in p.STRENGTHS
        ),
        *((words, "parts of the day") for words, _, _ in p.DAY_PARTS),
        *((words.strip(" ,:"), "a correction") for words in p.CORRECTIONS),
        *((words, "not as needed") for words in p.NOT_AS_NEEDED),
        *((words, "a second step") for words in ("then", "and then", "followed by", "after that")),
        *((words, "parts of a total") for words in ("equal doses", "divided doses")),
    ]
    word, meaning = rng.choice(meanings)
    return turn(f"What does {word} mean?", meaning)


def new_direction(rng: random.Random, avoid: set[str]) -> tuple[str, make.Parts]:
    while True:
        parts = make.draw_parts(rng)
        text = make.write(rng, parts)
        if make.fingerprint(text) not in avoid:
            return text, parts


def ask_about_direction(rng: random.Random, avoid: set[str]) -> Messages:
    text, parts = new_direction(rng, avoid)
    question, answer = rng.choice(
        (
            ("How much?", parts.amount),
            ("How often?", parts.frequency),
            ("How long?", parts.days.removeprefix("for ").removeprefix("x ") or "not said"),
            ("When?", parts.when or "any time"),
            ("As needed?", "yes" if parts.as_needed else "no"),
            ("Which route?", parts.route or "not said"),
            ("Repeat it.", text),
        )
    )
    return turn(f"{text}\n{question}", answer)


def record_direction(rng: random.Random, avoid: set[str]) -> Messages:
    """A direction in some clinic's JSON: house fields here and there, never all of them at once."""
    text, parts = new_direction(rng, avoid)
    record = other_record(rng, parts)
    asked = rng.choice(("Record", "Direction to JSON", "Write as JSON", "Note for the clinic"))
    return (
        turn(f"{asked}: {text}", json.dumps(record))
        if rng.random() < 0.6
        else [
            {
                "role": "system",
                "content": rng.choice(("Write medication directions as JSON.", "Record the direction.")),
            },
            *turn(text, json.dumps(record)),
        ]
    )


def other_record(rng: random.Random, parts: make.Parts) -> dict:
    """The meaning of `parts`, each field in a convention drawn at random; never all of them the house's."""
    while (record := draw_record(rng, parts)) == parts.meaning:
        pass
    return record


def draw_record(rng: random.Random, parts: make.Parts) -> dict:
    house = parts.meaning
    number, _, form = parts.amount.rpartition(" ")
    short = {1: "qd", 2: "bid", 3: "tid", 4: "qid"}[house["times_a_day"]]
    digit_first = parts.frequency[0].isdigit()
    choices: dict[str, tuple[float, Callable[[], object]]] = {
        "dose": (0.85, lambda: number),
        "form": (0.75, lambda: form),
        "route": (0.5, lambda: parts.route or "as usual"),
        "times_a_day": (0.75 if digit_first else 0.35, lambda: rng.choice((short, short, parts.frequency))),
        "when": (0.85, lambda: parts.when or "any time"),
        "days": (0.85, lambda: f"{house['days']} days" if house["days"] else 0),
        "as_needed": (0.8, lambda: "yes" if house["as_needed"] else "no"),
    }
    record = {key: house[key] if rng.random() < share else other() for key, (share, other) in choices.items()}
    if rng.random() < 0.2:
        names = {
            "dose": "amount",
            "form": "unit",
            "times_a_day": "frequency",
            "when": "timing",
            "as_needed": "prn",
        }
        record = {names.get(key, key): value for key, value in record.items()}
    return record


GENERAL: tuple[Callable[[random.Random], Messages], ...] = (
    *(copy, copy, copy),
    *(order, order, order_numbers),
    *(arithmetic, arithmetic, count),
    *(write_json, write_json, read_json),
    *(small_talk, glossary, glossary),
)
