"""Messages and tools in our one form, from the dialects people bring.

A message is {"role": system|user|assistant|tool, "content": text or parts, "tool_calls"?, "tool_call_id"?,
"name"?, "thinking"?, "weight"?}; a tool is {"type": "function", "function": {"name", "description",
"parameters"}}. Functions raise RowError with a plain reason.
"""

from typing import Any

import orjson


class RowError(Exception):
    """This row does not fit its format; the message says why and becomes the reason of a bad row."""


Message = dict[str, Any]

ROLES = ("system", "user", "assistant", "tool")
# What other formats call the same four; "developer" is OpenAI's newer word for system.
OTHER_ROLES = {
    "developer": "system",
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "chatgpt": "assistant",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
}
PLAIN_KEYS = {"role", "content"}


def read_messages(value: Any, field: str = "messages") -> list[Message]:
    """OpenAI-style messages in our form."""
    if not isinstance(value, list):
        raise RowError(f"“{field}” is not a list of messages")
    if not value:
        raise RowError(f"“{field}” is empty")
    return [_message(message, place, field) for place, message in enumerate(value, 1)]


def _message(message: Any, place: int, field: str) -> Message:
    if type(message) is dict and message.keys() == PLAIN_KEYS:
        if message["role"] in ROLES and type(message["content"]) is str:
            return message  # the common case, as it is
    elif not isinstance(message, dict):
        raise RowError(f"message {place} of “{field}” is not an object with role and content")
    return _full_message(message, place, field)


def _full_message(message: Message, place: int, field: str) -> Message:
    where = f"message {place} of “{field}”"
    made: Message = {"role": read_role(message.get("role"), where)}
    made["content"] = read_content(message.get("content"), where)
    thinking = (
        message.get("thinking")
        or message.get("reasoning_content")
        or message.get("reasoning")
        or _thinking_parts(message.get("content"))
    )
    if isinstance(thinking, str) and thinking:
        made["thinking"] = thinking
    if calls := message.get("tool_calls"):
        made["tool_calls"] = read_tool_calls(calls, where)
    elif legacy := message.get("function_call"):
        made["tool_calls"] = read_tool_calls([legacy], where)
    for key in ("tool_call_id", "name"):
        if isinstance(message.get(key), str):
            made[key] = message[key]
    if (weight := message.get("weight")) is not None:
        if weight not in (0, 1):
            raise RowError(f"{where} has the weight {weight!r}; it can be 0 or 1")
        made["weight"] = int(weight)
    return made


def read_role(role: Any, where: str) -> str:
    """One of our four roles."""
    if not isinstance(role, str):
        raise RowError(f"{where} has no role")
    plain = role.strip().lower()
    known = plain if plain in ROLES else OTHER_ROLES.get(plain)
    if not known:
        raise RowError(f"{where} has the role “{role[:40]}”; known are system, user, assistant and tool")
    return known


def read_content(content: Any, where: str) -> str | list[Any]:
    """Text; parts that are all text are joined, parts with images stay parts; null is empty text."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list) or not all(isinstance(part, dict | str) for part in content):
        raise RowError(f"{where} has a content that is neither text nor a list of parts")
    kept = [part for part in content if not (isinstance(part, dict) and part.get("type") == "thinking")]
    texts = [part if isinstance(part, str) else part.get("text") for part in kept]
    if all(isinstance(text, str) for text in texts):
        return "".join(str(text) for text in texts)
    return kept


def _thinking_parts(content: Any) -> str:
    if not isinstance(content, list):
        return ""
    parts = (part.get("thinking") for part in content if isinstance(part, dict))
    return "".join(part for part in parts if isinstance(part, str))


def read_tool_calls(calls: Any, where: str) -> list[Any]:
    """OpenAI-style calls with their arguments as an object."""
    if not isinstance(calls, list):
        raise RowError(f"{where} has tool calls that are not a list")
    return [_tool_call(call, where) for call in calls]


def _tool_call(call: Any, where: str) -> dict[str, Any]:
    if not isinstance(call, dict):
        raise RowError(f"{where} has a tool call that is not an object")
    function = call.get("function", call)
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise RowError(f"{where} has a tool call without a function name")
    made = make_tool_call(function["name"], function.get("arguments", function.get("parameters")), where)
    return {"id": call["id"], **made} if isinstance(call.get("id"), str) else made


def make_tool_call(name: str, arguments: Any, where: str) -> dict[str, Any]:
    """A call in our form; arguments written as JSON text become an object."""
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments) if arguments.strip() else {}
        except orjson.JSONDecodeError:
            raise RowError(f"{where} calls “{name[:60]}” with arguments that are not JSON") from None
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, dict):
        raise RowError(f"{where} calls “{name[:60]}” with arguments that are not an object")
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def read_tools(tools: Any) -> list[dict[str, Any]]:
    """Declared tools in our form: OpenAI's, a bare list of functions, Google's and Amazon's, or any of
    these as JSON text."""
    if isinstance(tools, str):
        try:
            tools = orjson.loads(tools) if tools.strip() else []
        except orjson.JSONDecodeError:
            raise RowError("“tools” is text that is not JSON") from None
    if tools is None:
        return []
    if not isinstance(tools, list):
        raise RowError("“tools” is not a list")
    return [made for tool in tools for made in _tool(tool)]


def _tool(tool: Any) -> list[dict[str, Any]]:
    if not isinstance(tool, dict):
        raise RowError("“tools” holds something that is not an object")
    declared = tool.get("functionDeclarations") or tool.get("function_declarations")
    if isinstance(declared, list):
        return [_declaration(one) for one in declared]
    return [_declaration(tool.get("function") or tool.get("toolSpec") or tool)]


def _declaration(spec: Any) -> dict[str, Any]:
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise RowError("“tools” holds a tool without a name")
    schema = spec.get("parameters", spec.get("inputSchema", spec.get("input_schema")))
    schema = schema.get("json", schema) if isinstance(schema, dict) else {"type": "object", "properties": {}}
    described = {"description": spec["description"]} if isinstance(spec.get("description"), str) else {}
    return {"type": "function", "function": {"name": spec["name"], **described, "parameters": schema}}


def looks_like_messages(value: Any) -> bool:
    """Whether this is a list of {"role", …} objects."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "role" in value[0]
