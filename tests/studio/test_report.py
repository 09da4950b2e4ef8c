"""Reports: where lines, dots, names and bands are laid out, which colours they have, and what is said."""

import io
import math
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from sqlalchemy.orm import Session

from studio import db
from studio.errors import StudioError
from studio.models import Run, Sample, State
from studio.report import drawing, gathering, palette, pdf, svg
from studio.report.contents import Answers, Chart, Report, Section, Table, Words
from studio.report.drawing import Series
from studio.scales import evenly
from tests import made_runs
from tests.running import ROOT


def line(values: list[float], place: int = 0, name: str = "alpha") -> Series:
    return Series(name, place, np.arange(len(values)), np.array(values))


def three(session: Session) -> list[Run]:
    model, data = made_runs.base(session), made_runs.version(session)
    held = made_runs.version(session, "held")
    runs = [
        made_runs.made(
            session,
            model,
            data,
            State.SUCCEEDED,
            losses=[2.0, 1.0, last],
            name=f"run <{last}>",
            held_out=held.id,
            parameters={"learning_rate": rate},
        )
        for last, rate in ((0.9, 1e-5), (0.5, 1e-4), (0.7, 1e-3))
    ]
    for place, run in enumerate(runs):
        run.latest = run.latest | {"eval_loss": 0.9 - place / 10}
        scores = {"exact_match": float(place > 0), "bleu": 0.25}
        answer = "word " * 400 if place else "no"
        session.add(Sample(run_id=run.id, step=3, number=0, prompt="why?", answer=answer, scores=scores))
    session.flush()
    return runs


def tables(report: Report, section: str) -> list[Table]:
    found = next(each for each in report.sections if each.title == section)
    return [block for block in found.blocks if isinstance(block, Table)]


# ---- drawing ---------------------------------------------------------------------------------------------


def test_a_line_goes_from_the_left_to_the_right_of_its_plane() -> None:
    made = drawing.lines([line([0.0, 1.0, 0.5])])
    left, top, right, bottom = made.inside
    assert made.strokes[0].points == [(left, bottom), ((left + right) / 2, top), (right, (top + bottom) / 2)]


def test_what_is_no_number_is_a_gap_and_a_lonely_point_a_dot() -> None:
    made = drawing.lines([line([1.0, 2.0, math.nan, 3.0, math.inf, 1.0, 2.0])])
    assert [len(stroke.points) for stroke in made.strokes] == [2, 2]
    assert len(made.dots) == 1


def test_names_stand_at_the_ends_of_their_lines_and_never_cover_one_another() -> None:
    made = drawing.lines([line([0.0, 1.0 + place / 1000], place, f"run {place}") for place in range(6)])
    named = [text for text in made.texts if text.place is not None]
    heights = sorted(text.at[1] for text in named)
    assert [text.text for text in named][::-1] == [f"run {place}" for place in range(6)]
    assert all(b - a >= drawing.LINE - 1e-6 for a, b in pairwise(heights))
    assert all(0 < height < made.height for height in heights)


def test_more_lines_than_names_have_room_for_are_left_unnamed() -> None:
    made = drawing.lines([line([0.0, float(place)], place) for place in range(drawing.LABELLED + 1)])
    assert all(text.place is None for text in made.texts)
    assert made.inside[2] > drawing.WIDTH - 20


def test_heights_are_moved_apart_within_the_ends() -> None:
    assert drawing.apart([10, 11, 50], 0, 60, gap=10) == [10, 20, 50]
    assert drawing.apart([55, 56, 57], 0, 60, gap=10) == [40, 50, 60]


def test_the_healthy_band_reaches_as_far_as_the_axis() -> None:
    made = drawing.lines([line([0.0, 1.0])], low=0.5)
    _, top, _, bottom = made.inside
    assert made.band == (top, (top + bottom) / 2)
    assert drawing.lines([line([0.0, 1.0])], low=5.0).band is None


def test_a_long_line_is_smoothed_over_what_was_logged() -> None:
    made = drawing.lines([line([0.0, 1.0] * 40)], smooth=0.6)
    assert [stroke.faint for stroke in made.strokes] == [True, False]
    assert drawing.smooth_line([1.0, math.nan, 0.0], 0.5)[[0, 2]].tolist() == [1.0, pytest.approx(1 / 3)]


def test_nothing_but_gaps_is_an_empty_plane() -> None:
    made = drawing.lines([line([math.nan])])
    assert (made.strokes, made.dots) == ([], [])


def test_points_that_belong_together_are_joined() -> None:
    found = [(0.0, 0.5, 0, "a"), (1.0, 0.5, 1, "b"), (None, 0.5, 2, "c")]
    made = drawing.points(evenly(0, 1), evenly(0, 1), found, together=[[0, 1, 2]])
    left, top, right, bottom = made.inside
    assert [dot.at for dot in made.dots] == [(left, (top + bottom) / 2), (right, (top + bottom) / 2)]
    assert made.strokes[0].points == [dot.at for dot in made.dots]


