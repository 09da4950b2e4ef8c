"""Comparisons that are kept: which runs stand beside each other and how, with a name and a note.

What is kept is the query of the page's address, so that the page shows a kept one as it shows any other.
"""

from urllib.parse import parse_qsl, urlencode

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import events
from studio.errors import NotFound, StudioError
from studio.models import Comparison, now

RELATIONS, ANSWERS = ("figure", "how", "x", "y", "scale_x", "scale_y"), ("at", "score", "base")
KEPT = ("runs", "group", "keep", "metric", "baseline", "all", *RELATIONS, *ANSWERS)  # words of the address
LONGEST_NAME, LONGEST_NOTE, LONGEST_VALUE = 200, 10_000, 2000


def tidied(query: str) -> str:
    """The query in one way of writing it, so that two can be compared. Raises StudioError without runs."""
    given = dict(parse_qsl(query.removeprefix("?")))
    found = {name: given[name][:LONGEST_VALUE] for name in KEPT if given.get(name)}
    if not found.get("runs"):
        raise StudioError("A comparison needs runs.", hint="Choose at least two.", field="runs")
    return urlencode(found, safe=",")


def words_of(kept: Comparison) -> dict[str, str]:
    """What the kept address says, by name."""
    return dict(parse_qsl(kept.query))


def keep(session: Session, query: str, *, name: str, note: str = "", who: str = "") -> Comparison:
    made = Comparison(query=tidied(query), person=who)
    _describe(made, name, note)
    session.add(made)
    session.flush()
    events.record(session, "comparison kept", f"comparison:{made.id}", who, name=made.name, query=made.query)
    return made


def change(
    session: Session,
    comparison_id: int,
    *,
    name: str | None = None,
    note: str | None = None,
    query: str | None = None,
    who: str = "",
) -> Comparison:
    """Takes over what is given; the rest stays."""
    kept = get(session, comparison_id)
    _describe(kept, kept.name if name is None else name, kept.note if note is None else note)
    kept.query = kept.query if query is None else tidied(query)
    kept.changed = now()
    events.record(
        session, "comparison changed", f"comparison:{kept.id}", who, name=kept.name, query=kept.query
    )
    return kept


def remove(session: Session, comparison_id: int, who: str = "") -> None:
    """Forgets a comparison; its runs stay."""
    kept = get(session, comparison_id)
    events.record(session, "comparison deleted", f"comparison:{kept.id}", who, name=kept.name)
    session.delete(kept)


def get(session: Session, comparison_id: int) -> Comparison:
    found = session.get(Comparison, comparison_id)
    if found is None:
        raise NotFound(
            f"There is no saved comparison {comparison_id}.", hint="The Compare page lists those there are."
        )
    return found


def listed(session: Session, limit: int = 200) -> list[Comparison]:
    """The one changed last first."""
    return list(session.scalars(select(Comparison).order_by(Comparison.changed.desc()).limit(limit)))


def _describe(kept: Comparison, name: str, note: str) -> None:
    kept.name, kept.note = name.strip(), note.strip()
    if not kept.name:
        raise StudioError("Give the comparison a name.", hint="Such as what it shows.", field="name")
    for field, text, most in (("name", kept.name, LONGEST_NAME), ("note", kept.note, LONGEST_NOTE)):
        if len(text) > most:
            raise StudioError(f"That {field} is too long.", hint=f"{most:,} characters at most.", field=field)
