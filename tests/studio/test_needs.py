"""A script takes along every file and every library that it needs."""

from importlib.metadata import distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from studio import environments, graders, needs, techniques
from studio.errors import StudioError

SCORED = [grader.name for grader in graders.all()]


@pytest.mark.parametrize("technique", techniques.all(), ids=lambda technique: technique.name)
def test_every_file_of_ours_that_a_file_imports_comes_along(technique: techniques.Technique) -> None:
    asked, acting = (SCORED, environments.all()[0].name) if technique.graded else ([], "")
    files = needs.own_files(needs.made_of(technique.trainer, technique.config, asked, acting))
    stems = {path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in files}
    for path, text in files.items():
        for name in needs.imported(text, path):
            if name.startswith(("studio.", "worker.")):
                assert name in stems or name.rpartition(".")[0] in stems, f"{path}: {name}"
    assert ("studio/sandbox/keeper.py" in files) is technique.graded


def test_the_lock_holds_all_that_its_libraries_require() -> None:
    text = needs.lock(needs.own_files(["worker.rewards"]), {"qlora"})
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    locked = {name: version for name, _, version in (line.partition("==") for line in lines)}
    here = {canonicalize_name(each.name): each for each in distributions()}
    assert {"torch", "trl", "regex", "bitsandbytes", "fsspec"} <= set(locked)
    assert "tunesmith" not in locked
    for name, version in locked.items():
        assert here[canonicalize_name(name)].version.partition("+")[0] == version
        for need in map(Requirement, here[canonicalize_name(name)].requires or ()):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                assert canonicalize_name(need.name) in locked, f"{name} requires {need}"


def test_what_an_extra_requires_is_locked_with_it() -> None:
    """The studio asks for psycopg[binary]."""
    assert "psycopg-binary" in needs.installed(["tunesmith"])
    assert "psycopg-binary" not in needs.installed(["psycopg"])


def test_a_library_that_is_not_installed_has_no_version() -> None:
    with pytest.raises(StudioError, match="no-such-library is not installed here"):
        needs.installed(["torch", "no-such-library"])
