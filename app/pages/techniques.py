"""The handbook's shelf at /techniques: every technique as a card, in groups, from the technique files.

It says nothing of its own about a technique; the page of one is `technique`.
"""

from itertools import groupby

from markupsafe import Markup

from app.navigation import Page
from app.parts import Query, finding, fragment, live, render
from app.toolkit import html
from studio import techniques
from studio.datasets import shapes
from studio.guide import document
from studio.techniques import Technique

GROUPS = {
    "Supervised": "Learns from right answers. The first thing to try once prompts alone fall short.",
    "Preference": "Learns from which of two answers is better, or from thumbs up and down.",
    "RLHF": "Learns a reward from people's judgements, then answers by itself and follows that reward.",
    "Reasoning RL": "Answers by itself, and learns from the score that graders give each answer.",
    "Light": "Leaves the language model as it is, or trains a small one: minutes on a processor.",
}


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
    """(group, what its members have in common, the members found), in the order of their first members."""
    order = list(dict.fromkeys(technique.group for technique in techniques.all()))
    found = [each for each in techniques.all() if finding.matches(finding.words_of(each), asked)]
    ranked = sorted(found, key=lambda technique: order.index(technique.group))
    return [
        (group, GROUPS.get(group, ""), list(members))
        for group, members in groupby(ranked, key=lambda technique: technique.group)
    ]


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
