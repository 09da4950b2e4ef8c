"""Models are registered without loading them, and nothing that could run code gets in."""

import json
import shutil
from pathlib import Path

import pytest

from studio import db, sample, storage, users, weights
from studio.errors import StudioError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "my-model"
    shutil.copytree(sample.STARTER, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


def add(source: Path | str) -> int:
    with db.transaction() as session:
        return weights.add(session, str(source)).id


def test_a_folder_is_read_from_its_headers(database: Path, folder: Path) -> None:
    model_id = add(folder)
    assert add(folder) == model_id, "the same folder is the same model"
    with db.reading() as session:
        model = weights.find(session, model_id)
        assert model.name == "my-model"
        assert model.parameters
        assert 1_000_000 <= model.parameters <= 5_000_000
        assert len(model.sha256) == 64


def test_pickled_weights_are_refused(database: Path, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(StudioError, match="could run code"):
        add(folder)


def test_a_model_with_code_of_its_own_is_refused(database: Path, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(StudioError, match="Python code of its own"):
        add(folder)


@pytest.mark.parametrize("bytes_", [b"", b"\xff" * 16, b"\x02\x00\x00\x00\x00\x00\x00\x00{}"[:5]])
def test_a_damaged_file_is_refused_in_words(database: Path, folder: Path, bytes_: bytes) -> None:
    (folder / "model.safetensors").write_bytes(bytes_)
    with pytest.raises(StudioError, match="damaged"):
        add(folder)


@pytest.mark.parametrize("source", ["", "../../etc", "a/b/c", "https://x/y", "no such folder"])
def test_what_is_neither_folder_nor_hub_id_is_refused(database: Path, source: str) -> None:
    with pytest.raises(StudioError):
        add(source)


def test_a_path_out_of_the_data_folder_is_refused(database: Path) -> None:
    for path in ("../x", "/etc/passwd", "runs/../../x"):
        with pytest.raises(StudioError, match="outside"):
            storage.inside(path)


def test_passwords_are_hashed_and_checked(database: Path) -> None:
    with db.transaction() as session:
        users.put(session, "ann", "a long password")
        with pytest.raises(StudioError, match="8 characters"):
            users.put(session, "bob", "short")
    with db.reading() as session:
        assert users.verify(session, "ann", "a long password")
        assert users.verify(session, "ann", "wrong") is None
        assert users.verify(session, "nobody", "a long password") is None
        user = users.verify(session, "ann", "a long password")
        assert user
        assert "password" not in user.password_hash
