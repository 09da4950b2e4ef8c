"""A run as a plain script: what it did, without the studio. Everything that is needed goes into one archive:
`train.py`, the rows as its trainer reads them, the exact versions of its libraries (`requirements.lock`), and
the parts of the studio that TRL does not have (its own trainers, the graders).

Only writes text; running it is up to the person (`python train.py`).
"""

import io
import pprint
import sys
import zipfile
from typing import Any

import orjson
from sqlalchemy.orm import Session

from studio import adapters, environments, needs, rows, settings, storage, techniques, weights
from studio.datasets import library
from studio.errors import NotFound
from studio.graders.choice import GraderChoice, models_named
from studio.models import DatasetVersion, Model, Run
from studio.rows import Row

CLASSES = {"language": "AutoModelForCausalLM", "reward": "AutoModelForSequenceClassification"}
START = "start"  # the folder of a start that is written as whole weights first


def bundle(session: Session, run: Run) -> dict[str, str]:
    """The files of the archive, by name. Raises NotFound when a dataset of the run is no longer there."""
    if run.dataset_version is None or run.model is None:
        raise NotFound("This run's model or dataset is no longer there.", hint="Choose another run.")
    technique, script = techniques.get(run.technique), Script(session, run)
    files = {f"{name}.jsonl": _lines(found) for name, found in _data(session, run).items()}
    files |= {"train.py": script.text(), "README.md": _readme(run)}
    asked = [each["grader"] for each in script.graders]
    made_of = needs.made_of(technique.trainer, technique.config, asked, run.parameters.get("environment", ""))
    own = needs.own_files([*made_of, *(module for module, _ in script.imports)])
    noted = storage.run_folder(run.id) / needs.LOCK
    if noted.exists():
        lock = noted.read_text(encoding="utf-8")
    else:  # it has not started yet
        lock = needs.lock(own, {run.adapter, *filter(script.is_on, needs.OPTIONAL)})
    return files | own | {needs.LOCK: lock}


