"""How an edit changes a setup. A path names what is edited: `technique`, `parameters:learning_rate`,
`inputs:teacher_model`, `graders:g1:weight`, `sweep:learning_rate:values`. What is typed is kept, right or
wrong; `verdict` says what is wrong with it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from app import forms
from app.setup import Grading, Setup, Several, several
from app.setup.beginning import fitting_adapter
from app.setup.plan import Plan
from studio import adapters, graders, techniques
from studio.errors import StudioError
from studio.graders.choice import GraderChoice
from studio.parameters import Parameters

PLACES = ("parameters", "adapter_parameters")
MOST_GRADERS = 20


def write(session: Session, setup: Setup, path: str, text: str) -> None:
    """What stands in one input now. Raises StudioError for a path that is none."""
    first, *rest = path.split(":")
    if first not in WRITERS:
        raise no_such(path)
    WRITERS[first](session, setup, rest, text)


def reset(session: Session, setup: Setup, path: str) -> None:
    """Back to the recommendation: one setting, or everything when `path` is “all”."""
    if path == "all":
        setup.parameters, setup.adapter_parameters = {}, {}
        return
    first, *rest = path.split(":")
    if first in PLACES and len(rest) == 1:
        getattr(setup, first).pop(rest[0], None)
    elif first == "graders" and len(rest) == 3:
        grading(setup, rest[0]).parameters.pop(rest[2], None)
    else:
        raise no_such(path)


def no_such(path: str) -> StudioError:
    return StudioError(f"This form has no field “{path[:60]}”.", hint="Reload the page.", field="set")


# ---- what is typed and chosen -------------------------------------------------------------------------


def _technique(_session: Session, setup: Setup, _rest: list[str], text: str) -> None:
    """Settings are kept by name, so that coming back finds them; the adapter changes only if it must."""
    technique = techniques.get(text)
    setup.technique = technique.name
    if not technique.fits_adapter(setup.adapter):
        setup.adapter = fitting_adapter(technique).name


def _adapter(_session: Session, setup: Setup, _rest: list[str], text: str) -> None:
    setup.adapter = adapters.get(text).name


def _model(_session: Session, setup: Setup, _rest: list[str], text: str) -> None:
    setup.model = text.strip()


def _data(name: str) -> Callable[[Session, Setup, list[str], str], None]:
    def put(_session: Session, setup: Setup, _rest: list[str], text: str) -> None:
        setattr(setup, name, text.strip())

    return put


def _name(_session: Session, setup: Setup, _rest: list[str], text: str) -> None:
    setup.name = text


def _seed(_session: Session, setup: Setup, _rest: list[str], text: str) -> None:
    setup.seed = forms.as_number(text, whole=True)


def _input(_session: Session, setup: Setup, rest: list[str], text: str) -> None:
    setup.inputs[one(rest)] = text.strip()


def _setting(place: str) -> Callable[[Session, Setup, list[str], str], None]:
    def put(session: Session, setup: Setup, rest: list[str], text: str) -> None:
        """Only what differs from the recommendation is kept."""
        plan = Plan(session, setup)
        at = PLACES.index(place)
        kind: type[Parameters] = (plan.technique.parameters, plan.adapter.parameters)[at]
        keep(getattr(setup, place), kind, one(rest), text, plan.advised[at])

    return put


def keep(mine: dict[str, Any], kind: type[Parameters], name: str, text: str, advised: dict[str, Any]) -> None:
    if name not in kind.model_fields:
        raise no_such(name)
    value = forms.read(kind, name, text)
    if forms.same(value, advised.get(name)):
        mine.pop(name, None)
    else:
        mine[name] = value


def _grader(_session: Session, setup: Setup, rest: list[str], text: str) -> None:
    if len(rest) < 2:
        raise no_such("graders")
    given, what = grading(setup, rest[0]), rest[1]
    if what == "name":
        given.name = text
    elif what == "weight":
        given.weight = forms.as_number(text, whole=False) if text.strip() else None
    elif what == "parameters" and len(rest) == 3:
        kind = graders.get(given.grader).parameters
        keep(given.parameters, kind, rest[2], text, forms.defaults(kind))
    else:
        raise no_such(":".join(rest))


def grading(setup: Setup, key: str) -> Grading:
    for known, given in setup.keyed():
        if known == key:
            return given
    raise StudioError("This grader was removed.", hint="Reload the page.", field="graders")


def _sweep(_session: Session, setup: Setup, rest: list[str], text: str) -> None:
    if rest == ["method"] or rest == ["count"]:
        setattr(setup.sweep, rest[0], text.strip())
        return
    if len(rest) < 2 or rest[0] not in setup.sweep.fields:
        raise no_such("sweep")
    given, what = setup.sweep.fields[rest[0]], rest[1]
    if what in ("values", "low", "high"):
        setattr(given, what, text)
    elif what == "log":
        given.log = text == "true"
    elif what == "picked" and len(rest) == 3:
        given.picked = [each for each in given.picked if each != rest[2]] + [rest[2]] * (text == "true")
    else:
        raise no_such(":".join(rest))


def _chain(_session: Session, setup: Setup, rest: list[str], text: str) -> None:
    if (name := one(rest)) not in type(setup.chain).model_fields:
        raise no_such(f"chain:{name}")
    setattr(setup.chain, name, text)


def one(rest: list[str]) -> str:
    if len(rest) != 1:
        raise no_such(":".join(rest))
    return rest[0]


WRITERS: dict[str, Callable[[Session, Setup, list[str], str], None]] = {
    "technique": _technique,
    "adapter": _adapter,
    "model": _model,
    "dataset": _data("dataset"),
    "held_out": _data("held_out"),
    "name": _name,
    "seed": _seed,
    "inputs": _input,
    "parameters": _setting("parameters"),
    "adapter_parameters": _setting("adapter_parameters"),
    "graders": _grader,
    "sweep": _sweep,
    "chain": _chain,
}


# ---- what buttons do ----------------------------------------------------------------------------------


def act(session: Session, setup: Setup, verb: str, on: str) -> None:
    """A grader is added, removed or moved, a setting is varied or no longer. Raises StudioError."""
    if verb not in VERBS:
        raise no_such(verb)
    VERBS[verb](session, setup, on)


def add_grader(_session: Session, setup: Setup, name: str) -> None:
    grader = graders.get(name)
    taken = {each.name or each.grader for each in setup.graders}
    label = next(each for each in numbered(grader.name) if each not in taken)
    add(setup, Grading(grader=grader.name, name="" if label == grader.name else label))


def numbered(name: str) -> Any:
    yield name
    for number in range(2, MOST_GRADERS + 2):
        yield f"{name} {number}"


def add(setup: Setup, given: Grading) -> None:
    if len(setup.graders) >= MOST_GRADERS:
        raise StudioError(f"{MOST_GRADERS} graders are the most a run can have.", field="graders")
    setup.add_grader(given)


def add_choices(setup: Setup, choices: list[GraderChoice]) -> None:
    """Adds graders as they were imported; those of their settings that are the grader's own are not kept."""
    for choice in choices:
        given = Grading.of(choice)
        given.parameters = forms.differing(
            given.parameters, forms.defaults(graders.get(choice.grader).parameters)
        )
        add(setup, given)


