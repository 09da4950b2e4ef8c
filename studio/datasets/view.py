"""One normalised row as checks and statistics look at it: its turns, its words, taken apart once."""

from typing import Any, NamedTuple

from studio.datasets.shapes import Row, Shape

# The role that a plain text plays.
_ROLES = {"prompt": "user", "completion": "assistant", "chosen": "assistant", "rejected": "assistant"}


class Turn(NamedTuple):
    """One text of a row: the field it stands in, who says it ("" where nobody does), and the message it
    comes from (None for a plain text)."""

    field: str
    role: str
    text: str
    message: dict[str, Any] | None


class View:
    """A row with its line in the source file.

    `words` are the white-space separated words of each turn; `text` is all that is said, one turn a
    line; `folded` the same in lower case with single spaces, which is what duplicates are told by.
    """

    __slots__ = ("folded", "line", "row", "text", "turns", "words")

    def __init__(self, line: int, row: Row, shape: Shape):
        self.line, self.row = line, row
        self.turns = read_turns(row, shape)
        texts = [turn[2] for turn in self.turns]
        self.text = texts[0] if len(texts) == 1 else "\n".join(texts)
        self.words = [text.split() for text in texts]
        self.folded = " ".join([" ".join(words) for words in self.words]).lower()


def read_turns(row: Row, shape: Shape) -> list[Turn]:
    """The texts of a row in reading order."""
    turns: list[Turn] = []
    for field in shape.turns:
        value = row.get(field)
        if isinstance(value, str):
            turns.append(Turn(field, _ROLES.get(field, ""), value, None))
        elif value:
            for message in value:
                content = message["content"]
                text = content if type(content) is str else _parts_text(content)
                turns.append(Turn(field, message["role"], text, message))
                if "thinking" in message:
                    turns.append(Turn(field, "thinking", message["thinking"], message))
    if "negatives" in row and shape.name == "retrieval":
        turns += [Turn("negatives", "", text, None) for text in row["negatives"]]
    return turns


def _parts_text(parts: list[Any]) -> str:
    texts = (part if isinstance(part, str) else part.get("text") for part in parts)
    return "".join(text for text in texts if isinstance(text, str))
