"""Google (Vertex AI, Gemini): {"systemInstruction", "contents": [{"role": "user|model", "parts"}]}.

With `references`, or when the user speaks last, rows are prompts for a grader; else chats.
"""

from typing import Any

import orjson

from studio.datasets.formats.base import Format, Row, RowError, keep_meta
from studio.datasets.messages import Message, make_tool_call, read_role, read_tools

USED = ("systemInstruction", "system_instruction", "contents", "tools")


def fits(row: Row) -> str | None:
    contents = row.get("contents")
    if not (isinstance(contents, list) and contents and all(isinstance(turn, dict) for turn in contents)):
        return None
    if "parts" not in contents[0]:
        return None
    return "prompt" if "references" in row or contents[-1].get("role") == "user" else "chat"


def normalise(row: Row, shape: str) -> Row:
    messages = [*_system(row), *_messages(row.get("contents"))]
    tools = read_tools(row.get("tools"))
    if shape == "chat":
        made: Row = {"messages": messages}
        return keep_meta(made | ({"tools": tools} if tools else {}), row, USED)
    if messages[-1]["role"] == "assistant":
        raise RowError("the last turn is the model's: a prompt has to end with the user")
    made = {"prompt": messages}
    if (references := row.get("references")) is not None:
        made["reference_answer"] = _reference(references)
    if tools:
        made["tools"] = tools
    return made | {key: value for key, value in row.items() if key not in USED}


def _reference(references: Any) -> Any:
    """The one value of an object, or its `answer`, or the object itself."""
    if isinstance(references, dict):
        if "answer" in references:
            return references["answer"]
        if len(references) == 1:
            return next(iter(references.values()))
    return references


def _system(row: Row) -> list[Message]:
    system = row.get("systemInstruction", row.get("system_instruction"))
    if not system:
        return []
    if isinstance(system, str):
        return [{"role": "system", "content": system}]
    parts = system.get("parts") if isinstance(system, dict) else None
    return [{"role": "system", "content": _text(parts, "“systemInstruction”")}]


def _messages(contents: Any) -> list[Message]:
    if not isinstance(contents, list) or not contents:
        raise RowError("“contents” is empty or not a list")
    made: list[Message] = []
    for place, content in enumerate(contents, 1):
        where = f"turn {place} of “contents”"
        if not isinstance(content, dict):
            raise RowError(f"{where} is not an object")
        made += _turn(content, where)
    return made


def _turn(content: Row, where: str) -> list[Message]:
    parts = content.get("parts")
    said: Message = {"role": read_role(content.get("role"), where), "content": _text(parts, where)}
    parts = parts if isinstance(parts, list) else [parts]
    if thinking := "".join(str(part.get("text", "")) for part in parts if part.get("thought") is True):
        said["thinking"] = thinking
    if calls := [_call(part["functionCall"], where) for part in parts if "functionCall" in part]:
        said["tool_calls"] = calls
    results = [_result(part["functionResponse"], where) for part in parts if "functionResponse" in part]
    return results if results and not said["content"] else [*results, said]


def _text(parts: Any, where: str) -> str:
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise RowError(f"{where} has no list of parts")
    if any("inlineData" in part or "fileData" in part for part in parts):
        raise RowError(f"{where} holds a file or an image, which this format cannot bring along")
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str) and not part.get("thought")]
    return "".join(texts)


def _call(call: Any, where: str) -> dict[str, Any]:
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise RowError(f"{where} has a function call without a name")
    return make_tool_call(call["name"], call.get("args"), where)


def _result(result: Any, where: str) -> Message:
    if not isinstance(result, dict):
        raise RowError(f"{where} has a function response that is not an object")
    answer = result.get("response")
    content = answer if isinstance(answer, str) else orjson.dumps(answer).decode()
    return {"role": "tool", "content": content, "name": str(result.get("name", ""))}


FORMAT = Format(
    "google",
    "Google Vertex / Gemini",
    ("chat", "prompt"),
    "“contents” with “role” and “parts”",
    fits,
    normalise,
    order=85,
)