def _remove_grader(_session: Session, setup: Setup, key: str) -> None:
    grading(setup, key)
    place = setup.grader_keys.index(key)
    del setup.graders[place], setup.grader_keys[place]


def _raise_grader(_session: Session, setup: Setup, key: str) -> None:
    grading(setup, key)
    place = setup.grader_keys.index(key)
    above = max(0, place - 1)
    setup.graders.insert(above, setup.graders.pop(place))
    setup.grader_keys.insert(above, setup.grader_keys.pop(place))


def _vary(session: Session, setup: Setup, name: str) -> None:
    """Begins with the value in force, to which others are added."""
    plan = Plan(session, setup)
    varied = next((each for each in plan.variable if each.name == name), None)
    if varied is None:
        raise StudioError(f"“{name[:60]}” is nothing a sweep can vary here.", field="sweep")
    whole = {several.SEED: forms.as_text(setup.seed), several.ADAPTER: setup.adapter}
    now = whole.get(name) or several.now(varied, plan.values.technique, plan.values.adapter)
    given = Several(picked=[now]) if varied.way == "picks" else Several(values=now)
    setup.sweep.fields.setdefault(name, given)


def _settle(_session: Session, setup: Setup, name: str) -> None:
    setup.sweep.fields.pop(name, None)


VERBS: dict[str, Callable[[Session, Setup, str], None]] = {
    "add-grader": add_grader,
    "remove-grader": _remove_grader,
    "raise-grader": _raise_grader,
    "vary": _vary,
    "settle": _settle,
}
