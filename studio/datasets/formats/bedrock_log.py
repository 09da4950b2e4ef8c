"""Amazon Bedrock invocation logs: what was asked of a hosted model, and what it answered.

Knows the request and answer bodies of Converse, Anthropic, Nova, Titan, Llama and Mistral models.
"""

from typing import Any

from studio.datasets.formats.base import Format, Row, RowError, keep_meta
from studio.datasets.formats.nova_conversation import read_blocks, read_system, read_tool_config
from studio.datasets.messages import Message, read_messages


def _body(row: Row, side: str) -> Any:
    held = row.get(side)
    return held.get(f"{side}BodyJson") if isinstance(held, dict) else None


def fits(row: Row) -> str | None:
    return "instruction" if _body(row, "input") is not None and _body(row, "output") is not None else None


def normalise(row: Row, shape: str) -> Row:
    asked, answered = _body(row, "input"), _body(row, "output")
    if not isinstance(asked, dict):
        raise RowError("“input.inputBodyJson” is not an object")
    if not isinstance(answered, dict):
        raise RowError("“output.outputBodyJson” is not an object (a streamed answer cannot be read)")
    made: Row = {"prompt": _prompt(asked), "completion": [_answer(answered)]}
    if tools := read_tool_config(asked.get("toolConfig")):
        made["tools"] = tools
    return keep_meta(made, row, ("input", "output", "schemaType", "schemaVersion"))


def _prompt(body: Row) -> list[Message]:
    if "messages" in body:
        return [*read_system(body.get("system")), *_talk(body["messages"])]
    asked = body.get("prompt", body.get("inputText"))
    if not isinstance(asked, str):
        raise RowError("the logged request has no messages, prompt or inputText")
    return [{"role": "user", "content": asked}]


def _talk(messages: Any) -> list[Message]:
    first = messages[0] if isinstance(messages, list) and messages else None
    content = first.get("content") if isinstance(first, dict) else None
    typed = isinstance(content, str) or (
        isinstance(content, list) and content and isinstance(content[0], dict) and "type" in content[0]
    )
    return read_messages(messages) if typed else read_blocks(messages)


def _answer(body: Row) -> Message:
    output = body.get("output")
    if isinstance(output, dict) and isinstance(output.get("message"), dict):
        return read_blocks([{"role": "assistant", **output["message"]}])[-1]
    if isinstance(body.get("content"), list):
        return read_messages([{"role": "assistant", "content": body["content"]}])[0]
    for place in (body, *_first(body, "results"), *_first(body, "outputs"), *_first(body, "choices")):
        for key in ("outputText", "generation", "completion", "text"):
            if isinstance(place.get(key), str):
                return {"role": "assistant", "content": place[key]}
        if isinstance(place.get("message"), dict):
            return read_messages([{"role": "assistant", **place["message"]}])[0]
    raise RowError("the logged answer has no text that we know how to find")


def _first(body: Row, key: str) -> list[Row]:
    found = body.get(key)
    return [found[0]] if isinstance(found, list) and found and isinstance(found[0], dict) else []


FORMAT = Format(
    "bedrock_log",
    "Bedrock invocation log",
    ("instruction",),
    "“input.inputBodyJson” and “output.outputBodyJson”",
    fits,
    normalise,
    order=30,
)
