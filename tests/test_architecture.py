"""The rules of ARCHITECTURE.md and CONTRIBUTING.md that a machine can check."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from studio.settings import Settings
from tests.running import ROOT
from tests.services import PLAIN

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/measured.md")
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "accelerate"}
LONGEST = 400  # lines; a longer module becomes a folder of the same name
# Set outside the studio: where its secrets lie, and which Python the Makefile takes.
OTHER_VARIABLES = {"TUNESMITH_SECRETS", "TUNESMITH_PYTHON"}
# Folders that appear by using the studio; the last line's lie in its data folder.
MADE_WHILE_USED = (
    *("tunesmith-data/", ".venv/", "secrets/", "tests/screenshots/", "benchmarks/results/"),
    *("broker/", "cache/", "datasets/", "logs/", "models/", "runs/", "uploads/"),
)


def shipped() -> list[Path]:
    """Every file git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    """Our own text files; not what others wrote and we ship (a script, its licence), not the samples."""
    ours = {}
    for path in shipped():
        name = str(path.relative_to(ROOT))
        if name.startswith(("static/plotly", "static/fonts/", "tests/samples/")):
            continue
        try:
            ours[name] = path.read_text()
        except UnicodeDecodeError:
            continue
    return ours


def modules(*folders: str) -> list[Path]:
    return [path for path in shipped() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def lines_with(pattern: str) -> list[str]:
    """`file:line: text` of every line of ours that matches."""
    wanted = re.compile(pattern)
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if wanted.search(line)
    ]


def test_imports_point_only_where_they_may() -> None:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_web_application_pulls_in_nothing_heavy(tmp_path: Path) -> None:
    script = f"import sys, app.main; print(*sorted({HEAVY!r} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=PLAIN | {"TUNESMITH_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.stdout.strip() == "", found.stderr
    assert found.returncode == 0, found.stderr


def test_every_module_says_what_it_is_for() -> None:
    folders = ("studio", "app", "worker", "migrations", "tests", "benchmarks", "examples")
    written = {path: path.read_text() for path in modules(*folders)}
    silent = [path for path, text in written.items() if text and not ast.get_docstring(ast.parse(text))]
    assert [str(path.relative_to(ROOT)) for path in silent] == []


def test_no_module_is_too_long() -> None:
    counted = {
        str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in modules("studio", "app", "worker")
    }
    assert {name: lines for name, lines in counted.items() if lines > LONGEST} == {}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_in_a_document_exist(document: str) -> None:
    """Whatever stands in backticks and ends like a file of ours, or in a slash, is a path from the root."""
    text = re.sub(r"^```.*?^```", "", (ROOT / document).read_text(), flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"`([\w.][\w./-]*(?:/|\.(?:py|md|json|toml|js|css|html|yml|txt)))`", text))
    linked = set(re.findall(r"\]\(([\w.][\w./-]*)(?:#[\w-]*)?\)", text))
    missing = {path for path in named | linked if "/" in path and not (ROOT / path).exists()}
    missing -= {path for path in missing if path.startswith(MADE_WHILE_USED)}
    assert missing == set()


def test_every_setting_explains_itself() -> None:
    unexplained = [name for name, field in Settings.model_fields.items() if not field.description]
    assert unexplained == []


def test_documents_name_every_setting_and_no_other() -> None:
    pages = [ROOT / name for name in DOCUMENTS] + sorted((ROOT / "docs").glob("**/*.md"))
    named = set(re.findall(r"TUNESMITH_[A-Z]+(?:_[A-Z]+)*", "\n".join(page.read_text() for page in pages)))
    settings = {f"TUNESMITH_{name.upper()}" for name in Settings.model_fields}
    assert settings - named == set(), "not in the documents"
    assert named - settings - OTHER_VARIABLES == set(), "no such setting"


def test_the_page_of_measured_figures_has_the_command_of_every_benchmark() -> None:
    page = (ROOT / "docs" / "measured.md").read_text()
    commands = set(re.findall(r"^python -m (benchmarks[\w.]+)", page, re.MULTILINE))
    runnable = [path for path in modules("benchmarks") if "__main__" in path.read_text()]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in runnable}
    names = {name.removesuffix(".__main__") for name in names}
    assert commands == names


def test_no_file_names_a_package_registry() -> None:
    """Which registry serves the packages is the machine's business."""
    hosts = [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("debian", "org")]
    hosts += [
        ("pytorch", "org/whl"),
        ("docker", "io"),
        ("jsdelivr", "net"),
        ("unpkg", "com"),
        ("crates", "io"),
    ]
    assert lines_with("|".join(rf"\b{name}\.{end}\b" for name, end in hosts)) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    folders = "|".join(["work", "root", "home/[a-z]", "Users/[A-Za-z]"])
    assert lines_with(rf"""(?:^|[\s"'`(=:])/(?:{folders})(?:[/\s"'`),.:]|$)""") == []


def test_nothing_is_left_for_later() -> None:
    words = "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"])
    assert lines_with(rf"\b(?:{words})\b") == []
