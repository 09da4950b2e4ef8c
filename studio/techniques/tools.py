"""What the techniques share whose model may call tools while it answers (GRPO and its kin, PPO): the
environment, and the charts of its use. No technique itself.

The answer is then a conversation: the model calls a tool, reads what came back, and goes on, until it calls
no further tool. What tools wrote is read but not learned.
"""

from typing import Self

from pydantic import model_validator

from studio import environments
from studio.errors import NotFound, StudioError
from studio.graders.reading import JsonText
from studio.parameters import Parameters, setting
from studio.techniques.metrics import Healthy, MetricInfo


class ToolParameters(Parameters):
    """Raises StudioError for an environment that is not there, that this machine cannot offer, or whose
    settings are wrong."""

    environment: str = setting(
        "",
        "Environment",
        "Tools that the model may call while it answers: calculator, lookup or python. Empty: none. The "
        "prompts must be conversations, and the model's chat template must know tools.",
        source="None: GRPO and its kin as published answer in one go",
        kind="environment",
        ours=True,
    )
    environment_settings: JsonText = setting(
        "",
        "Settings of the environment",
        'As JSON, such as {"column": "documents", "lines": 3} for lookup. Empty: its defaults.',
        source="Each environment has defaults of its own",
        kind="json",
        ours=True,
    )
    max_tool_calling_iterations: int = setting(
        4,
        "Rounds of tool calls",
        "After this many rounds the answer ends as it is, even if it calls a further tool. What tools write "
        "counts towards the longest answer.",
        unit="rounds",
        source="Search-R1 (arXiv 2503.09516) searches at most 4 times; TRL sets no limit",
        ge=1,
        le=1000,
    )

    @model_validator(mode="after")
    def _offered(self) -> Self:
        if not self.environment:
            return self
        try:
            environments.get(self.environment).require()
            environments.settings_of(self.environment, self.environment_settings)
        except NotFound as problem:
            raise StudioError(problem.message, hint=problem.hint, field="environment") from problem
        except StudioError as problem:
            where = "environment_settings" if problem.field else "environment"
            raise StudioError(problem.message, hint=problem.hint, field=where) from problem
        return self


METRICS = (
    MetricInfo(
        "tools/call_frequency",
        "Tool calls an answer",
        "Tools",
        "How often a tool is called in an answer, on average. At zero the model has not found its tools: "
        "fine-tune it on a few conversations with calls first.",
    ),
    MetricInfo(
        "tools/failure_frequency",
        "Calls that fail",
        "Tools",
        "Share of calls that came back as an error: an unknown tool, wrong arguments, a program that fails. "
        "The model reads the error and may try again.",
        healthy=Healthy(
            "The studio's rule: beyond one in five, errors take the place of an answer", high=0.2
        ),
    ),
)
