"""Runs that were really made, as the doctor sees them: `recorded/*.json`. Each says how it was made and which
rule has to speak; `benchmarks/behaviour/doctor.py` makes them again."""

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from studio import techniques
from studio.doctor import Patient, Series
from studio.doctor.checkups import advised

FOLDER = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Recording:
    """`wanted` is empty where nothing may be found."""

    name: str
    wanted: str
    patient: Patient

    def __str__(self) -> str:
        return self.name


@cache
def every() -> tuple[Recording, ...]:
    return tuple(read(path) for path in sorted(FOLDER.glob("*.json")))


def get(name: str) -> Patient:
    return read(FOLDER / f"{name}.json").patient


def read(path: Path) -> Recording:
    told = json.loads(path.read_text())
    technique = techniques.get(told["technique"])
    patient = Patient(
        technique=technique,
        adapter=told["adapter"],
        settings=told["parameters"],
        series={key: series(points) for key, points in told["series"].items()},
        advised=advised(technique, told["adapter"], told["size"]),
        shape=told["shape"],
        rows=told["rows"],
        graders=told["graders"],
        error=told["error"],
        total_steps=told["total_steps"],
    )
    return Recording(path.stem, told["wanted"], patient)


def series(points: list[list[Any]]) -> Series:
    """Points as (step, value); a value that is no number stands there by name."""
    return Series(
        [step for step, _ in points],
        [math.nan if isinstance(value, str) else value for _, value in points],
    )
