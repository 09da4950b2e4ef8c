"""Where the source of a setting names a library's default, the installed library has that default."""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import peft
import pytest
import transformers
import trl

from studio import adapters, parameters, techniques
from worker.trainers import reference_free  # where TRL keeps some of its configurations is its own affair

CLAIM = re.compile(r"(?:TRL|transformers|peft) (\w+) default")
LIBRARIES = (trl, reference_free, transformers, peft)
FAMILIES: list[Any] = [*techniques.all(), *adapters.all()]


@pytest.mark.parametrize("member", FAMILIES, ids=lambda member: member.name)
def test_a_default_said_to_be_a_librarys_is_that_librarys(member: Any) -> None:
    for name, ours, config in claims(member):
        fields = {field.name: field for field in dataclasses.fields(config)}
        if name in fields:  # a setting of our own may stand for several of the library's
            assert fields[name].default == ours, f"{name} of {config.__name__}"


def claims(member: Any) -> Iterator[tuple[str, Any, type]]:
    """(setting, its default, the library's class that its source names)."""
    for name, field in member.parameters.model_fields.items():
        for named in CLAIM.findall(parameters.about(field).get("source", "")):
            yield name, field.default, next(getattr(lib, named) for lib in LIBRARIES if hasattr(lib, named))
