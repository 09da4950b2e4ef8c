"""What a report says of some runs, read from the database and put in words. It changes nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from studio import adapters, comparison, metrics, prices, techniques
from studio.comparison import Standing, answers, relations
from studio.comparison.answers import WinRate
from studio.errors import StudioError
from studio.evaluations.intervals import Interval
from studio.metrics.thinning import choose
from studio.models import Run, now
from studio.report import drawing
from studio.report.contents import Answer, Answers, Block, Chart, Report, Section, Table, Words
from studio.report.drawing import Series
from studio.scales import said

MOST_RUNS = 20
POINTS = {8: 600, MOST_RUNS: 300}  # of a line, where there are up to so many
SMOOTHING = 0.6
MOST_PROMPTS = 10
LONGEST_ANSWER = 700
HOW_MADE = (
    "Every curve holds at most {points} points of those logged; they are chosen so that extremes and gaps "
    "stay (MinMaxLTTB, arXiv 2305.00332, with the sharpest points kept besides). The faint line is what was "
    "logged, the strong one its moving mean (weight {smoothing}) where there are {smoothed} points or more.",
    "Which run is best is told by the newest value on held-out data. Runs that differ only in their seed are "
    "one row with Student's 95 % interval of their mean; two rows are told apart where Welch's 95 % interval "
    "of their difference excludes zero.",
    "A win rate counts a tie as half a win; its 95 % interval is Tango's score interval of paired shares "
    "(Statistics in Medicine 17, 1998). Where it holds 50 %, chance alone could have made the difference.",
)


def gather(
    session: Session, runs: Sequence[Run], *, title: str = "", note: str = "", made: datetime | None = None
) -> Report:
    """Raises StudioError for fewer runs than two or more than twenty."""
    if not 2 <= len(runs) <= MOST_RUNS:
        hint = f"Choose two to {MOST_RUNS}."
        raise StudioError(f"A report is about several runs; these are {len(runs)}.", hint=hint, field="runs")
    sections = [
        Section("Runs", [_runs(runs)]),
        Section("Which is best", _standing(session, runs)),
        Section("Settings that differ", _settings(runs)),
        *_curves(session, runs),
        *_relation(session, runs),
        *_answers(session, runs),
        Section("How the figures were made", [Words(text) for text in _how_made(runs)]),
    ]
    return Report(
        title=title or f"Comparison of {len(runs)} runs",
        note=note,
        made=made or now(),
        runs=list(enumerate(run.name for run in runs)),
        sections=[section for section in sections if section.blocks],
    )


def _how_made(runs: Sequence[Run]) -> list[str]:
    values = {"points": _points(runs), "smoothing": SMOOTHING, "smoothed": drawing.SMOOTHED}
    return [text.format(**values) for text in HOW_MADE]


# ---- which runs ------------------------------------------------------------------------------------------


def _runs(runs: Sequence[Run]) -> Table:
    head = ["Run", "Id", "Technique", "Adapter", "Start model", "Dataset", "State", "Steps", "Time"]
    rows = [
        [
            run.name,
            str(run.id),
            techniques.get(run.technique).title if techniques.has(run.technique) else run.technique or "–",
            adapters.get(run.adapter).title if adapters.has(run.adapter) else run.adapter or "–",
            run.model.name if run.model else "–",
            run.dataset_version.title if run.dataset_version else "–",
            str(run.state.value),
            f"{run.step:,}",
            _took(run),
        ]
        for run in runs
    ]
    return Table("", head, rows, places=range(len(runs)), numbers=frozenset({1, 7, 8}))


def _took(run: Run) -> str:
    if run.started is None:
        return "–"
    return lasted(((run.ended or now()) - run.started).total_seconds())


def lasted(seconds: float | None) -> str:
    """In the two largest units: 2 h 5 min."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((place for place, (count, _) in enumerate(parts) if count), 2)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count or first == 2)


