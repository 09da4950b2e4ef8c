"""The page of a new run at /new-run: one form over a draft, of the technique that is chosen and no other.

Its parts are drawn by `new_run_parts` from what `app.setup` makes of the draft; `static/new_run.js` sends
what is typed to `app.api.new_run` and puts in place what comes back.
"""

from collections.abc import Callable

from markupsafe import Markup

from app.navigation import Page
from app.pages.new_run_parts import PARTS
from app.pages.new_run_sheet import Sheet
from app.pages.new_run_try import trial
from app.parts import Query, assets, fragment, live
from app.setup import beginning
from app.toolkit import gr, html
from studio import db

CHOSEN = {"draft", "clone", "from", "technique", "recommendation"}  # addresses that say how to begin


def serve(draw: Callable[[Sheet], Markup]) -> Callable[[Query], Markup]:
    def part(query: Query) -> Markup:
        asked = dict(query.values)
        with db.reading() as session:
            setup = beginning.current(session, asked)
            opened = not CHOSEN & {name for name, value in asked.items() if value}
            return draw(Sheet(session, setup, query.text("draft"), opened))

    return part


for name, draw in PARTS.items():
    fragment(name)(serve(draw))


@fragment("new-run-try")
def try_row(query: Query) -> Markup:
    with db.reading() as session:
        return trial(
            Sheet(session, beginning.current(session, dict(query.values))), query.maybe("row", 0) or 0
        )


def build() -> None:
    rows = {"new-run-head": 1, "new-run-technique": 3, "new-run-base": 5, "new-run-settings": 8}
    with gr.Row(elem_classes="beside"):
        sheet = [live(name, every=0, rows=rows.get(name, 2)) for name in PARTS if name != "new-run-summary"]
        html("".join(sheet), elem_id="new-run")
        html(live("new-run-summary", every=0, rows=5), elem_id="new-run-summary")
    gr.HTML(
        '<span class="hidden" aria-hidden="true"></span>',
        js_on_load=f'import("{assets.address("new_run.js")}")',
        apply_default_css=False,
        padding=False,
        elem_classes="nothing",
    )


PAGE = Page(
    path="/new-run", title="New run", build=build, icon="runs", order=205, in_nav=False, under="/runs"
)
