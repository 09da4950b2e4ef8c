"""How long, how many, which: figures over all good rows, gathered as a stream."""

from collections import Counter

from pydantic import BaseModel

from studio.datasets.shapes import Shape
from studio.datasets.view import View

MOST_LABELS = 50


class Spread(BaseModel):
    """How a count (characters, words, turns) is spread over the rows."""

    min: int
    median: int
    p95: int
    max: int
    total: int


class Lengths(BaseModel):
    """How long one field is (in a chat: what one role says in a row)."""

    characters: Spread
    words: Spread


class Statistics(BaseModel):
    """`fields`: lengths by field (chat: by role), and under `row` of all text together. `turns`: messages
    a row. `roles`, `labels`: how many there are of each (labels: the 50 most frequent)."""

    rows: int
    fields: dict[str, Lengths]
    turns: Spread | None
    roles: dict[str, int]
    labels: dict[str, int]


class Histogram:
    """Whole numbers counted one by one: percentiles are exact, memory grows with *different* values."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0

    def add(self, value: int) -> None:
        self._counts[value] = self._counts.get(value, 0) + 1
        self.count += 1

    def at(self, share: float) -> int:
        """The smallest value that at least this share of all values does not exceed; 0 without any."""
        reached = 0
        for value in sorted(self._counts):
            reached += self._counts[value]
            if reached >= share * self.count:
                return value
        return 0

    def median(self) -> int:
        return self.at(0.5)

    def spread(self) -> Spread:
        return Spread(
            min=min(self._counts, default=0),
            median=self.at(0.5),
            p95=self.at(0.95),
            max=max(self._counts, default=0),
            total=sum(value * count for value, count in self._counts.items()),
        )


class Gatherer:
    """Statistics in the making: `see` every row once, then `finish`."""

    def __init__(self, shape: Shape):
        self._shape = shape
        self._rows = 0
        self._characters: dict[str, Histogram] = {}
        self._words: dict[str, Histogram] = {}
        self._turns = Histogram()
        self._roles: dict[str, int] = {}
        self._labels: Counter[str] = Counter()

    def see(self, view: View) -> None:
        self._rows += 1
        characters: dict[str, int] = {}
        words: dict[str, int] = {}
        messages = all_characters = all_words = 0
        for (field, role, text, message), said in zip(view.turns, view.words, strict=True):
            key = role if field == "messages" else field
            length = len(text)
            if key in characters:
                characters[key] += length
                words[key] += said
            else:
                characters[key], words[key] = length, said
            all_characters += length
            all_words += said
            if message is not None and role != "thinking":
                messages += 1
                self._roles[role] = self._roles.get(role, 0) + 1
        characters["row"], words["row"] = all_characters, all_words
        for histograms, lengths in ((self._characters, characters), (self._words, words)):
            for key, length in lengths.items():
                histogram = histograms.get(key)
                if histogram is None:
                    histogram = histograms[key] = Histogram()
                histogram.add(length)
        if messages:
            self._turns.add(messages)
        if "label" in view.row:
            self._labels[str(view.row["label"])[:200]] += 1
            if len(self._labels) > 20 * MOST_LABELS:  # free text in the label column: keep it bounded
                self._labels = Counter(dict(self._labels.most_common(MOST_LABELS)))

    def finish(self) -> Statistics:
        return Statistics(
            rows=self._rows,
            fields={
                key: Lengths(characters=self._characters[key].spread(), words=self._words[key].spread())
                for key in self._characters
            },
            turns=self._turns.spread() if self._turns.count else None,
            roles=self._roles,
            labels=dict(self._labels.most_common(MOST_LABELS)),
        )