# ---- which is best ---------------------------------------------------------------------------------------


def _standing(session: Session, runs: Sequence[Run]) -> list[Block]:
    key = next(iter(comparison.judged_by(runs)), "")
    if not key:
        return [Words("None of them was measured on held-out data, so they cannot be ranked.")]
    if why := comparison.why_not(runs, key):
        return [Words(f"They cannot be ranked. {why}")]
    rows = comparison.standing(session, runs, key)
    title = metrics.describe(runs, [key])[0]["title"]
    head = ["Runs", "Place", "Seeds", title, "95 % interval", "How sure", "Gain", "Device time", "Cost"]
    end = "lower" if metrics.better(runs, key) == "lower" else "higher"
    return [
        Words(f"By the newest {title.lower()}; the {end}, the better. A gain is that over the first value."),
        Table("", head, [_placed(row, len(rows)) for row in rows], numbers=frozenset({1, 2, 3, 6, 7, 8})),
    ]


def _placed(row: Standing, of: int) -> list[str]:
    return [
        ", ".join(run.name for run in row.runs),
        str(row.rank),
        str(row.count),
        said(row.mean),
        _between(row.interval) if row.interval else "one seed: none",
        _sure(row, of),
        said(row.gain.value),
        lasted(row.seconds),
        _cost(row.cost),
    ]


def _sure(row: Standing, of: int) -> str:
    if of == 1:
        return "nothing to compare it with"
    if row.is_apart is None:
        return "one seed: nobody can say"
    return f"{'told' if row.is_apart else 'not told'} apart from the {'second' if row.is_best else 'best'}"


def _cost(cost: prices.Cost | None) -> str:
    return cost.sentence if cost else "–"


def _between(interval: Interval) -> str:
    return f"{said(interval.low)} to {said(interval.high)}"


# ---- settings --------------------------------------------------------------------------------------------


def _settings(runs: Sequence[Run]) -> list[Block]:
    titles = comparison.titles(runs)
    rows = comparison.table(runs)
    if not rows:
        return [Words("They were set the same: what differs between them is chance.")]
    names = [titles.get(row["setting"]) or row["setting"].capitalize() for row in rows]
    columns = [[comparison.worded(value) for value in row["values"]] for row in rows]
    found = [[run.name, *(column[place] for column in columns)] for place, run in enumerate(runs)]
    return [Table("", ["Run", *names], found, places=range(len(runs)))]


# ---- curves ----------------------------------------------------------------------------------------------


def _points(runs: Sequence[Run]) -> int:
    return next(points for most, points in POINTS.items() if len(runs) <= most)


def _curves(session: Session, runs: Sequence[Run]) -> list[Section]:
    """A section a group of metrics, as the run page groups them."""
    found = [metrics.lines(session, run.id, points=_points(runs)) for run in runs]
    groups: dict[str, list[Block]] = {}
    for about in metrics.describe(runs, {key for lines in found for key in lines}):
        series = [
            _series(run, place, lines[about["key"]], _points(runs))
            for place, (run, lines) in enumerate(zip(runs, found, strict=True))
            if about["key"] in lines
        ]
        if any(np.isfinite(each.values).any() for each in series):
            groups.setdefault(about["group"], []).append(_chart(about, series))
    return [Section(f"Curves: {title}", charts) for title, charts in groups.items()]


def _series(run: Run, place: int, line: Any, points: int) -> Series:
    if len(line) > points:
        line = line.take(choose(line.steps.astype(np.float64), line.values, points))
    return Series(run.name, place, line.steps, line.values)


def _chart(about: dict[str, Any], series: Sequence[Series]) -> Chart:
    healthy = about["healthy"] or {}
    made = drawing.lines(
        series,
        low=healthy.get("low"),
        high=healthy.get("high"),
        smooth=0.0 if about["exact"] else SMOOTHING,
    )
    unit = f" ({about['unit']})" if about["unit"] else ""
    help = about["help"] + (f" Healthy: {healthy['words']}." if healthy else "")
    return Chart(f"{about['title']}{unit}", help.strip(), made)


