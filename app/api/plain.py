"""Rows as plain JSON."""

from typing import Any


def plain(thing: object, names: str) -> dict[str, Any]:
    """The named attributes of a row, by name."""
    return {name: getattr(thing, name) for name in names.split()}
