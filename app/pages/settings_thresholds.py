"""The thresholds of the guide and of the doctor, changed on the settings page. A helper of `settings`."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from app.parts import Query, fragment, render
from studio import db, doctor, recommendations
from studio.guide.document import load
from studio.thresholds import Threshold

PART, DOCTOR = "settings-thresholds", "settings-doctor"
GUIDE_WORDS = (
    "From these numbers on the guide advises one thing rather than another. Set your own where you know "
    "better: new answers use them, answers that were given keep theirs."
)
DOCTOR_WORDS = (
    "From these numbers on the run doctor says that something is wrong. Set your own where your runs are "
    "different: it looks at all runs anew."
)


@fragment(PART)
def thresholds(_query: Query) -> Markup:
    with db.reading() as session:
        ours = recommendations.guide(session).thresholds
    return show("thresholds", "Thresholds of the guide", GUIDE_WORDS, "guide", load().thresholds, ours)


@fragment(DOCTOR)
def doctor_thresholds(_query: Query) -> Markup:
    with db.reading() as session:
        ours = doctor.thresholds(session)
    return show(
        "doctor-thresholds", "Thresholds of the run doctor", DOCTOR_WORDS, "doctor", doctor.shipped(), ours
    )


def show(
    place: str,
    title: str,
    words: str,
    whose: str,
    shipped: Mapping[str, Threshold],
    ours: Mapping[str, Threshold],
) -> Markup:
    lines = [line(name, each, ours[name]) for name, each in shipped.items()]
    return render(
        "settings_thresholds.html",
        place=place,
        title=title,
        words=words,
        address=f"/api/{whose}/thresholds",
        keep="Keep thresholds" if whose == "guide" else f"Keep the {whose}'s thresholds",
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
