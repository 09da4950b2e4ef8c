"""A run as a plain script: what it did, without the studio. Everything that is needed goes into one archive:
`train.py`, the rows as its trainer reads them, the exact library versions, and the parts of the studio that
TRL does not have (its own trainers, the graders).

Only writes text; running it is up to the person (`python train.py`).
"""

import ast
import io
import pprint
import zipfile
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.orm import Session

from studio import adapters, environments, rows, techniques, weights
from studio.datasets import library
from studio.errors import NotFound
from studio.graders.choice import GraderChoice, models_named
from studio.models import DatasetVersion, Model, Run

ROOT = Path(__file__).parent.parent
LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")
# What a graded run's script takes along, because its rewards are the studio's own.
OF_GRADERS = (
    "studio/__init__.py",
    "studio/errors.py",
    "studio/parameters.py",
    "studio/registry.py",
    "studio/rows.py",
    "studio/graders/**/*.py",
    "studio/sandbox/**/*.py",
    "worker/__init__.py",
    "worker/classes.py",
    "worker/data.py",
    "worker/environments/**/*.py",
    "worker/generate.py",
    "worker/model.py",
    "worker/order.py",
    "worker/rewards.py",
    "worker/graders/**/*.py",
)


def bundle(session: Session, run: Run) -> dict[str, str]:
    """The files of the archive, by name. Raises NotFound when a dataset of the run is no longer there."""
    technique = techniques.get(run.technique)
    if run.dataset_version is None or run.model is None:
        raise NotFound("This run's model or dataset is no longer there.", hint="Choose another run.")
    how = {
        "thinking": run.parameters.get("thinking", "learn") == "learn",
        "by_turns": any(choice["name"] == "by_turns" for choice in run.choices),
    }
    files = {
        "train.jsonl": _rows(run.dataset_version, technique.reads, **how),
        "README.md": _readme(run),
    }
    if run.held_out:
        files["held_out.jsonl"] = _rows(
            run.held_out, technique.reads, most=run.parameters["eval_rows"], **how
        )
    for wanted in technique.inputs:
        if wanted.kind == "dataset" and (reference := run.inputs.get(wanted.name)):
            found = library.find_version(session, reference)
            files[f"{wanted.name}.jsonl"] = _rows(found, technique.reads, most=wanted.most(run.parameters))
    files["train.py"] = Script(session, run).text()
    files |= _own_parts(technique.trainer, technique.config, graded=bool(run.graders))
    return files | {"requirements.txt": requirements(run, files)}


def archive(files: dict[str, str]) -> bytes:
    """The files as a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in files.items():
            target.writestr(name, text)
    return packed.getvalue()


def requirements(run: Run, files: dict[str, str]) -> str:
    """What the files import, in the versions the run was made with, or, where those were not noted, the
    ones installed here."""
    installed = packages_distributions()
    imported = {name for path, text in files.items() if path.endswith(".py") for name in _imports(text)}
    wanted = {*LIBRARIES, *(package for name in imported for package in installed.get(name, ())[:1])} - {
        "tunesmith"
    }
    return "".join(f"{name}=={run.versions.get(name) or version(name)}\n" for name in sorted(wanted))


def _imports(text: str) -> set[str]:
    """The top-level modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


