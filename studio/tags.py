"""Tags of runs: short words of people's own, to find runs by, to group them and to compare them."""

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from studio import events
from studio.errors import NotFound, StudioError
from studio.models import Run

MOST = 10  # of one run
LONGEST = 40  # characters


def cleaned(given: Iterable[str]) -> list[str]:
    """The tags as they are kept: each once, whatever its case, without needless spaces; commas part them.
    Raises StudioError for one that is too long, and for too many."""
    parts = [" ".join(part.split()) for text in given for part in text.split(",")]
    known: dict[str, str] = {}
    for part in filter(None, parts):
        known.setdefault(part.lower(), part)
    found = list(known.values())
    if too_long := next((tag for tag in found if len(tag) > LONGEST), None):
        raise StudioError(
            f"“{too_long[:LONGEST]}…” is too long for a tag.",
            hint=f"A tag is a short word: {LONGEST} characters at most.",
            field="tags",
        )
    if len(found) > MOST:
        raise StudioError(
            f"That would be {len(found)} tags.", hint=f"A run has {MOST} at most.", field="tags"
        )
    return found


def put(session: Session, run: Run, given: Iterable[str], who: str = "") -> None:
    """Gives a run these tags and no others."""
    before, wanted = run.tags, cleaned(given)
    if wanted == before:
        return
    run.tags = wanted
    events.record(session, "run tagged", f"run:{run.id}", who, before=before, after=wanted)


def change(
    session: Session,
    run_ids: Sequence[int],
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    who: str = "",
) -> list[Run]:
    """Adds tags to several runs and takes others away; a tag is removed whatever its case."""
    gone = {tag.lower() for tag in cleaned(remove)}
    more = cleaned(add)
    found = []
    for run_id in run_ids:
        run = session.get(Run, run_id)
        if run is None:
            raise NotFound(f"There is no run {run_id}.", hint="The Runs page lists all of them.")
        put(session, run, [*(tag for tag in run.tags if tag.lower() not in gone), *more], who)
        found.append(run)
    return found
