"""A drawing as inline SVG. Colours are variables of the page around it (`--series-1` …), so that light and
dark are the page's."""

from collections.abc import Iterator
from html import escape

from studio.report.drawing import Drawing, Point, Stroke
from studio.report.palette import LIGHT, dash


def write(drawing: Drawing, title: str) -> str:
    """Names and titles are escaped."""
    box = f"0 0 {drawing.width:g} {drawing.height:g}"
    head = f'<svg viewBox="{box}" role="img" aria-label="{escape(title)}">'
    return head + "".join(_parts(drawing)) + "</svg>"


def _parts(drawing: Drawing) -> Iterator[str]:
    left, _, right, _ = drawing.inside
    if drawing.band:
        top, foot = drawing.band
        size = f'width="{right - left:g}" height="{foot - top:g}"'
        yield f'<rect class="healthy" x="{left:g}" y="{top:g}" {size}/>'
    for (x1, y1), (x2, y2) in drawing.rules:
        yield f'<line class="rule" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>'
    yield from map(_stroke, drawing.strokes)
    for dot in drawing.dots:
        x, y = dot.at
        label = f"<title>{escape(dot.name)}</title>" if dot.name else ""
        ink = colour(dot.place)
        style = f"fill:none;stroke:{ink};stroke-width:2" if dot.is_ring else f"fill:{ink}"
        yield f'<circle cx="{x:g}" cy="{y:g}" r="4" style="{style}">{label}</circle>'
    for text in drawing.texts:
        (x, y), ink = text.at, "" if text.place is None else f' style="fill:{colour(text.place)}"'
        yield f'<text x="{x:g}" y="{y:g}" text-anchor="{text.anchor}"{ink}>{escape(text.text)}</text>'


def _stroke(stroke: Stroke) -> str:
    if stroke.place is None:
        return f'<path class="joined" d="{_path(stroke.points)}"/>'
    kind = "faint" if stroke.faint else "line"
    dashes = " ".join(f"{each:g}" for each in dash(stroke.place))
    dashed = f' stroke-dasharray="{dashes}"' if dashes and not stroke.faint else ""
    return f'<path class="{kind}" d="{_path(stroke.points)}" style="stroke:{colour(stroke.place)}"{dashed}/>'


def _path(points: list[Point]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def colour(place: int) -> str:
    return f"var(--series-{place % len(LIGHT) + 1})"