def archive(files: dict[str, str]) -> bytes:
    """The files as a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in files.items():
            target.writestr(name, text)
    return packed.getvalue()


class Script:
    """The text of `train.py`, put together from the parts a run has. `imports` are (module, name), complete
    once there is the text."""

    def __init__(self, session: Session, run: Run):
        assert run.dataset_version is not None
        assert run.model is not None
        self.session, self.run, self.model = session, run, run.model
        self.technique, self.adapter = techniques.get(run.technique), adapters.get(run.adapter)
        self.graders = run.graders if self.technique.graded else []
        self.shape = run.dataset_version.shape
        self.dtype = "torch.bfloat16" if self.is_on("bf16") else "torch.float32"
        self.imports = {
            ("datasets", "Dataset"),
            ("transformers", "AutoTokenizer"),
            ("transformers", "set_seed"),
            tuple(self.technique.trainer.split(":")),
            tuple(self.technique.config.split(":")),
        }

    def text(self) -> str:
        """The whole script."""
        body = [self._data(), self._models(), self._rewards(), self._training()]
        return "\n".join([self._head(), *filter(None, body)])

    def is_on(self, choice: str) -> bool:
        """Whether a choice was on; in a run that has not chosen yet, whether the person set it so."""
        made = {each["name"]: each["value"] for each in self.run.choices}
        return bool(made.get(choice, self.run.parameters.get(choice)) == "on")

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

    def _models(self) -> str:
        lines = [
            f"set_seed({self.run.seed})",
            f"tokenizer = AutoTokenizer.from_pretrained({weights.source(self.model)!r}{self._trusting()})",
            "if tokenizer.pad_token is None:",
            "    tokenizer.pad_token = tokenizer.eos_token",
            *self._start(),
            f"if model.num_parameters() < {needs.ONE_THREAD_BELOW:_}:",
            "    torch.set_num_threads(1)",
        ]
        for effect in (each["effect"] for each in self.run.choices if each.get("effect")):
            self.imports.add(("worker.effects", effect))
            lines.append(f"{effect}(model)")
        for wanted in self.technique.inputs:
            if wanted.kind == "model" and (reference := self.run.inputs.get(wanted.name)):
                found = weights.find(self.session, reference)
                lines += [*self._load(wanted.name, found, found.kind), f"{wanted.name}.eval()"]
        return "\n".join(lines) + "\n"

    def _start(self) -> list[str]:
        """Lines that read the model to train. Where its weights have to lie in a folder, those of an adapter
        in its base are written there first."""
        kind, how = self.technique.model, ", quantization_config=quantisation" if self.adapter.bits else ""
        padded = [
            'if getattr(model.config, "pad_token_id", 0) is None:',
            "    model.config.pad_token_id = tokenizer.pad_token_id",
        ]
        lines = self._quantisation()
        if weights.base_of(self.session, self.model) is None or not self.technique.starts_whole(self.adapter):
            return [*lines, *self._load("model", self.model, kind, how), *padded]
        return [
            *lines,
            *self._load("model", self.model, kind),
            *padded,
            f'model.save_pretrained("{START}")',
            f'tokenizer.save_pretrained("{START}")',
            self._read("model", START, kind, how),
        ]

    def _load(self, name: str, model: Model, kind: str, how: str = "") -> list[str]:
        """Lines that read a model; an adapter is merged into what it sits on, from the bottom up."""
        chain = [model]
        while base := weights.base_of(self.session, chain[-1]):
            chain.append(base)
        lines = [self._read(name, weights.source(chain[-1]), kind, how)]
        for layer in reversed(chain[:-1]):
            self.imports.add(("peft", "PeftModel"))
            fits = f"{name}.base_model" if layer.kind == "embedding" else name
            merged = f"PeftModel.from_pretrained({fits}, {weights.source(layer)!r}).merge_and_unload()"
            lines.append(f"{name} = {merged}")
        return lines

    def _read(self, name: str, source: str, kind: str, how: str) -> str:
        """The line that reads whole weights. Of embeddings and classifiers, their config says the class."""
        if kind in CLASSES:
            self.imports.add(("transformers", CLASSES[kind]))
            reader = CLASSES[kind]
        else:
            self.imports.add(("worker.classes", "class_of"))
            reader = f"class_of({kind!r}, {source!r}{self._trusting()})"
        head = ", num_labels=1" if kind == "reward" else ""
        return (
            f"{name} = {reader}.from_pretrained({source!r}, dtype={self.dtype}{head}{how}{self._trusting()})"
        )

    def _quantisation(self) -> list[str]:
        if not self.adapter.bits:
            return []
        self.imports.add(("transformers", "BitsAndBytesConfig"))
        given = "".join(f"{key}={value!r}, " for key, value in self.adapter.quantisation)
        return [f"quantisation = BitsAndBytesConfig({given}bnb_4bit_compute_dtype={self.dtype})"]

    def _trusting(self) -> str:
        return ", trust_remote_code=True" if settings.get().trust_remote_code else ""

    def _rewards(self) -> str:
        if not self.graders:
            return ""
        self.imports.add(("worker.rewards", "from_parts"))
        parts = [_grader(self.session, GraderChoice.model_validate(each)) for each in self.graders]
        return (
            f"GRADERS = {pprint.pformat(parts, width=100, sort_dicts=False)}\n"
            "scores = from_parts(GRADERS, tokenizer, model)\n"
        )

    def _training(self) -> str:
        trainer, config = (name.split(":")[1] for name in (self.technique.trainer, self.technique.config))
        given = [
            "model=model",
            "args=arguments",
            "train_dataset=rows",
            "processing_class=tokenizer",
            *(["eval_dataset=held_out"] if self.run.held_out else []),
            *(["reward_funcs=scores"] if self.graders else []),
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
                "    use_cpu=not torch.cuda.is_available(),",
                "    dataloader_pin_memory=torch.cuda.is_available(),",
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
        """The trainer's arguments as the worker set them, the choices' own last."""
        found: dict[str, Any] = {
            "output_dir": "checkpoints",
            "seed": self.run.seed,
            "data_seed": self.run.seed,
            "logging_first_step": True,
            "report_to": [],
            "bf16": self.is_on("bf16"),
            "activation_checkpointing": self.is_on("activation_checkpointing"),
        }
        found |= self.technique.trainer_arguments(
            self.run.parameters, self.shape, measured=self.run.held_out is not None
        )
        if self.graders:
            found["reward_weights"] = [each["weight"] for each in self.graders]
        if self.is_on(rows.BY_TURNS):
            found |= rows.LEARNED_BY_TURNS
        for choice in self.run.choices:
            found |= choice.get("arguments", {})
        return found

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
        chosen = environments.settings_of(name, self.run.parameters["environment_settings"])
        given = "".join(f", {key}={value!r}" for key, value in chosen.items())
        return [f"environment_factory=partial({made}{given})"]

    def _callbacks(self) -> list[str]:
        patience = self.run.parameters.get("early_stopping", 0)
        if not (patience and self.run.held_out):
            return []
        self.imports.add(("transformers", "EarlyStoppingCallback"))
        return [f"callbacks=[EarlyStoppingCallback({patience})]"]


def _grader(session: Session, choice: GraderChoice) -> dict[str, Any]:
    asked = {field: weights.find(session, model) for field, model in models_named(choice).items()}
    models = {field: _whereabouts(session, model) for field, model in asked.items()}
    return choice.model_dump() | ({"models": models} if models else {})


def _whereabouts(session: Session, model: Model) -> dict[str, Any]:
    """Where a grader's model is, and what it sits on."""
    found = {"id": model.id, "name": model.name, "source": weights.source(model), "kind": model.kind}
    base = weights.base_of(session, model)
    return found | ({"base": _whereabouts(session, base)} if base else {})


