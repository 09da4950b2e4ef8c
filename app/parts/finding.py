"""Finding a technique by any of its names: short and full ones, aliases, the paper, what it is for."""

from studio.techniques import Technique


def words_of(technique: Technique) -> str:
    """Everything a search looks at, in small letters."""
    names = (technique.name, technique.name.replace("_", " "), technique.title, technique.full_name)
    said = (*names, *technique.aliases, technique.paper, technique.group, technique.summary)
    return " ".join(filter(None, said)).lower()


def matches(words: str, asked: str) -> bool:
    """Whether every word asked for begins somewhere in `words`; nothing asked for finds everything."""
    return all(word in words for word in asked.lower().split())
