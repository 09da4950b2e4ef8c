"""Finding a technique: in its group, and by any of its names, its paper, or what it is for."""

from collections.abc import Iterable

from studio import techniques
from studio.techniques import Technique

# What the members of a group have in common, in the order in which people meet them.
GROUPS = {
    "Supervised": "Learns from right answers. The first thing to try once prompts alone fall short.",
    "Preference": "Learns from which of two answers is better, or from thumbs up and down.",
    "RLHF": "Learns a reward from people's judgements, then answers by itself and follows that reward.",
    "Reasoning RL": "Answers by itself, and learns from the score that graders give each answer.",
    "Light": "Leaves the language model as it is, or trains a small one: minutes on a processor.",
}


def shelves(members: Iterable[Technique] | None = None) -> list[tuple[str, list[Technique]]]:
    """(group, those of its techniques that are in `members`); groups unknown here come last."""
    groups: dict[str, list[Technique]] = {group: [] for group in GROUPS}
    for technique in techniques.all() if members is None else members:
        groups.setdefault(technique.group, []).append(technique)
    return [(group, found) for group, found in groups.items() if found]


def words_of(technique: Technique) -> str:
    """Everything a search looks at, in small letters."""
    names = (technique.name, technique.name.replace("_", " "), technique.title, technique.full_name)
    said = (*names, *technique.aliases, technique.paper, technique.group, technique.summary)
    return " ".join(filter(None, said)).lower()


def matches(words: str, asked: str) -> bool:
    """Whether every word asked for stands somewhere in `words`; nothing asked for finds everything."""
    return all(word in words for word in asked.lower().split())
