"""The answer card as a PDF to hand on: the sections of its Markdown, in a font of most European scripts."""

from collections.abc import Sequence
from pathlib import Path

from fpdf import FPDF, XPos, YPos
from fpdf.fonts import TTFFont
from fpdf.prefs import ViewerPreferences

from studio.guide.card import Card, Fact, sections

FONTS = Path(__file__).parent / "fonts"
Ink = tuple[int, int, int]
SANS = "DejaVu"
INK: Ink = (23, 23, 28)
GREY: Ink = (96, 98, 108)
ACCENT: Ink = (64, 70, 200)
MISSING = "□"  # in place of a character that the font does not have


class Sheet(FPDF):
    """A4 with page numbers; `about` stands at the foot of every page."""

    def __init__(self, title: str, about: str):
        super().__init__(format="A4")
        self.about = about
        self.add_font(SANS, "", FONTS / "DejaVuSans.ttf")
        self.add_font(SANS, "B", FONTS / "DejaVuSans-Bold.ttf")
        self.set_margins(22, 20)
        self.set_auto_page_break(True, margin=24)
        self.set_title(title)
        self.set_lang("en")
        self.set_creator("Tunesmith")
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self.add_page()

    def footer(self) -> None:
        self.set_y(-16)
        self.set_font(SANS, "", 8)
        self.set_text_color(*GREY)
        self.cell(0, 6, self.known(self.about))
        self.set_x(self.l_margin)
        self.cell(0, 6, f"Page {self.page_no()} of {{nb}}", align="R")

    def known(self, text: str) -> str:
        """The text with what the font lacks replaced."""
        sans = self.fonts[SANS.lower()]
        assert isinstance(sans, TTFFont)
        return "".join(each if ord(each) in sans.cmap or each.isspace() else MISSING for each in text)

    def write_text(self, text: str, size: float, bold: bool = False, ink: Ink = INK) -> None:
        self.set_font(SANS, "B" if bold else "", size)
        self.set_text_color(*ink)
        height = size * 0.5
        self.multi_cell(0, height, self.known(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def write_item(self, text: str) -> None:
        self.set_font(SANS, "", 10)
        self.set_text_color(*INK)
        self.cell(5, 5, "•")
        self.multi_cell(0, 5, self.known(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1)


def to_pdf(card: Card, own: Sequence[Fact] = (), about: str = "") -> bytes:
    """The card with `own`, this studio's estimate. `about` says at every foot what it belongs to."""
    sheet = Sheet(f"{card.title}: {about}" if about else card.title, about)
    sheet.write_text(card.title, 22, bold=True)
    sheet.ln(1)
    sheet.write_text(card.meaning, 11)
    sheet.ln(1)
    sheet.write_text(f"Phase {card.phase}, {card.phase_name} · rule {card.rule} of the guide", 9, ink=GREY)
    for heading, lines in sections(card, own):
        if sheet.will_page_break(24):
            sheet.add_page()
        sheet.ln(5)
        sheet.start_section(heading)
        sheet.write_text(heading, 12, bold=True, ink=ACCENT)
        sheet.ln(1.5)
        for line in lines:
            sheet.write_item(line)
    return bytes(sheet.output())
