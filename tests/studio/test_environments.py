"""Every environment is described, its settings are checked before launch, and techniques that act in one say
so."""

import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from app import forms
from studio import db, environments, parameters, runs, sample, script, techniques
from studio.datasets import library
from studio.environments import Environment
from studio.errors import StudioError
from studio.runs import RunConfig
from studio.techniques.tools import ToolParameters

each = pytest.mark.parametrize("environment", environments.all(), ids=lambda environment: environment.name)
ACTING = [technique for technique in techniques.all() if issubclass(technique.parameters, ToolParameters)]


@each
def test_the_tools_told_to_people_are_those_the_model_gets(environment: Environment) -> None:
    module, name = environment.factory.split(":")
    made = getattr(import_module(module), name)
    public = {
        name
        for name, _ in inspect.getmembers(made, inspect.isfunction)
        if not name.startswith("_") and name not in ("reset", "get_reward")
    }
    assert {tool.name for tool in environment.tools} == public
    assert all(tool.help.endswith(".") for tool in environment.tools)
    assert set(inspect.signature(made).parameters) == set(environment.parameters.model_fields)
    for field in environment.parameters.model_fields.values():
        assert field.title
        assert (field.description or "").endswith(".")


def test_techniques_that_act_in_environments_chart_what_they_do_there() -> None:
    assert {technique.name for technique in ACTING} == {"grpo", "dr_grpo", "dapo", "gspo", "ppo"}
    for technique in ACTING:
        keys = {metric.key for metric in technique.metrics}
        assert {"tools/call_frequency", "tools/failure_frequency"} <= keys
        field = technique.parameters.model_fields["environment"]
        assert forms.control_of(field) == "choice"
        assert [value for value, _ in forms.options_of(field)] == [
            "",
            *(environment.name for environment in environments.all()),
        ]


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"environment": "casino"}, "environment", "calculator"),
        ({"environment": "lookup", "environment_settings": {"lines": 99}}, "environment_settings", "50"),
        ({"environment": "lookup", "environment_settings": '{"depth": 1}'}, "environment_settings", "depth"),
        ({"environment": "lookup", "environment_settings": "[1]"}, "environment_settings", "settings"),
        ({"environment": "lookup", "environment_settings": "{"}, "environment_settings", "JSON"),
    ],
)
def test_a_wrong_environment_is_refused_before_launch(given: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(StudioError) as refusal:
        parameters.validate(techniques.get("grpo").parameters, given, "GRPO")
    assert refusal.value.field == field
    assert said in str(refusal.value)


def test_settings_are_kept_as_json_and_completed_with_defaults() -> None:
    given = {"environment": "lookup", "environment_settings": {"lines": 2}}
    kept = parameters.validate(techniques.get("dapo").parameters, given, "DAPO").model_dump(mode="json")
    found = environments.settings_of(kept["environment"], kept["environment_settings"])
    assert found == {"column": "documents", "lines": 2}
    assert environments.settings_of("calculator", "") == {}


def test_a_script_takes_its_environment_along(database: Path, tmp_path: Path) -> None:
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Where is box {number}?"}],
            "reference_answer": f"shelf {number}",
            "documents": [f"Box {number} stands on shelf {number}."],
        }
        for number in range(8)
    ]
    path = tmp_path / "boxes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    small = {"per_device_train_batch_size": 4, "num_generations": 2, "gradient_accumulation_steps": 1}
    acting = {"environment": "lookup", "environment_settings": {"lines": 1}, "max_tool_calling_iterations": 2}
    with db.transaction() as session:
        sample.add_starter(session)
        at, report = library.prepare(path, path.name)
        config = RunConfig(
            technique="grpo",
            model=sample.STARTER_NAME,
            dataset=library.add(session, at, report, name="boxes").id,
            parameters=small | acting | {"max_steps": 1, "max_completion_length": 16, "logging_steps": 1},
            graders=[{"grader": "exact_match"}],  # type: ignore[list-item]
        )
        files = script.bundle(session, runs.launch(session, config))
    compile(files["train.py"], "train.py", "exec")
    assert "environment_factory=partial(Lookup, column='documents', lines=1)" in files["train.py"]
    assert "max_tool_calling_iterations=2" in files["train.py"]
    assert "worker/environments/lookup.py" in files
    assert "Box 3" in files["train.jsonl"]
