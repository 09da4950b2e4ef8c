"""docker-compose.yml says what Compose understands, and says it safely."""

import re
import subprocess
import sys
from typing import Any

import pytest

from studio.settings import Settings
from tests.served import compose

FILE = compose.read()
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
DOCKERFILES = ("Dockerfile.web", "Dockerfile.worker")


def test_the_file_fits_the_compose_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*command, compose.FILE], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_uses_only_what_is_declared(service: str) -> None:
    said = SERVICES[service]
    assert set(said.get("secrets", [])) <= set(FILE["secrets"])
    assert {volume.partition(":")[0] for volume in said.get("volumes", [])} <= set(FILE["volumes"])
    assert set(said["networks"]) <= set(FILE["networks"])


def test_everything_declared_is_used() -> None:
    used = {name for said in SERVICES.values() for name in said.get("secrets", [])}
    volumes = {volume.partition(":")[0] for said in SERVICES.values() for volume in said.get("volumes", [])}
    assert used == set(FILE["secrets"])
    assert volumes == set(FILE["volumes"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_waits_only_for_what_can_happen(service: str) -> None:
    for other, wait in SERVICES[service].get("depends_on", {}).items():
        match wait["condition"]:
            case "service_healthy":
                assert "healthcheck" in SERVICES[other]
            case "service_completed_successfully":
                assert SERVICES[other]["restart"].startswith("on-failure")
            case unknown:
                raise AssertionError(unknown)


@pytest.mark.parametrize("service", set(SERVICES) - {"migrate"})
def test_a_service_that_stays_has_a_health_check(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_little(service: str) -> None:
    said = SERVICES[service]
    assert said["init"] is True
    assert said["read_only"] is True
    assert said["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in said["security_opt"]
    assert "/tmp" in said["tmpfs"]
    assert not said.get("privileged")


def test_only_the_web_process_is_published_and_only_on_loopback() -> None:
    published = {name: said["ports"] for name, said in SERVICES.items() if "ports" in said}
    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])


def test_no_password_is_written_into_the_file() -> None:
    for said in SERVICES.values():
        written = {name: value for name, value in said.get("environment", {}).items() if value is not None}
        for name, value in written.items():
            assert not re.search("password|secret$|database$|broker$", name, re.IGNORECASE) or str(
                value
            ).startswith("/run/secrets/")


def test_settings_of_mirrors_reach_the_worker() -> None:
    environment = SERVICES["worker"]["environment"]
    mirrors = [name for name in Settings.model_fields if name.startswith("mirror_")]
    assert mirrors
    assert all(environment.get(f"TUNESMITH_{name.upper()}", "lacking") is None for name in mirrors)


def test_workers_have_time_and_a_gpu() -> None:
    worker = SERVICES["worker"]
    assert worker["stop_grace_period"] == "10m"
    assert float(worker["environment"]["TUNESMITH_STOP_GRACE"]) < 600
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert worker["shm_size"]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_obeys_the_constraints_and_is_not_root(name: str) -> None:
    text = (compose.ROOT / name).read_text()
    assert text.count("pip install") == text.count("-c constraints.txt") + text.count("--no-deps")
    assert re.search(r"^USER tunesmith$", text, re.MULTILINE)
    assert [line for line in text.splitlines() if line.startswith("FROM ")] == ["FROM python:3.11-slim"]


def test_the_web_image_has_no_torch() -> None:
    assert "['optional-dependencies']['web']" in (compose.ROOT / "Dockerfile.web").read_text()


def test_images_are_built_from_named_folders_only() -> None:
    lines = (compose.ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"
    assert not {"!secrets", "!tunesmith-data", "!.git", "!.venv"} & set(lines)
