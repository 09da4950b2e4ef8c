"""The words of a made-up workshop and its engineering service: machines, faults, and what the house does.

Only tables: `make.py` builds questions and answers from them. No real machine, maker or manual was looked at;
never mend a machine by them.
"""

from typing import NamedTuple

COLOURS = ("red", "green", "blue", "yellow", "black", "white", "brown", "grey")
NAMES = ("Ada", "Bo", "Cleo", "Dara", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jun", "Kai", "Lena")

# kind of machine → the part that each fault comes from
PARTS = {
    "pump": {
        "smoke": "motor",
        "oil": "shaft seal",
        "shake": "foot bolts",
        "hot": "inlet filter",
        "loud": "front bearing",
        "slow": "drive belt",
    },
    "fan": {
        "smoke": "switch",
        "oil": "hub seal",
        "shake": "blade bolts",
        "hot": "air filter",
        "loud": "hub bearing",
        "slow": "fan belt",
    },
    "press": {
        "smoke": "pump motor",
        "oil": "piston seal",
        "shake": "table bolts",
        "hot": "oil filter",
        "loud": "guide rail",
        "slow": "valve spring",
    },
    "saw": {
        "smoke": "brake",
        "oil": "chain seal",
        "shake": "blade nut",
        "hot": "dust filter",
        "loud": "arm bearing",
        "slow": "saw belt",
    },
    "lift": {
        "smoke": "winch motor",
        "oil": "cylinder seal",
        "shake": "rail bolts",
        "hot": "oil cooler",
        "loud": "top wheel",
        "slow": "lift chain",
    },
    "mill": {
        "smoke": "spindle motor",
        "oil": "head seal",
        "shake": "clamp bolts",
        "hot": "water filter",
        "loud": "spindle bearing",
        "slow": "feed belt",
    },
}


class Fault(NamedTuple):
    """How a fault is spoken of now and before, what the house does about its part, and whether the machine
    is stopped for it."""

    now: tuple[str, ...]
    denied: tuple[str, ...]
    before: tuple[str, ...]
    remedy: str
    stops: bool


# The worst first: where two are named, the house treats the one that stands higher.
FAULTS = {
    "smoke": Fault(
        ("smokes", "smells burnt", "gives off smoke"),
        ("does not smoke",),
        ("smoked", "smelt burnt"),
        "Change the {part}.",
        True,
    ),
    "oil": Fault(
        ("drips oil", "loses oil", "is wet with oil"),
        ("loses no oil",),
        ("lost oil", "dripped oil"),
        "Change the {part}.",
        True,
    ),
    "shake": Fault(
        ("shakes", "is not steady", "jumps"),
        ("does not shake",),
        ("shook", "jumped"),
        "Tighten the {part}.",
        True,
    ),
    "hot": Fault(
        ("is too hot", "runs hot", "gets too warm"),
        ("is not hot",),
        ("was too hot", "ran hot"),
        "Clean the {part}.",
        False,
    ),
    "loud": Fault(
        ("is loud", "rattles", "makes a noise"),
        ("is not loud",),
        ("was loud", "rattled"),
        "Grease the {part}.",
        False,
    ),
    "slow": Fault(
        ("is slow", "runs slowly", "has lost speed"),
        ("is not slow",),
        ("was slow", "ran slowly"),
        "Set the {part}.",
        False,
    ),
}


class Often(NamedTuple):
    """How it is said that a fault comes so often, and what the service asks for then."""

    said: tuple[str, ...]
    follow_up: str


OFTEN = {
    "once": Often(("", "for the first time", "since this morning"), "Look again in a week."),
    "again": Often(("again", "for the second time", "once more"), "Look again tomorrow."),
    "daily": Often(("every day", "day after day", "all the time"), "Write to the maker."),
}

ASKS = ("What now?", "What should I do?", "What can we do?", "Please help.")
GREETINGS = ("Hello, {name} here.", "{name} speaking.", "Good morning.")
CORRECTIONS = ("no, ", "sorry, ", "I mean ", "correction: ")
VAGUE = ("Please ask a fitter.", "Look at the machine.", "It may need some work.", "That is hard to say.")
