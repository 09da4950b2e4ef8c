"""Preference pairs out of a reward lab: of the model's own answers to each prompt the one with the highest
reward against the one with the lowest. A round of iterative preference optimisation begins with them (Pang et
al., arXiv 2404.19733, section 2)."""

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import rows
from studio.datasets import library
from studio.errors import Refused, StudioError
from studio.lab import ALIKE, REWARD
from studio.models import DatasetVersion, Kind, Run, Sample, State
from studio.rows import Row, like_prompt

if TYPE_CHECKING:
    from studio.datasets.inspection import Report


def of(session: Session, lab: Run) -> list[Row]:
    """The pairs of a lab that is done. Raises StudioError where its answers make none."""
    if lab.kind != Kind.LAB or lab.state != State.SUCCEEDED:
        raise Refused("Pairs are made of a reward lab that is done.", hint="Let one answer all its prompts.")
    if lab.parameters.get("environment"):
        raise StudioError(
            "These answers are conversations with tools, which a pair of texts does not hold.",
            hint="Learn from them by GRPO with the same tools, or try the reward without tools.",
        )
    version = lab.dataset_version
    if version is None:
        raise StudioError("The lab's dataset is no longer there.", hint="Try the reward on another one.")
    asked = rows.converted(
        library.rows_path(version), version.shape, "prompts", most=lab.parameters["prompts"]
    )
    answers = _answers(session, lab)
    found = [pair for at, row in enumerate(asked) if (pair := _pair(lab, row, answers[at]))]
    if not found:
        raise StudioError(
            "No prompt has answers that differ in reward: there is nothing to prefer.",
            hint="Draw more answers to each prompt, raise the temperature, or take other graders.",
        )
    return found


def _answers(session: Session, lab: Run) -> dict[int, list[Sample]]:
    """The answers that have a reward, by the number of their prompt."""
    found: dict[int, list[Sample]] = defaultdict(list)
    for sample in session.scalars(select(Sample).where(Sample.run_id == lab.id).order_by(Sample.number)):
        if isinstance(sample.scores.get(REWARD), int | float):
            found[sample.number // lab.parameters["samples"]].append(sample)
    return found


def _pair(lab: Run, asked: Row, answers: list[Sample]) -> Row | None:
    """None where all answers have the same reward, or the same words have the highest and the lowest."""
    ranked = sorted(answers, key=lambda sample: sample.scores[REWARD])
    if not ranked:
        return None
    chosen, rejected = ranked[-1], ranked[0]
    if chosen.scores[REWARD] - rejected.scores[REWARD] < ALIKE or chosen.answer == rejected.answer:
        return None
    return {
        "prompt": asked["prompt"],
        "chosen": like_prompt(asked["prompt"], chosen.answer),
        "rejected": like_prompt(asked["prompt"], rejected.answer),
        "meta": {
            "lab": lab.id,
            "model": lab.model.name if lab.model else "",
            "graders": graders(lab),
            "rewards": [chosen.scores[REWARD], rejected.scores[REWARD]],
        },
    }


def graders(lab: Run) -> str:
    """What the answers were ranked by, in words."""
    return ", ".join(f"{each['name']} × {each['weight']:g}" for each in lab.graders)


def prepare(found: list[Row]) -> "tuple[Path, Report]":
    """Reads the pairs into a folder of their own, before any transaction."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.jsonl"
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in found))
        return library.prepare(path, path.name, format="trl_preference")


def keep(session: Session, lab_id: int, folder: Path, report: "Report", who: str = "") -> DatasetVersion:
    """Keeps what `prepare` read as the next version of the prompts' own pairs: one version a round."""
    lab = session.get_one(Run, lab_id)
    asked = lab.dataset_version
    assert asked is not None
    name = f"{asked.dataset.name}: own pairs"
    version = library.add(
        session, folder, report, name=name, project_id=lab.project_id, parent=asked, who=who
    )
    model = lab.model.name if lab.model else "a model that is gone"
    version.dataset.note = f"Answers of {model} in reward lab {lab.id}, ranked by {graders(lab)}."
    return version
