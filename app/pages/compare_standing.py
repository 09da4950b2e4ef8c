"""Which of the runs of /compare is best, how sure that is, and what each point gained has cost.

A fragment of that page, no page."""

from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.pages.compare_choice import CALM, Asked, read
from app.parts import Paced, Query, fragment, live, render, words
from studio import comparison, db, metrics, prices
from studio.comparison import Standing
from studio.models import Kind, Run

SEEDS_ADVISED = 3  # as many as an interval over seeds begins to say something with


@dataclass(frozen=True)
class Judged:
    """The table with what stands around it. `points`: whether a gain is told in points, 100 to a whole."""

    key: str
    title: str
    better: str
    choices: list[tuple[str, str]]
    why_not: str
    rows: list[Standing]
    points: bool
    baseline: Run | None

    @property
    def unit(self) -> str:
        return "point" if self.points else "unit"

    def gained(self, row: Standing) -> float:
        return (row.gain.value or 0.0) * (100 if self.points else 1)

    def gain(self, row: Standing) -> str:
        if row.gain.value is None:
            return words.MISSING
        value = self.gained(row)
        return f"{'+' if value > 0 else ''}{words.number(value, 3)}" + (" points" if self.points else "")

    def time_each(self, row: Standing) -> str:
        """Device time for each point or unit gained; empty where there is none to tell."""
        if row.seconds is None or not row.gain.counts:
            return ""
        return words.duration(row.seconds / self.gained(row))

    def cost_each(self, row: Standing) -> str:
        if row.cost is None or not row.gain.counts:
            return ""
        amount = row.cost.high / self.gained(row)
        return f"{prices.money(amount)} {row.cost.currency}" if amount else "nothing"

    def why_no_time(self, row: Standing) -> str:
        if row.seconds is None:
            return "not known how long a device worked"
        return row.gain.why

    def why_no_cost(self, row: Standing) -> str:
        if row.gain.counts and row.seconds is not None and row.cost is None:
            return "no price is set"
        return self.why_no_time(row)

    def verdict(self, row: Standing) -> str:
        """How sure its place is."""
        if len(self.rows) == 1:
            return "nothing to compare it with"
        if row.is_apart is None and row.interval is None:
            return "one seed: no interval, so nobody can say"
        if row.is_apart is None:
            return f"the {'second' if row.is_best else 'best'} has one seed, so nobody can say"
        if row.is_best:
            return "told apart from the second" if row.is_apart else "not told apart from the second"
        return "told apart from the best" if row.is_apart else "not told apart from the best"

    def seeds(self, row: Standing) -> str:
        """The address that sets up the row's settings with the seeds that are lacking; empty where there are
        enough, or where the run came from elsewhere."""
        lacking = SEEDS_ADVISED - len(row.runs)
        if lacking < 1 or row.runs[0].kind != Kind.TRAIN:
            return ""
        first = max(run.seed for run in row.runs) + 1
        wanted = ",".join(str(first + n) for n in range(lacking))
        return f"/new-run?clone={row.runs[0].id}&seeds={wanted}"


@fragment("compare-standing")
def compare_standing(query: Query) -> Paced:
    with db.reading() as session:
        asked = read(session, query)
        if len(asked.shown) < 2:
            return Paced(Markup(""), CALM)
        body = render("compare_standing.html", asked=asked, judged=judge(session, asked))
    return Paced(body, CALM if asked.is_active else 0)


def place() -> str:
    return live("compare-standing", every=CALM, rows=3)


def judge(session: Session, asked: Asked) -> Judged:
    """By the metric that was chosen, else by the technique's own."""
    shown = asked.shown
    judges = comparison.judged_by(shown)
    key = asked.said.get("metric", "")
    key = key if key in judges else next(iter(judges), "")
    titles = {chart["key"]: str(chart["title"]) for chart in metrics.describe(shown, judges)}
    wanted = asked.said.get("baseline", "")
    baseline = next((run for run in asked.every if str(run.id) == wanted), None)
    return Judged(
        key=key,
        title=titles.get(key, ""),
        better=judges.get(key, ""),
        choices=[(name, titles[name]) for name in judges],
        why_not=comparison.why_not(shown, key) if key else comparison.UNMEASURED,
        rows=comparison.standing(session, shown, key, baseline) if key else [],
        points=metrics.is_share(shown, key),
        baseline=baseline,
    )