def _data(session: Session, run: Run) -> dict[str, list[Row]]:
    """The rows of each file, as the trainer reads them."""
    assert run.dataset_version is not None
    reads = techniques.get(run.technique).reads
    thinking = run.parameters.get("thinking", "learn") == "learn"
    found = {"train": _rows(run.dataset_version, reads, thinking=thinking)}
    if run.held_out:
        columns = {name for row in found["train"] for name in row}
        held_out = _rows(run.held_out, reads, most=run.parameters["eval_rows"], thinking=thinking)
        found["held_out"] = [rows.in_form_of(row, columns, run.held_out.title) for row in held_out]
    if any(choice["name"] == rows.BY_TURNS for choice in run.choices):
        found = {name: [turn for row in some for turn in rows.turns(row)] for name, some in found.items()}
    for wanted in techniques.get(run.technique).inputs:
        if wanted.kind == "dataset" and (reference := run.inputs.get(wanted.name)):
            version = library.find_version(session, reference)
            most = wanted.most(run.parameters)
            found[wanted.name] = _rows(version, rows.further(reads, version.shape), most=most)
    return found


def _rows(version: DatasetVersion, reads: str, **how: Any) -> list[Row]:
    return list(rows.converted(library.rows_path(version), version.shape, reads, **how))


def _lines(found: list[Row]) -> str:
    """One JSON object a line."""
    return "".join(orjson.dumps(row).decode() + "\n" for row in found)


def _readme(run: Run) -> str:
    python = ".".join(run.versions.get("python", sys.version).split(".")[:2])
    gpus = ",".join(map(str, range(run.gpus)))
    return (
        f"# {run.name}\n\n"
        f"The training of this run as a plain script. In a fresh environment with Python {python}:\n\n"
        f"    pip install -r {needs.LOCK}\n"
        "    python train.py\n\n"
        "It writes the model to `model/`. On the same machine and device it gives the same losses as the run "
        f"did. Where there are more GPUs, `CUDA_VISIBLE_DEVICES={gpus} python train.py` takes as many as the "
        "run did. The path of the model stands in `train.py`: change it on another machine.\n"
    )