# ---- settings against what came of them ------------------------------------------------------------------


def _relation(session: Session, runs: Sequence[Run]) -> list[Section]:
    """The usual metric over each setting of numbers in which they differ; the seed is none."""
    key = relations.usual(runs)
    axes = [
        axis
        for axis in relations.settings(runs)
        if axis.key not in ("seed", "gpus") and axis.scale.kind != "words" and None not in axis.values
    ]
    if not key or not axes or len(runs) < 3:
        return []
    up = relations.metric(session, runs, key)
    together = relations.apart_by_seed(runs)
    # Names have room beside few points; beside many stand the runs' ids, as in the table of runs.
    named = len(runs) <= drawing.LABELLED
    labels = [run.name if named else str(run.id) for run in runs]
    help = "Each point a run; those that differ only in their seed are joined."
    help += "" if named else " The numbers are the runs' ids."
    charts = []
    for axis in axes[:4]:
        found = list(zip(axis.places, up.places, range(len(runs)), labels, strict=True))
        made = drawing.points(axis.scale, up.scale, found, together=together, title=axis.title)
        charts.append(Chart(f"{up.title} against {axis.title.lower()}", help, made))
    return [Section("Settings and what came of them", charts)]


# ---- answers ---------------------------------------------------------------------------------------------


def _answers(session: Session, runs: Sequence[Run]) -> list[Section]:
    asked = answers.asked(session, runs)
    if not asked:
        return []
    by = next(iter(answers.scorers(asked)), "")
    blocks: list[Block] = []
    rates = answers.win_rates(asked, runs, by) if by else []
    if any(rate.rate for rate in rates):
        blocks.append(_win_table(rates, runs, by))
    ordered = answers.by_difference(asked, by)[:MOST_PROMPTS]
    if len(ordered) < len(asked):
        blocks.append(Words(f"The {len(ordered)} of {len(asked)} prompts whose answers differ most."))
    for each in ordered:
        given = [
            Answer(place, runs[place].name, _mark(answer.scores), cut(answer.answer) or "(empty answer)")
            for place, answer in enumerate(each.answers)
            if answer is not None
        ]
        blocks.append(Answers(cut(each.prompt), cut(each.reference), given))
    return [Section("Answers to the same prompts", blocks)]


def _win_table(rates: Sequence[WinRate], runs: Sequence[Run], by: str) -> Table:
    judged = "exact match" if by == answers.MATCH else by
    rows = [
        [
            rate.run.name,
            *map(str, (rate.wins, rate.ties, rate.losses)),
            f"{rate.rate.value:.1%}" if rate.rate else "–",
            f"{rate.rate.low:.1%} to {rate.rate.high:.1%}" if rate.rate else "–",
            rate.verdict,
        ]
        for rate in rates
    ]
    head = ["Run", "Wins", "Ties", "Losses", "Win rate", "95 % interval", "What that says"]
    places = [runs.index(rate.run) for rate in rates]
    title = f"Each against {runs[0].name}, by {judged}"
    return Table(title, head, rows, places=places, numbers=frozenset({1, 2, 3, 4}))


def _mark(scores: dict[str, Any]) -> str:
    """What its scores say: “matches · bleu 0.4”."""
    found = []
    if answers.MATCH in scores:
        found.append("matches" if scores[answers.MATCH] else "differs")
    others = ((name, score) for name, score in scores.items() if name != answers.MATCH)
    return " · ".join([*found, *(f"{name} {said(score)}" for name, score in others if score is not None)])


def cut(text: str) -> str:
    """A long text cut, with a note of how long it was."""
    if len(text) <= LONGEST_ANSWER:
        return text
    return f"{text[:LONGEST_ANSWER].rstrip()} … (cut: {len(text):,} characters)"
