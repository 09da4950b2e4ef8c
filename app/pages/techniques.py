"""The handbook's shelf at /techniques: every technique as a card, in groups, from the technique files.

It says nothing of its own about a technique; the page of one is `technique`.
"""

from itertools import groupby

from markupsafe import Markup

from app.navigation import Page
from app.parts import Query, fragment, live, render
from app.toolkit import html
from studio import techniques
from studio.datasets import shapes
from studio.guide import document
from studio.techniques import Technique

GROUPS = {
    "Supervised": "Learns from right answers. The first thing to try once prompts alone fall short.",
    "Preference": "Learns from which of two answers is better, or from thumbs up and down.",
    "Reinforcement": "Answers by itself, and learns from the score that a grader gives each answer.",
    "Continued pretraining": "Learns the language and the facts of a field from running text.",
    "Distillation": "Learns to answer as a larger model does.",
}


@fragment("techniques")
def techniques_shelf(_query: Query) -> Markup:
    return render("techniques.html", groups=shelves(), phases=phases(), shapes=shapes.SHAPES)


def shelves() -> list[tuple[str, str, list[Technique]]]:
    """(group, what its members have in common, the members), in the order of their first members."""
    order = list(dict.fromkeys(technique.group for technique in techniques.all()))
    ranked = sorted(techniques.all(), key=lambda technique: order.index(technique.group))
    return [
        (group, GROUPS.get(group, ""), list(members))
        for group, members in groupby(ranked, key=lambda technique: technique.group)
    ]


def phases() -> dict[int, str]:
    """Phase number → its name on the ladder of the guide."""
    return {int(number): phase.name for number, phase in document.load().phases.items()}


def build() -> None:
    html(live("techniques", every=0, rows=4), elem_id="techniques")


PAGE = Page(path="/techniques", title="Techniques", build=build, icon="techniques", order=320)
