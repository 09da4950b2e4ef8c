"""The words a made-up clinic writes medication directions with, and what each of them means.

Only tables: `make.py` builds directions from them, and the starter model's pretraining reads the same
vocabulary. Nothing here comes from a patient, a pharmacy or a drug label; the drug names are invented.
"""

from typing import NamedTuple

NUMBERS = {
    0.5: ("half a", "1/2", "0.5"),
    1: ("one", "1"),
    2: ("two", "2"),
    3: ("three", "3"),
    4: ("four", "4"),
    5: ("five", "5"),
    6: ("six", "6"),
    7: ("seven", "7"),
    8: ("eight", "8"),
    10: ("ten", "10"),
    12: ("twelve", "12"),
    14: ("fourteen", "14"),
    15: ("fifteen", "15"),
    21: ("twenty-one", "21"),
    24: ("24",),
    28: ("28",),
    30: ("thirty", "30"),
}


class Form(NamedTuple):
    """How one form is spoken of. `routes` maps a route to its phrases; `""` means it may go unsaid."""

    singular: tuple[str, ...]
    plural: tuple[str, ...]
    verbs: tuple[str, ...]
    doses: tuple[float, ...]
    routes: dict[str, tuple[str, ...]]


FORMS = {
    "tablet": Form(
        ("tablet", "tab"),
        ("tablets", "tabs"),
        ("take", "give", "swallow"),
        (0.5, 1, 2, 3, 4),
        {"oral": ("", "by mouth", "po", "orally"), "sublingual": ("under the tongue", "sublingually", "sl")},
    ),
    "capsule": Form(
        ("capsule", "cap"),
        ("capsules", "caps"),
        ("take", "give", "swallow"),
        (1, 2, 3, 4),
        {"oral": ("", "by mouth", "po", "orally")},
    ),
    "liquid": Form(
        ("ml",),
        ("ml",),
        ("take", "give"),
        (2, 5, 10, 15),
        {"oral": ("", "by mouth", "po", "orally"), "tube": ("via tube", "by feeding tube")},
    ),
    "drop": Form(
        ("drop", "gtt"),
        ("drops", "gtts"),
        ("put", "instil", "use"),
        (1, 2, 3, 4),
        {
            "eye": ("in each eye", "in the left eye", "in the right eye", "to both eyes"),
            "ear": ("in each ear", "in the left ear", "in the right ear", "to both ears"),
        },
    ),
    "puff": Form(
        ("puff", "inhalation"),
        ("puffs", "inhalations"),
        ("inhale", "take", "use"),
        (1, 2, 3, 4),
        {"inhaled": ("", "by inhaler", "via spacer", "inhaled")},
    ),
    "spray": Form(
        ("spray", "squirt"),
        ("sprays", "squirts"),
        ("use", "give"),
        (1, 2),
        {"nasal": ("in each nostril", "in the nose", "nasally"), "sublingual": ("under the tongue", "sl")},
    ),
    "patch": Form(
        ("patch",),
        ("patches",),
        ("apply", "use"),
        (1, 2),
        {"skin": ("", "to the skin", "to clean skin", "topically")},
    ),
    "suppository": Form(
        ("suppository", "supp"),
        ("suppositories", "supps"),
        ("insert", "use"),
        (1, 2),
        {"rectal": ("", "rectally", "pr", "per rectum")},
    ),
}

TIMES_A_DAY = {
    1: ("once daily", "once a day", "daily", "every day", "qd", "od", "one time a day"),
    2: ("twice daily", "twice a day", "bid", "two times a day", "2 times a day", "2x a day"),
    3: ("three times daily", "three times a day", "tid", "3 times a day", "3x a day", "tds"),
    4: ("four times daily", "four times a day", "qid", "4 times a day", "4x a day", "qds"),
}

WHEN = {
    "with food": ("with food", "with meals", "with a meal"),
    "before food": ("before food", "before meals", "ac", "on an empty stomach"),
    "after food": ("after food", "after meals", "pc"),
    "at bedtime": ("at bedtime", "at night", "hs", "before sleep"),
    "in the morning": ("in the morning", "qam", "on waking"),
}
FOOD = ("with food", "before food", "after food")
ONCE_A_DAY = ("at bedtime", "in the morning")

WEEKS = {7: ("a week", "one week", "1 week"), 14: ("two weeks", "2 weeks")}
DAYS = (3, 4, 5, 6, 7, 10, 14, 21, 28, 30)

AS_NEEDED = ("as needed", "prn", "if needed", "when required", "only if needed")
REASONS = ("pain", "nausea", "itching", "cough", "wheeze", "cramps")

# The hard slice only: rarer ways to say the same things.
INTERVALS = {12: 2, 8: 3, 6: 4, 4: 6, 24: 1}  # hours between doses → times a day
DAY_PARTS = (
    ("morning and night", 2, None),
    ("morning and evening", 2, None),
    ("noon and night", 2, None),
    ("morning, noon and night", 3, None),
    ("nightly", 1, "at bedtime"),
    ("mornings", 1, "in the morning"),
    ("first thing", 1, "in the morning"),
    ("with breakfast", 1, "with food"),
    ("with breakfast and supper", 2, "with food"),
    ("with every meal", 3, "with food"),
    ("before each meal", 3, "before food"),
    ("before lunch and supper", 2, "before food"),
    ("after breakfast", 1, "after food"),
    ("after every meal", 3, "after food"),
)
LONG_SPELLS = {
    14: ("a fortnight",),
    21: ("three weeks", "3 weeks"),
    28: ("four weeks", "4 weeks"),
    30: ("a month",),
}
NOT_AS_NEEDED = ("regularly, not prn", "not as needed", "every time, not only if needed")
CORRECTIONS = ("no, ", "correction: ", "sorry, ", "make that ", "I mean ")
DRUGS = ("lorfenac", "pendrovil", "masticor", "quilazine", "tebromal", "sunavex", "ordelin", "vastropen")
STRENGTHS = ("5 mg", "10 mg", "20 mg", "50 mg", "100 mg", "250 mg", "500 mg")
