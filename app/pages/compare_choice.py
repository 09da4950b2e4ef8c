"""Which runs /compare shows: the words of its address. A helper, no page.

`runs` are the chosen ones; the page's fragments all read the address through this file.
"""

from sqlalchemy.orm import Session

from app.parts import Query
from studio import runs
from studio.models import Run

MOST = 20  # lines that can be told apart: eight colours, each with up to three kinds of dashes


def chosen_of(session: Session, query: Query) -> list[Run]:
    """The runs of the address, in its order."""
    found = (session.get(Run, number) for number in query.numbers("runs")[: 2 * MOST])
    return [run for run in found if run and run.kind in runs.CHARTED][:MOST]


def gone(session: Session, query: Query) -> list[int]:
    """Runs of the address that are no longer there."""
    return [number for number in query.numbers("runs")[: 2 * MOST] if session.get(Run, number) is None]
