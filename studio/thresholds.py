"""Numbers from which on the studio says one thing rather than another: those of the guide, and those of the
run doctor. Each ships with its source, and can be set otherwise for a studio."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from studio.errors import StudioError


class Threshold(BaseModel):
    """A number that rules turn on; `title` and `help` say it in plain words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    help: str
    value: float | int
    source: str
    whole: bool = True


def with_own(
    shipped: Mapping[str, Threshold], changed: Mapping[str, Any], whose: str
) -> dict[str, Threshold]:
    """The same thresholds, with those of your own. Raises StudioError for a wrong name or value."""
    found = dict(shipped)
    for name, value in changed.items():
        if name not in shipped:
            raise StudioError(
                f"The {whose} has no threshold called '{name}'.",
                hint="It knows: " + ", ".join(sorted(shipped)) + ".",
                field=name,
            )
        theirs = shipped[name]
        _check(name, theirs, value)
        if value != theirs.value:
            source = f"set in this studio, shipped as {theirs.value:,g}"
            ours = int(value) if theirs.whole else value
            found[name] = theirs.model_copy(update={"value": ours, "source": source})
    return found


def merged(
    shipped: Mapping[str, Threshold], before: Mapping[str, Any], changed: Mapping[str, Any]
) -> dict[str, Any]:
    """What is set once `changed` is: null goes back to what ships; of what was set before, names that ship no
    longer are dropped."""
    known = {name: value for name, value in before.items() if name in shipped}
    return {name: value for name, value in (known | dict(changed)).items() if value is not None}


def _check(name: str, shipped: Threshold, value: Any) -> None:
    kind = "a whole number" if shipped.whole else "a number"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < float("inf") or (shipped.whole and value != int(value)):
        raise StudioError(
            f"The threshold “{shipped.title}” cannot be {value!r}.", hint=f"Give {kind} above 0.", field=name
        )