class Script:
    """The text of `train.py`, put together from the parts a run has."""

    def __init__(self, session: Session, run: Run):
        assert run.dataset_version is not None
        assert run.model is not None
        self.session, self.run = session, run
        self.technique, self.adapter = techniques.get(run.technique), adapters.get(run.adapter)
        self.shape = run.dataset_version.shape
        self.imports = {
            ("datasets", "Dataset"),
            ("transformers", "AutoTokenizer"),
            ("transformers", "set_seed"),
            tuple(self.technique.trainer.split(":")),
            tuple(self.technique.config.split(":")),
        }

    def text(self) -> str:
        """The whole script."""
        body = [self._data(), self._model(), self._rewards(), self._training()]
        return "\n".join([self._head(), *filter(None, body)])

    def _head(self) -> str:
        by_module: dict[str, list[str]] = {}
        for module, name in sorted(self.imports):
            by_module.setdefault(module, []).append(name)
        lines = [f"from {module} import {', '.join(names)}" for module, names in by_module.items()]
        about = f'"""{self.technique.title}: {self.run.name}, as Tunesmith ran it (run {self.run.id})."""\n'
        return "\n".join([about, "import json\n\nimport torch", *lines, ""])

    def _data(self) -> str:
        names = [("rows", "train.jsonl")]
        if self.run.held_out:
            names.append(("held_out", "held_out.jsonl"))
        for wanted in self.technique.inputs:
            if wanted.kind == "dataset" and self.run.inputs.get(wanted.name):
                names.append((wanted.name, f"{wanted.name}.jsonl"))
        reads = [f'{name} = read("{file}")' for name, file in names]
        return "\n".join(
            [
                "\ndef read(name):",
                '    with open(name, encoding="utf-8") as file:',
                "        rows = [json.loads(line) for line in file]",
                "    return Dataset.from_list(rows, on_mixed_types='use_json')\n\n",
                *reads,
                "",
            ]
        )

    def _model(self) -> str:
        how = ", num_labels=1" if self.technique.model == "reward" else ""
        kind = "AutoModelForSequenceClassification" if how else "AutoModelForCausalLM"
        self.imports.add(("transformers", kind))
        lines = [
            f"set_seed({self.run.seed})",
            "torch.set_num_threads(1)" if (self.run.model.parameters or 0) < 20_000_000 else "",  # type: ignore[union-attr]
            *self._load("model", self.run.model, kind, how),
            "if tokenizer.pad_token is None:",
            "    tokenizer.pad_token = tokenizer.eos_token",
            "if model.config.pad_token_id is None:",
            "    model.config.pad_token_id = tokenizer.pad_token_id",
        ]
        for wanted in self.technique.inputs:
            if wanted.kind == "model" and (reference := self.run.inputs.get(wanted.name)):
                found = weights.find(self.session, reference)
                loaded = self._load(wanted.name, found, "AutoModelForCausalLM", "")
                lines += [*loaded[1:], f"{wanted.name}.eval()"]
        return "\n".join(filter(None, lines)) + "\n"

    def _load(self, name: str, model: Model | None, kind: str, how: str) -> list[str]:
        """Lines that read a model; an adapter is merged into what it sits on, from the bottom up."""
        assert model is not None
        chain = [model]
        while chain[-1].adapter and chain[-1].base_id and _is_adapter(chain[-1]):
            chain.append(self.session.get_one(Model, chain[-1].base_id))
        base = source(chain[-1])
        lines = [
            f"tokenizer = AutoTokenizer.from_pretrained({source(model)!r})",
            f"{name} = {kind}.from_pretrained({base!r}, dtype=torch.float32{how})",
        ]
        for layer in reversed(chain[:-1]):
            self.imports.add(("peft", "PeftModel"))
            lines.append(f"{name} = PeftModel.from_pretrained({name}, {source(layer)!r}).merge_and_unload()")
        return lines

    def _rewards(self) -> str:
        if not self.run.graders:
            return ""
        self.imports |= {("worker.order", "Order"), ("worker", "rewards")}
        parts = [_grader(self.session, GraderChoice.model_validate(each)) for each in self.run.graders]
        return (
            f"GRADERS = {pprint.pformat(parts, width=100, sort_dicts=False)}\n"
            "scores = rewards.from_parts(GRADERS, tokenizer, model)\n"
        )

    def _training(self) -> str:
        trainer, config = (name.split(":")[1] for name in (self.technique.trainer, self.technique.config))
        given = [
            "model=model",
            "args=arguments",
            "train_dataset=rows",
            "processing_class=tokenizer",
            *(["eval_dataset=held_out"] if self.run.held_out else []),
            *(["reward_funcs=scores"] if self.run.graders else []),
            *self._environment(),
            *[f"{each.name}={each.name}" for each in self.technique.inputs if self.run.inputs.get(each.name)],
            *([f"peft_config={self._peft()}"] if self.adapter.peft else []),
            *self._callbacks(),
        ]
        lines = [f"    {line}," for line in given]
        return "\n".join(
            [
                f"arguments = {config}(",
                *[f"    {name}={value!r}," for name, value in self._arguments().items()],
                ")",
                f"trainer = {trainer}(",
                *lines,
                ")",
                "trainer.train()",
                'trainer.save_model("model")',
                'tokenizer.save_pretrained("model")',
                "",
            ]
        )

    def _arguments(self) -> dict[str, Any]:
        """The trainer's arguments as the worker sets them on a machine without a GPU; `bf16` follows the
        run's own setting."""
        of_technique = self.technique.trainer_arguments(
            self.run.parameters, self.shape, measured=self.run.held_out is not None
        )
        return (
            {
                "output_dir": "checkpoints",
                "seed": self.run.seed,
                "data_seed": self.run.seed,
                "logging_first_step": True,
                "report_to": [],
                "bf16": self.run.parameters["bf16"] == "on",
            }
            | of_technique
            | ({"reward_weights": [each["weight"] for each in self.run.graders]} if self.run.graders else {})
        )

    def _peft(self) -> str:
        module, name = self.adapter.peft.split(":")
        self.imports.add((module, name))
        given = self.adapter.arguments(self.run.adapter_parameters, self.technique.model)
        return f"{name}({', '.join(f'{key}={value!r}' for key, value in given.items())})"

    def _environment(self) -> list[str]:
        if not (name := self.run.parameters.get("environment")):
            return []
        module, made = environments.get(name).factory.split(":")
        self.imports |= {(module, made), ("functools", "partial")}
        settings = environments.settings_of(name, self.run.parameters["environment_settings"])
        given = "".join(f", {key}={value!r}" for key, value in settings.items())
        return [f"environment_factory=partial({made}{given})"]

    def _callbacks(self) -> list[str]:
        patience = self.run.parameters.get("early_stopping", 0)
        if not (patience and self.run.held_out):
            return []
        self.imports.add(("transformers", "EarlyStoppingCallback"))
        return [f"callbacks=[EarlyStoppingCallback({patience})]"]


