"""Families of look-alikes: every module of a folder that holds the named constant is a member.

Adding a technique, an adapter or a grader is adding one file; nothing lists them by hand.
"""

import importlib
import pkgutil
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from studio.errors import NotFound


class Named(Protocol):
    @property
    def name(self) -> str: ...


Member = TypeVar("Member", bound=Named)


class Registry(Generic[Member]):
    """The members of one family by name, in the order of their `order` attribute, then their name."""

    def __init__(self, package: ModuleType, constant: str, word: str):
        self._package, self._constant, self._word = package, constant, word
        self._members: dict[str, Member] | None = None

    def all(self) -> list[Member]:
        return list(self._load().values())

    def get(self, name: str) -> Member:
        members = self._load()
        if name not in members:
            raise NotFound(
                f"There is no {self._word} “{name}”.", hint=f"Choose one of: {', '.join(members)}."
            )
        return members[name]

    def __contains__(self, name: object) -> bool:
        return name in self._load()

    def _load(self) -> dict[str, Member]:
        if self._members is None:
            modules = [
                importlib.import_module(f"{self._package.__name__}.{found.name}")
                for found in pkgutil.iter_modules(self._package.__path__)
            ]
            members: list[Any] = [getattr(m, self._constant) for m in modules if hasattr(m, self._constant)]
            members.sort(key=lambda member: (getattr(member, "order", 100), member.name))
            self._members = {member.name: member for member in members}
        return self._members
