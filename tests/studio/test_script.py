"""A run's script says what the run's choices said. That it gives the same losses, tests/engine shows."""

import ast
from pathlib import Path
from typing import Any

import pytest

from studio import db, runs, sample, script, settings, weights
from studio.datasets import library
from studio.models import Model, Run
from studio.runs import RunConfig
from tests.running import SAMPLE


def launched(technique: str, shape: str, **config: Any) -> int:
    """The id of a run of the starter model on some rows of the sample."""
    path = settings.get().folder / f"{shape}.jsonl"
    path.write_text("".join((SAMPLE / f"{shape}.jsonl").read_text().splitlines(keepends=True)[:8]))
    with db.transaction() as session:
        sample.add_starter(session)
        at, report = library.prepare(path, path.name)
        dataset = library.add(session, at, report, name=shape).id
        given = {"model": sample.STARTER_NAME, "technique": technique, "dataset": dataset} | config
        return runs.launch(session, RunConfig(**given)).id


def files_of(run_id: int, **changes: Any) -> dict[str, str]:
    """The files of the run's script, as if the run were otherwise in some columns."""
    with db.transaction() as session:
        run = session.get_one(Run, run_id)
        for name, value in changes.items():
            setattr(run, name, value)
        return script.bundle(session, run)


def given_to(name: str, text: str) -> dict[str, str]:
    """What a script gives to the last call of this name: argument → source."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    named = [call for call in calls if ast.unparse(call.func).split(".")[-1] == name]
    return {each.arg: ast.unparse(each.value) for each in named[-1].keywords if each.arg}


def on(name: str, **said: Any) -> dict[str, Any]:
    return {"name": name, "value": "on", "reason": "So."} | said


def test_what_the_run_chose_on_its_gpu_stands_in_the_script(database: Path) -> None:
    run_id = launched("sft", "train")
    choices = [
        on("bf16", arguments={"bf16": True}),
        on("activation_checkpointing", arguments={"activation_checkpointing": True}),
        on("flash_attention", effect="attend_in_flash"),
        on("torch_compile", effect="compile_layers"),
        on("padding_free", arguments={"per_device_train_batch_size": 1, "gradient_accumulation_steps": 16}),
        on("liger", arguments={"use_liger_kernel": True}),
    ]
    files = files_of(run_id, choices=choices)
    arguments = given_to("SFTConfig", files["train.py"])
    wanted = {"bf16": "True", "activation_checkpointing": "True", "use_liger_kernel": "True"}
    wanted |= {"per_device_train_batch_size": "1", "gradient_accumulation_steps": "16"}
    assert arguments.items() >= wanted.items()
    assert given_to("from_pretrained", files["train.py"]) == {"dtype": "torch.bfloat16"}
    assert "\nattend_in_flash(model)\ncompile_layers(model)\n" in files["train.py"]
    assert "worker/effects.py" in files
    off = files_of(run_id, choices=[{"name": each["name"], "value": "off"} for each in choices])
    assert given_to("SFTConfig", off["train.py"])["bf16"] == "False"
    assert "compile_layers" not in off["train.py"]
    assert "worker/effects.py" not in off


def test_an_adapter_that_grades_sits_on_its_base_in_the_script(database: Path) -> None:
    adapter = database / "judge"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    with db.transaction() as session:
        sample.add_starter(session)
        base = weights.find(session, sample.STARTER_NAME)
        session.add(Model(name="judge", source=str(adapter), base_id=base.id, adapter="lora"))
        starter = weights.source(base)
    judging = {"grader": "judge", "parameters": {"model": "judge"}}
    files = files_of(launched("grpo", "prompts", graders=[judging]))
    graders = ast.literal_eval(files["train.py"].partition("GRADERS = ")[2].partition("\nscores")[0])
    asked = graders[0]["models"]["model"]
    assert (asked["source"], asked["base"]["source"]) == (str(adapter), starter)
    assert "worker/graders/judge.py" in files


def test_code_that_a_model_brings_is_run_only_where_the_studio_does(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = launched("sft", "train")
    assert "trust_remote_code" not in files_of(run_id)["train.py"]
    monkeypatch.setenv("TUNESMITH_TRUST_REMOTE_CODE", "true")
    settings.get.cache_clear()
    assert given_to("from_pretrained", files_of(run_id)["train.py"])["trust_remote_code"] == "True"


def test_the_libraries_are_those_that_the_trainer_noted(database: Path) -> None:
    run_id = launched("sft", "train")
    assert "\ntrl==" in files_of(run_id)["requirements.lock"]
    noted = database / "runs" / str(run_id) / "requirements.lock"
    noted.parent.mkdir(parents=True)
    noted.write_text("trl==0.0.1\n")
    assert files_of(run_id)["requirements.lock"] == "trl==0.0.1\n"
