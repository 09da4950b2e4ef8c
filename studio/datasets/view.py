"""One normalised row as checks and statistics look at it: its turns, its words, taken apart once."""

from typing import Any, NamedTuple

from studio.datasets.shapes import Row, Shape

# The role that a plain text plays.
_ROLES = {"prompt": "user", "completion": "assistant", "chosen": "assistant", "rejected": "assistant"}

# ASCII capitals to small letters, white space to a space.
_FOLD = bytes(range(256)).lower().translate(bytes.maketrans(b"\t\n\v\f\r", b"     "))


class Turn(NamedTuple):
    """One text of a row: the field it stands in, who says it ("" where nobody does), and the message it
    comes from (None for a plain text)."""

    field: str
    role: str
    text: str
    message: dict[str, Any] | None


class View:
    """A row with its line in the source file.

    `text` is all that is said, one turn a line; `folded` the same as UTF-8 in lower case with single
    spaces, which is what duplicates are told by; `words` how many words each turn has (separated by
    ASCII white space).
    """

    __slots__ = ("folded", "line", "row", "text", "turns", "words")

    def __init__(self, line: int, row: Row, shape: Shape):
        self.line, self.row = line, row
        self.turns = read_turns(row, shape)
        texts = [turn[2] for turn in self.turns]
        self.text = texts[0] if len(texts) == 1 else "\n".join(texts)
        folded = [fold(text) for text in texts]
        self.words = [text.count(b" ") + 1 if text else 0 for text in folded]
        self.folded = b"\n".join(folded)


def fold(text: str) -> bytes:
    """Lower case, single spaces, no space at the ends; as UTF-8. (Bytes, as this runs over every text:
    splitting into words and joining them again takes ten times as long.)"""
    data = text.encode() if text.isascii() else text.lower().encode()
    data = data.translate(_FOLD)
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data.strip(b" ")


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
