"""A report as a PDF on A4. Charts are vector lines; a table with many columns goes on below itself, its first
column said again, and no row is cut by the end of a page."""

from collections.abc import Iterator, Sequence
from functools import singledispatch

from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from studio.guide.pdf import ACCENT, GREY, INK, SANS, Sheet
from studio.report.contents import Answers, Block, Chart, Report, Section, Table, Words
from studio.report.drawing import Drawing, Point, Stroke, Text
from studio.report.palette import dash, rgb

SIZE, WIDEST, PADDING, SWATCH = 8, 44.0, 4.0, 7.0  # points; mm of a column, of what is around its words
LEAST = 30.0  # mm of the first column
PAPER, GRID, BAND = (255, 255, 255), (222, 227, 234), (232, 243, 236)
SWATCHES = "━╍┅╌"  # as the first eight lines are drawn, the second, …
ROOM_OF_CHART = 110.0  # mm of a heading with the first chart under it
LABEL = 6.5  # points, of words in a chart
LINE = 0.35  # mm


def to_pdf(report: Report, made: str) -> bytes:
    """`made` says when, as it is to be read."""
    sheet = Sheet(report.title, report.title if len(report.title) < 90 else "Comparison of runs")
    sheet.write_text(report.title, 20, bold=True)
    sheet.ln(1)
    sheet.write_text(f"Made with Tunesmith on {made}", 9, ink=GREY)
    if report.note:
        sheet.ln(2)
        sheet.write_text(report.note, 10)
    for section in report.sections:
        _write_section(sheet, report, section)
    return bytes(sheet.output())


def _write_section(sheet: Sheet, report: Report, section: Section) -> None:
    if sheet.will_page_break(ROOM_OF_CHART if isinstance(section.blocks[0], Chart) else 40):
        sheet.add_page()
    sheet.ln(6)
    sheet.start_section(section.title)
    sheet.write_text(section.title, 13, bold=True, ink=ACCENT)
    sheet.ln(1.5)
    charts = [block for block in section.blocks if isinstance(block, Chart)]
    if any(all(text.place is None for text in chart.drawing.texts) for chart in charts):
        _write_legend(sheet, report.runs)
    for block in section.blocks:
        _write(block, sheet)


@singledispatch
def _write(block: Block, sheet: Sheet) -> None:
    raise TypeError(f"no way to write a {type(block).__name__}")


@_write.register
def _words(block: Words, sheet: Sheet) -> None:
    sheet.write_text(block.text, 9.5)
    sheet.ln(1.5)


# ---- tables ----------------------------------------------------------------------------------------------


@_write.register
def _table(block: Table, sheet: Sheet) -> None:
    if block.title:
        sheet.write_text(block.title, 10, bold=True)
        sheet.ln(1)
    sheet.set_font(SANS, "B", SIZE)
    wanted = [_wanted(sheet, block, column) for column in range(len(block.head))]
    room = sheet.epw - (SWATCH if block.places else 0)
    for columns in _parts(wanted, room):
        rest = [wanted[each] for each in columns[1:]]
        _write_part(sheet, block, columns, [min(wanted[0], max(room - sum(rest), LEAST)), *rest])
        sheet.ln(3)


def _wanted(sheet: Sheet, block: Table, column: int) -> float:
    """How wide a column would like to be: as its longest text, but long texts take several lines; never
    narrower than its longest word, up to a bound."""
    texts = [block.head[column], *(row[column] for row in block.rows)]
    widest = max(map(sheet.get_string_width, map(sheet.known, texts)))
    words = (word for text in texts for word in sheet.known(text).split())
    word = max(map(sheet.get_string_width, words), default=0.0)
    return max(min(widest, WIDEST), min(word, 2 * WIDEST)) + PADDING


def _parts(wanted: Sequence[float], room: float) -> Iterator[list[int]]:
    """The columns that stand side by side: the first, which can be made narrower, and as many of the others
    as have room."""
    part, first = [0], min(wanted[0], LEAST)
    for column in range(1, len(wanted)):
        if len(part) > 1 and first + sum(wanted[each] for each in part[1:]) + wanted[column] > room:
            yield part
            part = [0]
        part.append(column)
    yield part


def _write_part(sheet: Sheet, block: Table, columns: Sequence[int], wanted: Sequence[float]) -> None:
    swatch = [SWATCH] if block.places else []
    size = min(1.0, (sheet.epw - sum(swatch)) / sum(wanted))
    sides = [*(["LEFT"] * len(swatch)), *("RIGHT" if each in block.numbers else "LEFT" for each in columns)]
    sheet.set_font(SANS, "", SIZE)
    sheet.set_text_color(*INK)
    sheet.set_draw_color(*GRID)
    sheet.set_fill_color(*PAPER)
    sheet.set_line_width(0.2)
    with sheet.table(
        width=sum(swatch) + sum(wanted) * size,
        align="LEFT",
        col_widths=(*swatch, *(each * size for each in wanted)),
        text_align=tuple(sides),
        line_height=4,
        padding=(0.9, 1.2),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=FontFace(emphasis="BOLD", color=GREY),
    ) as table:
        head = table.row()
        for name in [*([""] if swatch else []), *(block.head[each] for each in columns)]:
            head.cell(sheet.known(name))
        for number, values in enumerate(block.rows):
            row = table.row()
            if block.places:
                row.cell(_swatch(block.places[number]), style=FontFace(color=rgb(block.places[number])))
            for each in columns:
                row.cell(sheet.known(values[each]))


