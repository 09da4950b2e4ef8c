"""The served studio, once for all its tests: every service of docker-compose.yml as a plain process."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import create_engine, text

from tests import services
from tests.running import ROOT, SAMPLE, RunningStudio, free_port, until
from tests.served import compose

SHORT = {
    "max_steps": 80,
    "save_steps": 10,
    "per_device_train_batch_size": 8,
    "sample_prompts": 2,
    "sample_tokens": 8,
    "max_length": 128,
}

# Stands in for an image in which these packages are not installed.
WITHOUT = """
import sys

class Missing:
    names = {names!r}

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in cls.names:
            raise ModuleNotFoundError("No module named " + repr(name) + " in this image", name=name)

sys.meta_path.insert(0, Missing)
"""


def extra(name: str) -> set[str]:
    """The packages of one of pyproject.toml's extras."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][name]
    return {line.split(">")[0].split("=")[0] for line in needed}


class Served(RunningStudio):
    """Web and worker by Compose's commands, beside a PostgreSQL and a Redis server that ask for passwords."""

    def __init__(self, folder: Path):
        super().__init__(folder / "data")
        folder.chmod(0o755)
        self.base, self.secrets = folder, folder / "secrets"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {"database": free_port(), "broker": free_port()}
        self._make_secrets()
        database, broker = self.ports["database"], self.ports["broker"]
        scripts = {
            "valkey-server": f'exec redis-server "$@" --port {broker} --bind 127.0.0.1',
            "valkey-cli": f'exec redis-cli -p {broker} "$@"',
            "pg_isready": f'exec {shutil.which("pg_isready")} --port={database} "$@"',
        }
        self.bin = compose.programs(folder / "bin", scripts)
        self._without("web", {*extra("worker")})
        self._without("worker", {"gradio", "nh3"})

    def _make_secrets(self) -> None:
        at = [f"{name.upper()}_AT=127.0.0.1:{port}" for name, port in self.ports.items()]
        command = ["make", "--silent", "secrets", f"SECRETS={self.secrets}", *at]
        subprocess.run(command, cwd=ROOT, check=True, timeout=30, stdout=subprocess.DEVNULL)

    def _without(self, image: str, packages: set[str]) -> None:
        folder = self.base / f"{image}-image"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(WITHOUT.format(names=packages))

    # ---- life ----

    def place(self, service: str) -> compose.Place:
        scratch, data = self.base / service, self.folder
        scratch.mkdir(exist_ok=True)
        if service == "broker":
            data = scratch
        return compose.Place(self.secrets, data, scratch, self.port)

    def surroundings(self, service: str) -> dict[str, str]:
        """The service's environment: Compose's, and what makes tests quick."""
        image = "worker" if service == "worker" else "web"
        path = f"{self.bin}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        plain = {name: value for name, value in services.PLAIN.items() if not name.startswith("TUNESMITH_")}
        ours = {"PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.base / f"{image}-image")}
        composed = compose.read()["services"][service].get("environment") and compose.environment(
            service, self.place(service)
        )
        quick = {"TUNESMITH_PORT": str(self.port), "TUNESMITH_LOOK_EVERY": "0.5"}
        return plain | ours | (composed or {}) | quick

    def begin(self, service: str) -> subprocess.Popen[bytes]:
        with (self.base / f"{service}.log").open("ab") as output:
            self.processes[service] = subprocess.Popen(
                compose.command(service, self.place(service)),
                cwd=ROOT,
                env=self.surroundings(service),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        return self.processes[service]

    def start(self) -> None:
        self.begin("broker")
        until(lambda: self.healthy("broker"), 10, f"the broker; {self.log()}")
        assert self.begin("migrate").wait(60) == 0, self.log()
        self.begin("worker")
        self.begin("web")
        until(self.answers, 60, f"the web process; {self.log()}")

    def answers(self) -> bool:
        assert self.processes["web"].poll() is None, self.log()
        return self.healthy("web")

    def stop(self) -> None:
        for service in ("worker", "web", "broker"):
            self.end(service)

    def end(self, service: str) -> int:
        """As Compose stops a service: SIGTERM, and time."""
        process = self.processes.get(service)
        if process is None:
            return 0
        process.terminate()
        return process.wait(60)

    def healthy(self, service: str) -> bool:
        """Does the service's own health check pass?"""
        checked = subprocess.run(
            compose.health_check(service, self.place(service)),
            cwd=ROOT,
            env=self.surroundings(service),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return checked.returncode == 0

    def log_in(self) -> None:
        password = (self.secrets / "tunesmith_admin_password").read_text()
        answer = self.api.post("/login", data={"name": "admin", "password": password})
        assert answer.status_code == 303, answer.text

    def log(self) -> str:
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in self.base.glob("*.log"))

    def part(self, name: str) -> psutil.Process:
        return psutil.Process(self.processes[name].pid)

    # ---- what is in it ----

    def rows(self, query: str, **values: Any) -> list[Any]:
        engine = create_engine((self.secrets / "tunesmith_database").read_text())
        try:
            with engine.connect() as connection:
                return list(connection.execute(text(query), values))
        finally:
            engine.dispose()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    studio = Served(tmp_path_factory.mktemp("served"))
    password = (studio.secrets / "database_password").read_text()
    with services.postgres(password, studio.ports["database"]) as server:
        server.fresh("tunesmith")
        try:
            studio.start()
            studio.log_in()
            yield studio
        finally:
            studio.close()


@pytest.fixture(scope="session")
def labelled(served: Served, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Sixty labelled directions, uploaded; the version's id."""
    path: Path = tmp_path_factory.mktemp("files") / "directions.jsonl"
    path.write_text("".join((SAMPLE / "train.jsonl").read_text().splitlines(keepends=True)[:60]))
    return int(served.upload(path)["id"])


@pytest.fixture(scope="session")
def undisturbed(served: Served, labelled: int) -> int:
    """A finished run to which nothing happened."""
    run = launch(served, labelled)
    served.finish(run)
    return run


def launch(served: Served, dataset: int) -> int:
    return served.launch(model="Tunesmith starter", dataset=dataset, adapter="full", parameters=SHORT)
