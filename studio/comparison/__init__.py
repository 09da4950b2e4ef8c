"""Runs beside each other: their settings and which of them differ, runs put in groups, and which is best.

It reads what runs are and what they logged; it changes nothing.
"""

from studio.comparison.finding import is_wanted
from studio.comparison.groups import SAME, Group, groups
from studio.comparison.settings import settings_of, table, titles, worded
from studio.comparison.standing import UNMEASURED, Gain, Standing, judged_by, standing, why_not

__all__ = [
    "SAME",
    "UNMEASURED",
    "Gain",
    "Group",
    "Standing",
    "groups",
    "is_wanted",
    "judged_by",
    "settings_of",
    "standing",
    "table",
    "titles",
    "why_not",
    "worded",
]
