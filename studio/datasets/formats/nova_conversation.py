"""Amazon Nova and Bedrock conversations: content is a list of blocks, tools are under `toolConfig`.

Blocks are text, toolUse, toolResult, reasoningContent and images (kept as parts).
"""

from typing import Any

import orjson

from studio.datasets.formats.base import Format, Row, RowError, keep_meta
from studio.datasets.messages import Message, make_tool_call, read_role, read_tools

BLOCKS = {"text", "toolUse", "toolResult", "reasoningContent", "image", "video", "document"}


def fits(row: Row) -> str | None:
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[0], dict):
        return None
    if str(row.get("schemaVersion", "")).startswith("bedrock-conversation"):
        return "chat"
    content = messages[0].get("content")
    block = content[0] if isinstance(content, list) and content else None
    return "chat" if isinstance(block, dict) and "type" not in block and block.keys() & BLOCKS else None


def normalise(row: Row, shape: str) -> Row:
    made: Row = {"messages": [*read_system(row.get("system")), *read_blocks(row.get("messages"))]}
    if tools := read_tool_config(row.get("toolConfig")):
        made["tools"] = tools
    return keep_meta(made, row, ("schemaVersion", "system", "messages", "toolConfig"))


def read_system(system: Any) -> list[Message]:
    """[{"text"}] or a text as one system message, or none."""
    if system is None or system == [] or system == "":
        return []
    if isinstance(system, str):
        return [{"role": "system", "content": system}]
    if not isinstance(system, list) or not all(isinstance(part, dict) for part in system):
        raise RowError("“system” is not a list of text blocks")
    texts = [part["text"] for part in system if isinstance(part.get("text"), str)]
    return [{"role": "system", "content": "\n".join(texts)}] if texts else []


def read_tool_config(config: Any) -> list[dict[str, Any]]:
    """The declared tools in our form."""
    if config is None:
        return []
    if not isinstance(config, dict):
        raise RowError("“toolConfig” is not an object")
    return read_tools(config.get("tools"))


def read_blocks(messages: Any) -> list[Message]:
    """Bedrock messages as ours; a tool result inside a user turn becomes a tool message before it."""
    if not isinstance(messages, list) or not messages:
        raise RowError("“messages” is empty or not a list")
    made: list[Message] = []
    for place, message in enumerate(messages, 1):
        where = f"message {place} of “messages”"
        if not isinstance(message, dict):
            raise RowError(f"{where} is not an object")
        made += _message(message, where)
    return made


def _message(message: Message, where: str) -> list[Message]:
    role = read_role(message.get("role"), where)
    content = message.get("content")
    blocks = [{"text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise RowError(f"{where} has a content that is not a list of blocks")
    results = [_tool_result(block["toolResult"], where) for block in blocks if "toolResult" in block]
    said: Message = {"role": role, "content": _content(blocks, where)}
    if thinking := "".join(_thinking(block) for block in blocks):
        said["thinking"] = thinking
    if calls := [_tool_use(block["toolUse"], where) for block in blocks if "toolUse" in block]:
        said["tool_calls"] = calls
    only_results = results and not said["content"] and len(said) == 2
    return results if only_results else [*results, said]


def _content(blocks: list[Any], where: str) -> str | list[Any]:
    unknown = [block for block in blocks if not block.keys() & BLOCKS and "cachePoint" not in block]
    if unknown:
        raise RowError(f"{where} has a block of an unknown kind: {', '.join(unknown[0])[:60] or 'empty'}")
    texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    media = [
        {"type": kind, kind: block[kind]}
        for block in blocks
        for kind in ("image", "video", "document")
        if kind in block
    ]
    return [*({"type": "text", "text": text} for text in texts), *media] if media else "".join(texts)


def _thinking(block: Row) -> str:
    reasoning = block.get("reasoningContent")
    text = reasoning.get("reasoningText") if isinstance(reasoning, dict) else None
    said = text.get("text") if isinstance(text, dict) else text
    return said if isinstance(said, str) else ""


def _tool_use(use: Any, where: str) -> dict[str, Any]:
    if not isinstance(use, dict) or not isinstance(use.get("name"), str):
        raise RowError(f"{where} uses a tool without a name")
    return {"id": str(use.get("toolUseId", "")), **make_tool_call(use["name"], use.get("input"), where)}


def _tool_result(result: Any, where: str) -> Message:
    if not isinstance(result, dict):
        raise RowError(f"{where} has a tool result that is not an object")
    content = result.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) and "text" in part else part for part in parts]
    said = "\n".join(
        text if isinstance(text, str) else orjson.dumps(text).decode() for text in texts if text is not None
    )
    return {"role": "tool", "content": said, "tool_call_id": str(result.get("toolUseId", ""))}


FORMAT = Format(
    "nova_conversation",
    "Amazon Nova / Bedrock conversation",
    ("chat",),
    "“messages” whose “content” is a list of Bedrock blocks",
    fits,
    normalise,
    order=90,
)
