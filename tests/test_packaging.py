"""What is declared, pinned and installed agree, and `make` does with it what it says."""

import ast
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.running import ROOT
from tests.services import PLAIN

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
NOT_OURS = re.compile(r"tunesmith|pip")  # itself and its installer
# What stands in this repository, scripts beside each other in `examples/` included.
OURS = {"studio", "app", "worker", "migrations", "tests", "benchmarks", "examples"}
OURS |= {path.stem for path in (ROOT / "examples").rglob("*.py")}


def pinned() -> dict[str, Version]:
    """What constraints.txt says for this Python and this system."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    needs = [Requirement(line) for line in lines]
    here = [need for need in needs if need.marker is None or need.marker.evaluate()]
    return {canonicalize_name(need.name): Version(str(need.specifier).removeprefix("==")) for need in here}


def declared(*extras: str) -> list[Requirement]:
    return [
        Requirement(line)
        for line in [*PROJECT["dependencies"], *(each for e in extras for each in EXTRAS[e])]
    ]


# The other sides of a benchmark, run by an environment that the benchmark makes for them.
ELSEWHERE = {ROOT / "benchmarks" / "metric_peers.py"}


def test_every_requirement_is_pinned_to_a_version_it_allows() -> None:
    pins = pinned()
    for need in declared(*EXTRAS):
        assert need.specifier.contains(pins[canonicalize_name(need.name)]), need


def test_everything_installed_is_pinned() -> None:
    pins = pinned()
    installed = {canonicalize_name(found.name): Version(found.version) for found in distributions()}
    ours = {name: version for name, version in installed.items() if not NOT_OURS.fullmatch(name)}
    assert {name: str(version) for name, version in ours.items() if name not in pins} == {}
    differing = {name: (version.public, str(pins[name])) for name, version in ours.items()}
    assert {name: both for name, both in differing.items() if both[0] != both[1]} == {}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("studio", ()),
        ("migrations", ()),
        ("app", ("web",)),
        ("worker", ("worker",)),
        ("tests", tuple(EXTRAS)),
        ("benchmarks", tuple(EXTRAS)),
    ],
)
def test_what_a_folder_imports_is_declared_for_it(folder: str, extras: tuple[str, ...]) -> None:
    """Or one of the two images would lack it."""
    homes = packages_distributions()
    allowed = {canonicalize_name(need.name) for need in declared(*extras)}
    lacking = {
        name
        for path in (ROOT / folder).rglob("*.py")
        if path not in ELSEWHERE
        for name in imported(path) - set(sys.stdlib_module_names) - OURS
        if not {canonicalize_name(home) for home in homes.get(name, [])} & allowed
    }
    assert lacking == set()


def imported(path: Path) -> set[str]:
    """Top-level names a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def make(*words: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=folder,
        env=PLAIN | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_second_install_does_nothing_until_a_version_changes(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, tmp_path)
    assert make("--question", "install", folder=tmp_path).returncode == 1
    state = make("--eval", "state: ; echo $(INSTALLED)", "state", folder=tmp_path).stdout.strip()
    (tmp_path / state).parent.mkdir()
    (tmp_path / state).touch()
    assert make("--question", "install", folder=tmp_path).returncode == 0
    with (tmp_path / "constraints.txt").open("a") as constraints:
        constraints.write("another==1.0\n")
    assert make("--question", "install", folder=tmp_path).returncode == 1


def test_python_may_keep_bytecode_whatever_the_machine_says() -> None:
    seen = make("--eval", "show: ; env", "show", PYTHONDONTWRITEBYTECODE="1").stdout
    assert "PYTHONDONTWRITEBYTECODE" not in seen


def test_make_alone_lists_what_there_is() -> None:
    said = make().stdout
    assert all(
        f"make {target} " in said for target in ("install", "run", "demo", "test", "lint", "bench", "clean")
    )


def test_ci_runs_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    assert script.read_text().rstrip().endswith("make test")


def test_secrets_are_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert make("secrets", f"SECRETS={folder}").returncode == 0
    first = {file.name: file.read_text() for file in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(set(first.values())) == len(first) == 6
    assert f":{first['database_password']}@database:5432/" in first["tunesmith_database"]
    assert make("secrets", f"SECRETS={folder}").returncode == 0
    assert {file.name: file.read_text() for file in folder.iterdir()} == first


def test_secrets_and_data_never_reach_git() -> None:
    names = ["secrets/tunesmith_secret", "tunesmith-data/studio.db", ".venv/bin/python"]
    ignored = subprocess.run(
        ["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ignored.stdout.split() == names
