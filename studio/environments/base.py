"""What an environment is: tools that a model may call while it answers, in reinforcement learning with
several turns. The tools themselves are the worker's (`worker/environments/`); what an answer is worth is the
graders' business."""

from collections.abc import Callable
from dataclasses import dataclass

from studio.parameters import NoParameters, Parameters


@dataclass(frozen=True)
class Tool:
    """One tool as people read of it; what the model reads is the docstring of the method of that name."""

    name: str
    help: str


@dataclass(frozen=True)
class Environment:
    """One world to act in. `factory` names the class that TRL makes one of for every answer at a time
    (`"worker.environments.calculator:Calculator"`): its public methods are the tools, `reset(row=…)` begins
    an episode, and its constructor takes `parameters` by name.

    `require` raises StudioError where this machine cannot offer the tools."""

    name: str
    title: str
    help: str
    factory: str
    tools: tuple[Tool, ...]
    parameters: type[Parameters] = NoParameters
    require: Callable[[], None] = lambda: None
    order: int = 100
