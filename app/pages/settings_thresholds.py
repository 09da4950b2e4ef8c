"""The thresholds of the guide, to be changed on the settings page. A helper of `settings`."""

from typing import Any

from markupsafe import Markup

from app.parts import Query, fragment, render
from studio import db, recommendations
from studio.guide.document import Threshold, load

PART = "settings-thresholds"


@fragment(PART)
def thresholds(_query: Query) -> Markup:
    with db.reading() as session:
        ours = recommendations.guide(session).thresholds
    lines = [line(name, shipped, ours[name]) for name, shipped in load().thresholds.items()]
    return render(
        "settings_thresholds.html",
        lines=lines,
        changed=sum(each["changed"] for each in lines),
        none_of_them={each["name"]: None for each in lines},
    )


def line(name: str, shipped: Threshold, ours: Threshold) -> dict[str, Any]:
    return {
        "name": name,
        "title": shipped.title,
        "help": shipped.help,
        "whole": shipped.whole,
        "value": ours.value,
        "shipped": f"{shipped.value:,g}",
        "source": shipped.source,
        "changed": ours.value != shipped.value,
    }
