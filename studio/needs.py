"""What a training needs besides its model and its rows: files of the studio, where TRL has none, and
libraries in exact versions. A script takes both along.

Imports no tables: the trainer itself writes the versions down, in the environment it trains in.
"""

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from studio import environments, graders
from studio.errors import StudioError

ROOT = Path(__file__).parent.parent
LOCK = "requirements.lock"
LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")
# What an adapter or a choice imports besides, by its name.
OPTIONAL = {
    "qlora": "bitsandbytes",
    "flash_attention": "flash_attn",
    "liger": "liger_kernel",
    "vllm": "vllm",
}
WHOLE = ("studio/graders", "studio/sandbox")  # one is found by looking, the other starts a file of its own
ONE_THREAD_BELOW = 20_000_000  # parameters; on a CPU a second thread then costs more than it brings


def made_of(trainer: str, config: str, asked: Iterable[str], environment: str) -> list[str]:
    """Names of what a training is made of: trainer and configuration, what scores for the graders `asked`,
    and the environment's tools."""
    scorers = [graders.get(name).scorer for name in asked]
    rewards = ["worker.rewards", *scorers] if scorers else []
    tools = [environments.get(environment).factory] if environment else []
    return [name.replace(":", ".") for name in (trainer, config, *rewards, *tools)]


def own_files(names: Iterable[str]) -> dict[str, str]:
    """The studio's files behind these dotted names of modules, or of what stands in them, with all that those
    import, by path."""
    found: dict[str, str] = {}
    ahead = list(names)
    while ahead:
        for path in _paths(ahead.pop()):
            name = path.relative_to(ROOT).as_posix()
            if name in found:
                continue
            found[name] = path.read_text(encoding="utf-8")
            ahead += imported(found[name], name)
            if (folder := name.removesuffix("/__init__.py")) in WHOLE:
                ahead += [f"{folder.replace('/', '.')}.{each.stem}" for each in path.parent.glob("*.py")]
    return dict(sorted(found.items()))


def _paths(name: str) -> list[Path]:
    """The file of a module, or of what stands in one, and those of the packages around it."""
    parts = name.split(".")
    if parts[0] not in ("studio", "worker"):
        return []
    stems = [ROOT.joinpath(*parts[: depth + 1]) for depth in range(len(parts))]
    return [
        path for stem in stems for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.is_file()
    ]


def imported(text: str, path: str) -> Iterator[str]:
    """Everything that a file imports, by its dotted name; what it takes from a module, as `module.name`."""
    package = path.split("/")[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*around, *([node.module] if node.module else [])])
            yield from (f"{module}.{each.name}" for each in node.names)


def lock(files: dict[str, str], used: Collection[str]) -> str:
    """The text of a requirements file: the exact version of every library that these files need, with all
    that those need, as they are installed here. `used` are the run's adapter and the choices that are on.

    Raises StudioError where the libraries of trainings are not installed."""
    homes = packages_distributions()
    names = {name.partition(".")[0] for path, text in files.items() for name in imported(text, path)}
    names |= {module for name, module in OPTIONAL.items() if name in used}
    wanted = {package for name in names for package in homes.get(name, ())[:1]} - {"tunesmith"}
    versions = installed({*LIBRARIES, *wanted})
    python = ".".join(map(str, sys.version_info[:3]))
    lines = [f"# Every library that the training needs, under Python {python} on {sys.platform}."]
    if builds := [f"{name} {version}" for name, version in sorted(versions.items()) if "+" in version]:
        lines.append(f"# Builds where it trained: {', '.join(builds)}. pip takes whichever it is offered.")
    # A version without its build's tag stands for every build of it (PEP 440).
    public = {name: version.partition("+")[0] for name, version in versions.items()}
    return "\n".join([*lines, *(f"{name}=={version}" for name, version in sorted(public.items())), ""])


def installed(names: Iterable[str]) -> dict[str, str]:
    """The versions of these packages and of everything that they require on this machine, by name.

    Raises StudioError where one of these is not installed."""
    wanted = {canonicalize_name(name) for name in names}
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    ahead = [(name, "") for name in wanted]
    while ahead:
        name, extra = ahead.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            about = distribution(name)
        except PackageNotFoundError as missing:
            if name not in wanted:  # the training did without it, too
                continue
            raise StudioError(
                f"{name} is not installed here, so its version is not known.",
                hint="Export the run once it has started: the trainer notes its libraries.",
            ) from missing
        found[canonicalize_name(name)] = about.version
        for need in map(Requirement, about.requires or ()):
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                ahead += [(canonicalize_name(need.name), each) for each in ("", *need.extras)]
    return found
