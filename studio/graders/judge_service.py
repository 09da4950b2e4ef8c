"""AI judge behind an address: any server that speaks OpenAI's chat completions, on this machine (vLLM,
llama.cpp, Ollama) or a paid one. It is asked by rubric, in a pair with the reference, with messages of one's
own, or for one of several labels: OpenAI's `score_model` and `label_model`. A model of ours is `judge`."""

from collections.abc import Sequence
from typing import Literal

import orjson
from pydantic import field_validator

from studio.errors import StudioError
from studio.graders import outgoing, rubric, templates
from studio.graders.base import JUDGED, Case, Grader, Score, Scorer
from studio.graders.outgoing import Calling, Failed, Patience
from studio.graders.reading import JsonText
from studio.graders.rubric import Rubric
from studio.parameters import setting

ROLES = ("system", "developer", "user", "assistant")
CREDIT = {"a": 1.0, "b": 0.0, "tie": 0.5}
RESERVED = {"model", "messages", "stream", "n"}


class JudgeService(Calling, Rubric):
    mode: Literal["scale", "pair", "labels"] = setting(
        "scale",
        "Way",
        "Scale: a mark for each answer; pair: is it better than the reference, asked in both orders; labels: "
        "one of several, some of which pass.",
        basic=True,
    )
    address: str = setting(
        "http://127.0.0.1:8000/v1",
        "Address",
        "Of the service, without /chat/completions.",
        basic=True,
        max_length=2000,
    )
    model: str = setting("", "Model", "The judge's name at the service.", basic=True, max_length=200)
    messages: JsonText = setting(
        "",
        "Messages",
        "Instead of a rubric: a list of messages with roles, filled like it.",
        kind="json",
        max_length=200_000,
    )
    labels: list[str] = setting(
        [], "Labels", "What the judge chooses from, one a line.", kind="words", max_length=50
    )
    passing: list[str] = setting(
        [], "Passing labels", "Those that score 1; all others score 0.", kind="words", max_length=50
    )
    options: JsonText = setting(
        '{"temperature": 0}',
        "Options",
        "Further fields of the request, such as temperature, max_tokens or reasoning_effort.",
        kind="json",
        max_length=10_000,
    )

    @field_validator("messages")
    @classmethod
    def list_of_messages(cls, text: str) -> str:
        messages = orjson.loads(text or "[]")
        if not isinstance(messages, list) or not all(
            isinstance(said, dict) and said.get("role") in ROLES and isinstance(said.get("content"), str)
            for said in messages
        ):
            raise ValueError('this must be a list of {"role": "user", "content": "…"}')
        return text

    @field_validator("options")
    @classmethod
    def fields_of_ours_stay(cls, text: str) -> str:
        options = orjson.loads(text or "{}")
        if not isinstance(options, dict) or RESERVED & options.keys():
            raise ValueError(f"this must be an object without {', '.join(sorted(RESERVED))}")
        return text


def prepare(parameters: JudgeService) -> Scorer:
    outgoing.check_address(parameters.address, "address")
    if not parameters.model.strip():
        raise StudioError("No judge is named.", hint="Write the model's name at the service.", field="model")
    for said in orjson.loads(parameters.messages or "[]") or [
        {"content": rubric.text_of(parameters, parameters.mode)}
    ]:
        templates.check(said["content"], "messages" if parameters.messages else "rubric")
    if parameters.mode == "labels" and not set(parameters.passing) <= set(parameters.labels) - {""}:
        raise StudioError("A passing label is none of the labels.", field="passing", hint="Add it to them.")
    if parameters.mode == "labels" and not (parameters.passing and len(set(parameters.labels)) > 1):
        raise StudioError(
            "There are no labels to choose from.",
            hint="Give at least two, and which of them pass.",
            field="labels",
        )
    failures = Patience(
        f"The AI judge {parameters.model} at {parameters.address}",
        "Check the address, the model's name and the key, and try it with one answer.",
    )
    one = {"scale": on_scale, "pair": in_pair, "labels": by_label}[parameters.mode]

    def ask(case: Case) -> Score:
        """None where the row lacks a column that is named, 0 where the answer lacks a part."""
        try:
            return one(case, parameters)
        except templates.Missing as missing:
            return None if missing.namespace == "item" else 0.0

    return outgoing.Asking(lambda cases: outgoing.each(ask, cases, parameters.at_once), failures)


def on_scale(case: Case, parameters: JudgeService) -> Score:
    low, high = parameters.lowest, parameters.highest
    if parameters.messages:
        form = (
            'Reply with JSON: {"steps": [{"description": "…", "conclusion": "…"}], "result": NUMBER}, '
            f"where NUMBER lies from {low:g} to {high:g}."
        )
        asked = conversation(case, parameters, form)
    else:
        form = "You may reason first. End with a line “Score: N”."
        asked = [{"role": "user", "content": f"{rubric.scale_question(case, parameters)} {form}"}]
    return (rubric.read_mark(reply(asked, parameters), low, high) - low) / (high - low)


def in_pair(case: Case, parameters: JudgeService) -> Score:
    """Averaged over both orders; None without a reference to compare with."""
    if case.reference in ("", None):
        return None
    form = "You may reason first. End with a line “Better: A”, “Better: B” or “Better: tie”."
    first, second = (
        rubric.read_better(reply([{"role": "user", "content": f"{question} {form}"}], parameters))
        for question in rubric.pair_questions(case, parameters)
    )
    return (CREDIT[first] + 1 - CREDIT[second]) / 2


def by_label(case: Case, parameters: JudgeService) -> Score:
    labels = [label.strip() for label in parameters.labels if label.strip()]
    form = f"Reply with one of these labels and nothing else: {', '.join(labels)}."
    if parameters.messages:
        asked = conversation(case, parameters, form)
    else:
        filled = templates.render(
            rubric.text_of(parameters, parameters.mode), rubric.judged(case, parameters)
        )
        asked = [{"role": "user", "content": f"{filled}\n\n{form}"}]
    chosen = rubric.read_label(reply(asked, parameters), labels)
    return float(chosen in {label.strip() for label in parameters.passing})


def conversation(case: Case, parameters: JudgeService, form: str) -> list[dict[str, str]]:
    """The messages with their places filled, and how to reply at the end of the last one."""
    case = rubric.judged(case, parameters)
    said = [
        {"role": message["role"], "content": templates.render(message["content"], case)}
        for message in orjson.loads(parameters.messages)
    ]
    if said[-1]["role"] == "assistant":
        return [*said, {"role": "user", "content": form}]
    said[-1]["content"] += f"\n\n{form}"
    return said


def reply(messages: Sequence[dict[str, str]], parameters: JudgeService) -> str:
    """What the judge says. Raises Failed when it says nothing."""
    body = orjson.loads(parameters.options or "{}") | {"model": parameters.model, "messages": messages}
    answer = outgoing.post(f"{parameters.address.rstrip('/')}/chat/completions", body, parameters)
    try:
        said = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        said = None
    if not isinstance(said, str) or not said.strip():
        raise Failed("it answered without a message")
    return said


GRADER = Grader(
    name="judge_service",
    title="AI judge, by address",
    help="A model behind an OpenAI-compatible address judges by a rubric.",
    aliases=JUDGED,
    parameters=JudgeService,
    prepare=prepare,
    group="Model",
    order=11,
)
