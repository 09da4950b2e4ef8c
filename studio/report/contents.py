"""What a report consists of: sections of words, tables, charts and answers, every figure said already."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from studio.report.drawing import Drawing


@dataclass(frozen=True)
class Words:
    text: str


@dataclass(frozen=True)
class Table:
    """`places` are the colours of the runs its rows are about, where they are about one run each; `numbers`
    are the columns set to the right."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    places: Sequence[int] = ()
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Chart:
    title: str
    help: str
    drawing: Drawing


@dataclass(frozen=True)
class Answer:
    """`place` is the run's colour; `mark` what its scores say."""

    place: int
    name: str
    mark: str
    text: str


@dataclass(frozen=True)
class Answers:
    """One prompt, and what each run answered."""

    prompt: str
    reference: str
    answers: Sequence[Answer]


Block = Words | Table | Chart | Answers


@dataclass(frozen=True)
class Section:
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    title: str
    note: str
    made: datetime
    runs: Sequence[tuple[int, str]]  # (the place of its colour, its name)
    sections: Sequence[Section] = field(default_factory=list)
