"""A Python interpreter, for models that compute their answers. It is the sandbox (`studio/sandbox/`)."""

from studio import sandbox
from studio.environments.base import Environment, Tool
from studio.parameters import Parameters, setting


class PythonParameters(Parameters):
    seconds: float = setting(
        5.0,
        "Longest time",
        "Seconds for one call; the program is then ended.",
        unit="s",
        source="As for the unit-test grader",
        gt=0,
        le=120,
    )
    memory: int = setting(
        512,
        "Largest memory",
        "What a program may take.",
        unit="MiB",
        source="As for the unit-test grader",
        ge=64,
        le=16_384,
    )


ENVIRONMENT = Environment(
    name="python",
    title="Python",
    help="Runs the model's Python in the sandbox: no network, no files, bounded time and memory. What one "
    "call defines, the next ones of the same answer know.",
    factory="worker.environments.python:Python",
    parameters=PythonParameters,
    tools=(Tool("run_python", "Runs a program and returns what it prints."),),
    require=sandbox.require,
    order=30,
)