def test_points_above_one_another_have_names_that_can_be_read() -> None:
    found = [(0.5, height, place, f"run {place}") for place, height in enumerate((0.5, 0.51, 0.52, 0.9))]
    made = drawing.points(evenly(0, 1), evenly(0, 1), found)
    heights = sorted(text.at[1] for text in made.texts if text.place is not None)
    assert len(heights) == 4
    assert all(b - a >= drawing.LINE - 2 - 1e-6 for a, b in pairwise(heights))


def test_the_second_eight_points_are_rings() -> None:
    made = drawing.points(evenly(0, 1), evenly(0, 1), [(0.1, 0.1, 0, "a"), (0.2, 0.2, 8, "b")])
    first, second = re.findall(r'<circle[^>]* style="([^"]*)"', svg.write(made, "points"))
    assert first == "fill:var(--series-1)"
    assert second.startswith("fill:none;stroke:var(--series-1)")


# ---- written down ----------------------------------------------------------------------------------------


def test_svg_is_well_formed_whatever_runs_are_called() -> None:
    made = drawing.lines([line([0.0, 1.0], 9, '<b>"&')], low=0.2)
    text = svg.write(made, 'A "title" & <more>')
    root = ElementTree.fromstring(text)
    assert root.attrib["aria-label"] == 'A "title" & <more>'
    assert any(node.text == '<b>"&' for node in root.iter("text"))
    path = next(node for node in root.iter("path"))
    assert "--series-2" in path.attrib["style"]
    assert path.attrib["stroke-dasharray"] == "6 3"


def test_the_colours_are_those_of_the_studio() -> None:
    style = (ROOT / "static" / "studio.css").read_text()
    light, dark = (dict(re.findall(r"--(series-\d): (#\w+)", part)) for part in style.split('"dark"')[:2])
    assert list(light.values()) == list(palette.LIGHT)
    assert list(dark.values()) == list(palette.DARK)


def test_a_pdf_has_every_column_of_a_wide_table_and_numbers_its_pages() -> None:
    pypdf = pytest.importorskip("pypdf")
    head = ["Run", *(f"Column {number}" for number in range(20))]
    rows = [[f"run {row}", *(f"value {row}.{number}" for number in range(20))] for row in range(30)]
    blocks = [Words("Words 漢"), Table("Wide", head, rows, places=range(30))]
    report = Report("Much", "a note", datetime.now(UTC), [(0, "run 0")], [Section("All", blocks)])
    pages = pypdf.PdfReader(io.BytesIO(pdf.to_pdf(report, "today"))).pages
    text = " ".join(page.extract_text() for page in pages)
    assert all(f"value {row}.{number}" in text for row in range(30) for number in range(20))
    assert f"Page {len(pages)} of {len(pages)}" in text
    assert all(round(float(page.mediabox.width)) == 595 for page in pages)


# ---- gathered --------------------------------------------------------------------------------------------


def test_a_report_says_which_runs_what_differs_and_who_is_best(database: Path) -> None:
    with db.transaction() as session:
        report = gathering.gather(session, three(session))
    assert [row[0] for row in tables(report, "Runs")[0].rows] == ["run <0.9>", "run <0.5>", "run <0.7>"]
    assert tables(report, "Settings that differ")[0].head == ["Run", "Learning rate"]
    best = tables(report, "Which is best")[0].rows[0]
    assert best[:4] == ["run <0.7>", "1", "1", "0.7"]


def test_curves_and_settings_against_metrics_are_drawn(database: Path) -> None:
    with db.transaction() as session:
        report = gathering.gather(session, three(session))
    charts = [block for each in report.sections for block in each.blocks if isinstance(block, Chart)]
    assert [chart.title for chart in charts] == ["Loss", "Held-out loss against learning rate"]
    assert len(charts[0].drawing.strokes) == 3
    assert len(charts[1].drawing.dots) == 3


def test_answers_are_cut_with_a_note_and_wins_counted(database: Path) -> None:
    with db.transaction() as session:
        report = gathering.gather(session, three(session))
    rates = tables(report, "Answers to the same prompts")[0]
    assert [row[:4] for row in rates.rows] == [["run <0.5>", "1", "0", "0"], ["run <0.7>", "1", "0", "0"]]
    answers = next(
        block for each in report.sections for block in each.blocks if isinstance(block, Answers)
    ).answers
    assert answers[1].text.endswith("… (cut: 2,000 characters)")
    assert answers[1].mark == "matches · bleu 0.25"


def test_a_report_is_about_two_to_twenty_runs(database: Path) -> None:
    with db.transaction() as session:
        runs = three(session)
        for wrong in (runs[:1], runs * 7):
            with pytest.raises(StudioError, match="about several runs"):
                gathering.gather(session, wrong)


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "–"), (0, "0 s"), (59.6, "1 min"), (7500, "2 h 5 min"), (3605, "1 h")]
)
def test_a_time_is_said_in_two_units(seconds: float | None, words: str) -> None:
    assert gathering.lasted(seconds) == words
