"""Documents to search and to open. They stand in each row; nothing is fetched and nothing is taken from
other rows, so that the same question always finds the same lines."""

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from studio.errors import StudioError
from studio.graders.reading import words

K1, B = 1.2, 0.75  # Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, section 3.3
LONGEST_LINE, LONGEST_DOCUMENT = 300, 2000  # characters shown


@dataclass(frozen=True)
class Document:
    title: str
    text: str


class Lookup:
    def __init__(self, column: str = "documents", lines: int = 3):
        self._column, self._count = column, lines
        self._documents: list[Document] = []

    def reset(self, row: str = "{}", **columns: Any) -> None:
        """Begins an episode with the documents of `row`, which is JSON. StudioError where it has none."""
        decoded = json.loads(row)
        self._documents = documents_in(_column(decoded, self._column))
        if not self._documents:
            raise StudioError(
                f"A row has no documents in its column “{self._column}”: {_beginning(decoded)}",
                hint="Give every row its documents: a text, a list of texts, or the rows of a table. Or name "
                "another column in the settings of the environment.",
                field="dataset",
            )

    def search(self, query: str) -> str:
        """Searches the documents.

        Args:
            query: Words to look for.

        Returns:
            The best matching lines, each after the number of its document.
        """
        lines = [
            (number, line)
            for number, document in enumerate(self._documents, 1)
            for line in f"{document.title}\n{document.text}".splitlines()
            if line.strip()
        ]
        scores = bm25(words(str(query)), [words(line) for _, line in lines])
        best = sorted(range(len(lines)), key=lambda place: (-scores[place], place))[: self._count]
        found = [f"{lines[at][0]}: {lines[at][1].strip()[:LONGEST_LINE]}" for at in best if scores[at] > 0]
        return "\n".join(found) or "Nothing was found."

    def open_document(self, number: int) -> str:
        """Opens a document.

        Args:
            number: Its number.

        Returns:
            Its text.
        """
        count = len(self._documents)
        if not str(number).isdecimal() or not 1 <= int(number) <= count:
            raise ValueError(f"There is no document {number}; their numbers are 1 to {count}.")
        document = self._documents[int(number) - 1]
        return f"{document.title}\n{document.text}".strip()[:LONGEST_DOCUMENT]


def bm25(query: list[str], lines: list[list[str]]) -> list[float]:
    """The score of each line: Σ over the words of the query of idf × tf (k₁ + 1) / (tf + k₁ (1 − b + b length
    / mean length)), with idf = ln(1 + (N − n + ½) / (n + ½)), which is never negative."""
    counts = [Counter(line) for line in lines]
    mean = sum(map(len, lines)) / max(1, len(lines))
    scores = [0.0] * len(lines)
    for word in dict.fromkeys(query):
        having = sum(word in count for count in counts)
        rarity = math.log(1 + (len(lines) - having + 0.5) / (having + 0.5))
        for place, count in enumerate(counts):
            if often := count[word]:
                length = 1 - B + B * len(lines[place]) / mean
                scores[place] += rarity * often * (K1 + 1) / (often + K1 * length)
    return scores


def documents_in(value: Any) -> list[Document]:
    """Documents from a text, a list of texts, of {title, text}, or of the rows of a table; a list may also be
    written as JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = [value]
    entries = value if isinstance(value, list) else [value]
    return [document for document in map(_document, entries) if document.title or document.text]


def _document(entry: Any) -> Document:
    if not isinstance(entry, dict):
        return Document("", "" if entry is None else str(entry).strip())
    text = entry.get("text", entry.get("content"))
    if isinstance(text, str):
        return Document(str(entry.get("title") or "").strip(), text.strip())
    return Document("", ", ".join(f"{name}: {cell}" for name, cell in entry.items()))


def _column(row: dict[str, Any], name: str) -> Any:
    meta = row.get("meta")
    return row.get(name, meta.get(name) if isinstance(meta, dict) else None)


def _beginning(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)[:100]
