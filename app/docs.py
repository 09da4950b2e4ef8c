"""The documentation of the REST API at /docs, written from its OpenAPI description.

Our own page: the usual ones load their scripts from outside hosts.
"""

import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from app import shell

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 4  # levels of nested objects an example shows

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    about: str
    parameters: list[dict[str, str]]
    body: str

    @property
    def resource(self) -> str:
        """/api/runs/{id}/stop → runs"""
        return (self.path.removeprefix("/api/").split("/")[0] or "api").split("{")[0]


@router.get("/docs")
def show(request: Request) -> Response:
    groups: dict[str, list[Operation]] = {}
    for operation in operations(request.app.openapi()):
        groups.setdefault(operation.resource, []).append(operation)
    return shell.plain("docs.html", request, title="API", groups=groups)


def operations(description: dict[str, Any]) -> list[Operation]:
    schemas = description.get("components", {}).get("schemas", {})
    return [
        Operation(
            method=method.upper(),
            path=path,
            about=about.get("description") or about.get("summary", ""),
            parameters=[parameter(one) for one in about.get("parameters", [])],
            body=body(about.get("requestBody", {}), schemas),
        )
        for path, methods in sorted(description.get("paths", {}).items())
        for method, about in methods.items()
        if method in METHODS
    ]


def parameter(given: dict[str, Any]) -> dict[str, str]:
    schema = given.get("schema", {})
    needed = "" if given.get("required") else f"default {json.dumps(schema.get('default'))}"
    return {
        "name": given["name"],
        "place": given["in"],
        "kind": kind(schema),
        "needed": needed or "required",
        "about": given.get("description") or schema.get("description", ""),
    }


def kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    return str(schema.get("type") or schema.get("$ref", "any").rpartition("/")[2])


def body(given: dict[str, Any], schemas: dict[str, Any]) -> str:
    """What to send, as an example with types in the place of values."""
    content = given.get("content", {})
    if "application/json" in content:
        shape = example(content["application/json"].get("schema", {}), schemas, DEEPEST)
        return json.dumps(shape, indent=2, ensure_ascii=False)
    return ", ".join(content)


def example(schema: dict[str, Any], schemas: dict[str, Any], levels: int) -> Any:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if not levels or "properties" not in schema:
        return schema.get("default", kind(schema))
    return {name: example(one, schemas, levels - 1) for name, one in schema["properties"].items()}
