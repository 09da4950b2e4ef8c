"""Settings against metrics, over the runs of /compare. A fragment of that page, no page."""

from markupsafe import Markup

from app.parts import Paced, Query, fragment, live


@fragment("compare-relations")
def compare_relations(query: Query) -> Paced:
    return Paced(Markup(""), 0)


def place() -> str:
    return live("compare-relations", every=0, rows=1)
