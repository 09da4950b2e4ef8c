"""docker-compose.yml as Compose would read it, and its commands for a machine without containers.

Commands and health checks stay exactly as written. Only what a container brings is put in their place: its
folders (`/run/secrets`, `/data`, `/tmp`), its port 7870, and its programs, which `programs` makes.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "docker-compose.yml"


def read() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


@dataclass(frozen=True)
class Place:
    """What one container would have for itself."""

    secrets: Path
    data: Path
    scratch: Path
    port: int

    def here(self, text: str) -> str:
        """A word of a command, for this place."""
        changes = {
            "/run/secrets": str(self.secrets),
            "/data": str(self.data),
            "/tmp/": f"{self.scratch}/",
            ":7870/": f":{self.port}/",
            "$$": "$",
        }
        return re.sub("|".join(map(re.escape, changes)), lambda found: changes[found[0]], text)


def command(service: str, place: Place) -> list[str]:
    return [place.here(word) for word in read()["services"][service]["command"]]


def environment(service: str, place: Place) -> dict[str, str]:
    """Without what Compose only passes on."""
    said = read()["services"][service]["environment"]
    return {name: place.here(value) for name, value in said.items() if value is not None}


def health_check(service: str, place: Place) -> list[str]:
    kind, *words = (place.here(word) for word in read()["services"][service]["healthcheck"]["test"])
    return words if kind == "CMD" else ["sh", "-c", *words]


def programs(folder: Path, scripts: dict[str, str]) -> Path:
    """A folder for PATH: each script stands in for a program that the image has and this machine has not,
    or knows the port on which this machine's server listens."""
    folder.mkdir(parents=True)
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return folder