def _swatch(place: int) -> str:
    return SWATCHES[place // 8 % len(SWATCHES)]


def _write_legend(sheet: Sheet, runs: Sequence[tuple[int, str]]) -> None:
    """The colours of the runs, where their lines are too many to be named."""
    sheet.set_font(SANS, "", 8)
    for place, name in runs:
        text = sheet.known(name if len(name) <= 40 else f"{name[:39]}…")
        wide = 7 + sheet.get_string_width(text) + 5
        if sheet.get_x() + wide > sheet.w - sheet.r_margin:
            sheet.ln(4.5)
        sheet.set_text_color(*rgb(place))
        sheet.cell(6, 4.5, _swatch(place))
        sheet.set_text_color(*INK)
        sheet.cell(wide - 6, 4.5, text)
    sheet.ln(7)


# ---- charts ----------------------------------------------------------------------------------------------


@_write.register
def _chart(block: Chart, sheet: Sheet) -> None:
    size = sheet.epw / block.drawing.width
    height = block.drawing.height * size
    if sheet.will_page_break(height + 18):
        sheet.add_page()
    sheet.write_text(block.title, 10, bold=True)
    if block.help:
        sheet.write_text(block.help, 8, ink=GREY)
    sheet.ln(1)
    _Pen(sheet, sheet.l_margin, sheet.get_y(), size).draw(block.drawing)
    sheet.set_y(sheet.get_y() + height + 4)


class _Pen:
    """Draws in units of the drawing, from a place of the page on."""

    def __init__(self, sheet: Sheet, left: float, top: float, size: float):
        self.sheet, self.left, self.top, self.size = sheet, left, top, size

    def draw(self, drawing: Drawing) -> None:
        sheet = self.sheet
        if drawing.band:
            left, _, right, _ = drawing.inside
            (x, y), (end, foot) = self.at((left, drawing.band[0])), self.at((right, drawing.band[1]))
            sheet.set_fill_color(*BAND)
            sheet.rect(x, y, end - x, foot - y, style="F")
        sheet.set_draw_color(*GRID)
        sheet.set_line_width(0.2)
        for start, stop in drawing.rules:
            sheet.line(*self.at(start), *self.at(stop))
        for stroke in drawing.strokes:
            self.stroke(stroke)
        for dot in drawing.dots:
            sheet.set_fill_color(*(PAPER if dot.is_ring else rgb(dot.place)))
            sheet.set_draw_color(*rgb(dot.place))
            sheet.set_line_width(LINE)
            x, y = self.at(dot.at)
            sheet.circle(x, y, 0.9, style="DF")
        for text in drawing.texts:
            self.write(text)

    def at(self, point: Point) -> Point:
        return self.left + point[0] * self.size, self.top + point[1] * self.size

    def stroke(self, stroke: Stroke) -> None:
        sheet = self.sheet
        ink = GREY if stroke.place is None else rgb(stroke.place)
        pattern = (1.0, 1.0) if stroke.place is None else () if stroke.faint else dash(stroke.place)
        with sheet.local_context(stroke_opacity=0.3 if stroke.faint else 1.0):
            sheet.set_draw_color(*ink)
            sheet.set_line_width(LINE / 2 if stroke.faint or stroke.place is None else LINE)
            if pattern:
                sheet.set_dash_pattern(pattern[0] * self.size, pattern[1] * self.size)
            sheet.polyline([self.at(point) for point in stroke.points])
            sheet.set_dash_pattern()

    def write(self, text: Text) -> None:
        sheet = self.sheet
        sheet.set_font(SANS, "", LABEL)
        sheet.set_text_color(*(GREY if text.place is None else rgb(text.place)))
        words = sheet.known(text.text)
        wide = sheet.get_string_width(words)
        x, y = self.at(text.at)
        sheet.text(x - {"start": 0.0, "middle": wide / 2, "end": wide}[text.anchor], y, words)


# ---- answers ---------------------------------------------------------------------------------------------


@_write.register
def _answers(block: Answers, sheet: Sheet) -> None:
    if sheet.will_page_break(34):
        sheet.add_page()
    sheet.ln(2)
    sheet.write_text("Prompt", 8, ink=GREY)
    sheet.write_text(block.prompt, 9.5, bold=True)
    if block.reference:
        sheet.write_text("Expected", 8, ink=GREY)
        sheet.write_text(block.reference, 9)
    for answer in block.answers:
        if sheet.will_page_break(14):
            sheet.add_page()
        sheet.ln(1.5)
        head = f"{_swatch(answer.place)} {answer.name}" + (f" · {answer.mark}" if answer.mark else "")
        sheet.write_text(head, 8, bold=True, ink=rgb(answer.place))
        sheet.write_text(answer.text, 9)
    sheet.ln(2)
