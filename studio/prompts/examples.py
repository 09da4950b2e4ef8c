"""Solved examples for a prompt, from the rows a use case trains on. A held-out question is never one: the
model would be shown what it is measured on."""

import functools
import hashlib
import random
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from studio.datasets import canonical, library
from studio.errors import Refused, StudioError
from studio.held_out import ASKING, held_out_of, taken_apart, text_of
from studio.models import DatasetVersion, Project
from studio.prompting import Example, Prompting, fields_of

MOST_READ = 2000  # rows that are looked at for the most diverse
LONGEST = 4000  # characters of a question or an answer that is worth its place in every prompt


class Way(StrEnum):
    """How examples are taken: any, or such as have few words in common."""

    RANDOM = "random"
    DIVERSE = "diverse"


def asked_from(session: Session, project: Project) -> DatasetVersion | None:
    """Where a preview finds its questions: the held-out rows, else training rows."""
    return held_out_of(session, project) or next(iter(sources(session, project)), None)


def sources(session: Session, project: Project) -> list[DatasetVersion]:
    """Versions with questions and answers that are not held out: the use case's own, else any."""
    held_out = held_out_of(session, project)
    for versions in (_versions(session, project), _versions(session, None)):
        found = [
            each
            for each in versions
            if each.split != library.HELD_OUT
            and (held_out is None or each.sha256 != held_out.sha256)
            and example_of(next(iter(library.rows_of(each, 0, 1)), {})) is not None
        ]
        if found:
            return sorted(found, key=lambda version: (version.shape == "prompt", -version.id))
    return []


def _versions(session: Session, project: Project | None) -> list[DatasetVersion]:
    return [
        version
        for dataset in library.listed(session)
        if project is None or dataset.project_id == project.id
        for version in dataset.versions
        if version.shape in ASKING
    ]


def example_of(row: dict[str, Any]) -> Example | None:
    """The row as a solved example; None where it has no answer, or is more than one question."""
    asked, answer = taken_apart(row)
    words = [text_of(turn) for turn in asked if turn["role"] == "user"]
    if len(words) != 1 or not words[0].strip() or not answer.strip():
        return None
    if max(len(words[0]), len(answer)) > LONGEST:
        return None
    return Example(input=words[0], output=answer, fields=fields_of(row))


def pick(
    session: Session, project: Project, version: DatasetVersion, numbers: Sequence[int]
) -> list[Example]:
    """The rows of these numbers, from 0. Raises Refused for one whose question is held out."""
    held_out = held_out_of(session, project)
    _check_source(version, held_out)
    found = []
    for number in numbers:
        rows = library.rows_of(version, number, 1) if 0 <= number < version.rows else []
        example = example_of(rows[0]) if rows else None
        if example is None:
            raise StudioError(
                f"Row {number + 1} of “{version.title}” is no solved example.",
                hint="Choose a row with one question and its answer.",
                field="rows",
            )
        found.append(example)
    if held_out is not None:
        check_unseen(Prompting(examples=found), held_out)
    return found


def take(
    session: Session,
    project: Project,
    version: DatasetVersion,
    count: int,
    way: Way = Way.RANDOM,
    *,
    seed: int = 0,
    without: Sequence[Example] = (),
) -> list[Example]:
    """`count` examples, fewer where there are no more; the same for the same seed. Held-out questions, and
    those of the examples `without`, are passed over."""
    held_out = held_out_of(session, project)
    _check_source(version, held_out)
    known = set(_questions(str(library.rows_path(held_out)))) if held_out else set()
    known |= {_digest(each.input) for each in without}
    offered = list(_fresh(version, known))
    order = random.Random(seed)
    order.shuffle(offered)
    return offered[:count] if way is Way.RANDOM else _diverse(offered[:MOST_READ], count)


def check_unseen(prompting: Prompting, held_out: DatasetVersion) -> None:
    """Raises Refused where an example's question is one that the answers are measured on."""
    known = _questions(str(library.rows_path(held_out))) if prompting.examples else frozenset()
    for number, each in enumerate(prompting.examples, 1):
        if _digest(each.input) in known:
            raise Refused(
                f"Example {number} is a question of “{held_out.title}”, which is held out.",
                hint="Take examples from training rows: with this one the figures would say too much.",
                field=f"examples.{number - 1}",
            )


def _check_source(version: DatasetVersion, held_out: DatasetVersion | None) -> None:
    if version.split == library.HELD_OUT or (held_out is not None and version.id == held_out.id):
        raise Refused(
            f"“{version.title}” is held out.", hint="Take examples from training rows.", field="dataset"
        )


def _fresh(version: DatasetVersion, known: set[bytes]) -> Iterator[Example]:
    """The examples of a version whose question is not known yet, each question once."""
    seen = set(known)
    for row in canonical.each(library.rows_path(version)):
        example = example_of(row)
        if example is not None and (digest := _digest(example.input)) not in seen:
            seen.add(digest)
            yield example


def _diverse(offered: Sequence[Example], count: int) -> list[Example]:
    """The first, then again and again the one farthest from all that were taken (Jaccard distance of their
    words; Gonzalez, Theoretical Computer Science 38, 1985)."""
    words = [set(each.input.lower().split()) for each in offered]
    farness = [1.0] * len(offered)
    taken: list[int] = []
    while len(taken) < min(count, len(offered)):
        at = max((place for place in range(len(offered)) if place not in taken), key=farness.__getitem__)
        taken.append(at)
        for place, said in enumerate(words):
            farness[place] = min(farness[place], 1 - len(said & words[at]) / max(len(said | words[at]), 1))
    return [offered[place] for place in taken]


@functools.lru_cache(maxsize=16)
def _questions(path: str) -> frozenset[bytes]:
    """The questions of a version, which never changes."""
    asked = (taken_apart(row)[0] for row in canonical.each(Path(path)))
    said = (text_of(turn) for turns in asked for turn in turns if turn["role"] == "user")
    return frozenset(map(_digest, said))


def _digest(question: str) -> bytes:
    """Up to case and white space, as `datasets.split` tells inputs apart."""
    return hashlib.blake2b(" ".join(question.lower().split()).encode(), digest_size=8).digest()
