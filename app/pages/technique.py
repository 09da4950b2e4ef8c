"""One technique's handbook page at /technique?name=: text, settings, metrics and example rows, all read
from the technique's own file. Adding a technique file adds its page."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import orjson
from markupsafe import Markup
from pydantic.fields import FieldInfo

from app.navigation import Page
from app.pages.techniques import phases
from app.parts import Query, fragment, live, render, words
from app.toolkit import html
from studio import adapters, parameters, techniques
from studio.adapters import Adapter
from studio.datasets import shapes
from studio.parameters import Parameters
from studio.techniques import Technique

BOUNDS = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
SIZES = {5_000_000: "5 million", 7_000_000_000: "7 billion", 70_000_000_000: "70 billion"}


@dataclass(frozen=True)
class Setting:
    """One row of the table of settings, in words."""

    name: str
    title: str
    help: str
    default: str
    bounds: str
    source: str
    basic: bool


@fragment("technique")
def technique_page(query: Query) -> Markup:
    technique = techniques.get(query.text("name") or query.text("id") or "sft")
    lead, handbook = parts_of(technique.handbook)
    return render(
        "technique.html",
        technique=technique,
        lead=lead,
        handbook=handbook,
        phase=phases().get(technique.phase, ""),
        settings=settings_of(technique.parameters),
        suggestions=list(suggestions(technique)),
        adapters=[(adapter, settings_of(adapter.parameters)) for adapter in adapters_of(technique)],
        metrics=technique.metrics,
        titles={shape.name: shape.title for shape in shapes.SHAPES.values()},
        shapes=[(shape, orjson.dumps(shape.example).decode()) for shape in shapes_of(technique)],
    )


def parts_of(handbook: str) -> tuple[str, str]:
    """The first paragraph, which the page shows as its lead, and the Markdown below it."""
    lead, _, text = handbook.strip().partition("\n\n")
    return " ".join(lead.split()), text


def shapes_of(technique: Technique) -> list[shapes.Shape]:
    return [shapes.get(name) for name in technique.shapes]


def adapters_of(technique: Technique) -> list[Adapter]:
    return [adapter for adapter in adapters.all() if technique.fits_adapter(adapter.name)]


def settings_of(kind: type[Parameters]) -> list[Setting]:
    """Every setting of the class; those shown first in the form come first here too."""
    rows = [setting(name, field) for name, field in kind.model_fields.items()]
    return sorted(rows, key=lambda row: not row.basic)


def setting(name: str, field: FieldInfo) -> Setting:
    about = parameters.about(field)
    return Setting(
        name=name,
        title=field.title or name,
        help=field.description or "",
        default=worded(field.default, about.get("unit", "")),
        bounds=bounds(field),
        source=about.get("source", ""),
        basic=bool(about.get("basic")),
    )


def worded(value: Any, unit: str = "") -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "none"
    text = plain(value) if isinstance(value, int | float) else str(value)
    return f"{text} {unit.removesuffix('s') if value == 1 else unit}".strip()


def plain(value: float) -> str:
    """A setting's number as one would type it: 0.03, 2e-5, 1,000,000."""
    return words.count(int(value)) if float(value).is_integer() else f"{value:g}".replace("e-0", "e-")


def bounds(field: FieldInfo) -> str:
    """The allowed values: the choices, or the limits in words."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(str(choice) for choice in get_args(field.annotation))
    limits = [
        f"{word} {plain(getattr(limit, key))}"
        for key, word in BOUNDS.items()
        for limit in field.metadata
        if hasattr(limit, key)
    ]
    if limits:
        return " ".join(limits)
    return "on or off" if field.annotation is bool else "any"


Said = tuple[tuple[str, str], ...]  # settings and values in words, and their source


def suggestions(technique: Technique) -> Iterator[tuple[str, str, Said]]:
    """(adapters, model sizes, what is suggested instead of the defaults): what is alike stands together."""
    alike: dict[tuple[Said, ...], list[str]] = {}
    for adapter in adapters_of(technique):
        by_size = tuple(suggested(technique, adapter, size) for size in SIZES)
        alike.setdefault(by_size, []).append(adapter.title)
    for by_size, titles in alike.items():
        sizes: dict[Said, list[str]] = {}
        for words_of_size, said in zip(SIZES.values(), by_size, strict=True):
            sizes.setdefault(said, []).append(words_of_size)
        yield from ((", ".join(titles), " or ".join(each), said) for said, each in sizes.items() if said)


def suggested(technique: Technique, adapter: Adapter, size: int) -> Said:
    fields = technique.parameters.model_fields
    by_source: dict[str, list[str]] = {}
    for name, (value, source) in technique.suggestions(adapter.name, size).items():
        by_source.setdefault(source, []).append(f"{fields[name].title} {worded(value)}")
    return tuple((", ".join(settings), source) for source, settings in by_source.items())


def build() -> None:
    html(live("technique", every=0, rows=4), elem_id="technique")


PAGE = Page(path="/technique", title="Technique", build=build, in_nav=False, under="/techniques")
