"""The guide's advice so far at /advice: what was decided, and whether it was right (`studio.outcomes`)."""

from markupsafe import Markup

from app.navigation import Page
from app.pages.guide import VERDICTS
from app.parts import Query, fragment, live, render
from app.toolkit import html
from studio import db, outcomes, recommendations
from studio.guide.document import load
from studio.models import Recommendation
from studio.recommendations import Decision

DECISIONS = {
    "": ("wait", "not decided"),
    Decision.ACCEPTED: ("good", "followed"),
    Decision.CHANGED: ("info", "another taken"),
    Decision.REJECTED: ("warn", "rejected"),
}


@fragment("advice")
def show(_query: Query) -> Markup:
    with db.reading() as session:
        every = outcomes.listed(session)
        return render(
            "advice.html",
            every=every,
            titles={kept.id: recommendations.card_of(kept).title for kept in advised(every)},
            techniques={name: each.title for name, each in load().techniques.items()},
            decisions=DECISIONS,
            words=VERDICTS,
            followed=outcomes.tally(every, Decision.ACCEPTED),
            changed=outcomes.tally(every, Decision.CHANGED),
            rejected=outcomes.tally(every, Decision.REJECTED),
        )


def advised(every: list[outcomes.Followed]) -> list[Recommendation]:
    return [each.recommendation for each in every]


def build() -> None:
    html(live("advice", every=5, rows=6), elem_id="advice")


PAGE = Page(
    path="/advice", title="Advice", build=build, icon="guide", order=115, in_nav=False, under="/guide"
)