def source(model: Model) -> str:
    """Where the model's files are: a folder, or a hub id."""
    return str(weights.folder_of(model) or model.source)


def _is_adapter(model: Model) -> bool:
    folder = weights.folder_of(model)
    return folder is not None and (folder / "adapter_config.json").exists()


def _grader(session: Session, choice: GraderChoice) -> dict[str, Any]:
    found = choice.model_dump()
    asked = {field: weights.find(session, model) for field, model in models_named(choice).items()}
    if asked:
        found["models"] = {
            field: {"id": model.id, "name": model.name, "source": source(model)}
            for field, model in asked.items()
        }
    return found


def _rows(
    version: DatasetVersion,
    reads: str,
    *,
    most: int | None = None,
    thinking: bool = True,
    by_turns: bool = False,
) -> str:
    """The rows as the trainer reads them, one JSON object a line."""
    found = rows.converted(library.rows_path(version), version.shape, reads, most=most, thinking=thinking)
    if by_turns:
        found = (turn for row in found for turn in rows.turns(row))
    return "".join(orjson.dumps(row).decode() + "\n" for row in found)


def _own_parts(*names: str, graded: bool) -> dict[str, str]:
    """The studio's own files that the script imports."""
    patterns = (
        ["worker/__init__.py", "worker/trainers/**/*.py"]
        if any(n.startswith("worker.") for n in names)
        else []
    )
    patterns += OF_GRADERS if graded else ()
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(found)}


def _readme(run: Run) -> str:
    return (
        f"# {run.name}\n\n"
        "The training of this run as a plain script. In a fresh environment with Python 3.11:\n\n"
        "    pip install -r requirements.txt\n"
        "    python train.py\n\n"
        "It writes the model to `model/`. On the same machine and device it gives the same losses as the run "
        "did. The path of the model stands in `train.py`: change it on another machine.\n"
    )
