"""Runs side by side at /compare?runs=7,8: curves over one another, figures, which is best, settings, samples.

The address says everything (`compare_choice`). Only the figures change every second: they are a fragment of
their own, and what is calm is sent again only when it has changed.
"""

from typing import Any

from markupsafe import Markup

from app.navigation import Page
from app.pages import (
    compare_figures,
    compare_offers,
    compare_relations,
    compare_samples,
    compare_settings,
    compare_standing,
)
from app.pages.compare_choice import CALM, MOST, Asked, read
from app.parts import Paced, Query, fragment, live, render
from app.toolkit import html
from studio import comparison, db
from studio.comparison import SAME, keeping


@fragment("compare")
def compare(query: Query) -> Paced:
    """What is chosen and how it is shown; the saved comparisons while nothing is."""
    with db.reading() as session:
        asked = read(session, query)
        body = render(
            "compare.html",
            asked=asked,
            most=MOST,
            find=query.text("find"),
            lost=bool(query.text("saved")) and asked.saved is None,
            groupings=groupings(asked),
            listed=[] if asked.every else keeping.listed(session),
            offers=Markup(compare_offers.place()),
        )
    return Paced(body, CALM)


@fragment("compare-charts")
def compare_charts(query: Query) -> Paced:
    with db.reading() as session:
        asked = read(session, query)
        body = render("compare_charts.html", asked=asked, drawn=drawn(asked))
    return Paced(body, 0)


def drawn(asked: Asked) -> list[dict[str, Any]]:
    """The groups as the charts take them."""
    return [{"title": group.title, "runs": [run.id for run in group.runs]} for group in asked.groups]


def groupings(asked: Asked) -> list[tuple[str, str]]:
    """(value, title) of what the runs can be put together by: what differs, their tags, all but the seed."""
    titles = comparison.titles(asked.every)
    differing = [row["setting"] for row in comparison.table(asked.every)] if asked.every else []
    found = [(name, titles.get(name, name.capitalize())) for name in differing]
    if any(run.tags for run in asked.every):
        found.insert(0, ("tag", "Tag"))
    found.insert(0, (SAME, "All but the seed"))
    chosen = asked.said.get("group", "")
    if chosen and chosen not in dict(found):
        found.append((chosen, titles.get(chosen, chosen.capitalize())))
    return found


def build() -> None:
    html(live("compare", every=CALM, rows=2), elem_id="compare")
    html(compare_figures.place(), elem_id="compare-figures")
    html(live("compare-charts", every=0, rows=4), elem_id="compare-board")
    html(compare_standing.place(), elem_id="compare-standing")
    html(compare_relations.place(), elem_id="compare-relations")
    html(compare_settings.place(), elem_id="compare-settings")
    html(compare_samples.place(), elem_id="compare-samples")


PAGE = Page(path="/compare", title="Compare", build=build, icon="compare", order=210)
