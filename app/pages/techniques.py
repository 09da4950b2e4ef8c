"""The handbook's shelf at /techniques: every technique as a card, in groups, from the technique files.

It says nothing of its own about a technique; the page of one is `technique`.
"""

from markupsafe import Markup

from app.navigation import Page
from app.parts import Query, finding, fragment, live, render
from app.toolkit import html
from studio import techniques
from studio.datasets import shapes
from studio.guide import document
from studio.techniques import Technique


@fragment("techniques")
def techniques_shelf(query: Query) -> Markup:
    asked = query.text("q")
    return render(
        "techniques.html",
        groups=shelves(asked),
        phases=phases(),
        shapes=shapes.SHAPES,
        needs=needs,
        asked=asked,
    )


def shelves(asked: str = "") -> list[tuple[str, str, list[Technique]]]:
    """(group, what its members have in common, the members that are found)."""
    found = [each for each in techniques.all() if finding.matches(finding.words_of(each), asked)]
    return [(group, finding.GROUPS.get(group, ""), members) for group, members in finding.shelves(found)]


def needs(technique: Technique) -> list[str]:
    """What has to be there besides a model and a dataset."""
    inputs = [each.title.lower() for each in technique.inputs if each.required]
    return inputs + (["graders"] if technique.graded else [])


def phases() -> dict[int, str]:
    """Phase number → its name on the ladder of the guide."""
    return {int(number): phase.name for number, phase in document.load().phases.items()}


def build() -> None:
    html(live("techniques", every=0, rows=4), elem_id="techniques")


PAGE = Page(path="/techniques", title="Techniques", build=build, icon="techniques", order=320)
