"""Tool calls that name no declared tool or do not fit its schema.

A light look: the name, required arguments, unknown arguments where the schema forbids them, and plain
JSON types; nested schemas are not followed.
"""

from typing import Any

from studio.datasets.checks.base import Check, Finding, Tally, rows
from studio.datasets.view import View

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class ToolCalls:
    def __init__(self) -> None:
        self.tally = Tally()

    def see(self, view: View) -> None:
        tools: dict[str, Any] | None = None
        for turn in view.turns:
            if turn.message is None or "tool_calls" not in turn.message:
                continue
            tools = declared(view.row) if tools is None else tools
            for call in turn.message["tool_calls"]:
                if problem := misfit(call["function"], tools):
                    self.tally.add(view.line, problem)
                    return

    def finish(self) -> Finding | None:
        return self.tally.finding(
            "tool_calls",
            "warning",
            f"{rows(self.tally.count, 'calls', 'call')} a tool that is not declared, or not as declared",
            "Declare every tool under “tools”, and give the arguments its schema asks for.",
        )


def declared(row: dict[str, Any]) -> dict[str, Any]:
    """The schemas of the row's tools by name."""
    return {tool["function"]["name"]: tool["function"].get("parameters") for tool in row.get("tools", [])}


def misfit(function: dict[str, Any], tools: dict[str, Any]) -> str:
    """What is wrong with this call, or ""."""
    name, arguments = function["name"], function["arguments"]
    if name not in tools:
        return f"“{name[:60]}” is not declared"
    schema = tools[name] if isinstance(tools[name], dict) else {}
    properties = schema.get("properties")
    required = schema.get("required")
    for field in required if isinstance(required, list) else []:
        if field not in arguments:
            return f"“{name[:60]}” is called without “{str(field)[:60]}”"
    if not isinstance(properties, dict):
        return ""
    for field, value in arguments.items():
        if field not in properties and schema.get("additionalProperties") is False:
            return f"“{name[:60]}” has no argument “{field[:60]}”"
        if not fits_type(value, properties.get(field)):
            return f"“{field[:60]}” of “{name[:60]}” has the wrong type"
    return ""


def fits_type(value: Any, schema: Any) -> bool:
    wanted = schema.get("type") if isinstance(schema, dict) else None
    if not isinstance(wanted, str) or wanted not in TYPES:
        return True
    if isinstance(value, bool):
        return wanted == "boolean"
    return isinstance(value, TYPES[wanted])


CHECK = Check(
    "tool_calls",
    "Tool calls",
    ("chat", "instruction", "preference", "labelled", "prompt"),
    ToolCalls,
    order=120,
)
