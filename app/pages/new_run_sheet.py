"""A plan as the new-run page shows it, with what is said of its first wrong field. A helper, no page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy.orm import Session

from app.forms import Marks
from app.setup import Setup, offers, verdict
from app.setup.offers import Option
from app.setup.plan import Plan
from app.setup.verdict import Verdict
from studio.errors import StudioError

Groups = list[tuple[str, list[Option]]]


@dataclass(frozen=True)
class Sheet:
    """A plan as the page shows it. `is_opened`: nothing is chosen yet, so that all techniques are shown."""

    session: Session
    setup: Setup
    key: str = ""
    is_opened: bool = False

    @cached_property
    def plan(self) -> Plan:
        return Plan(self.session, self.setup)

    @cached_property
    def verdict(self) -> Verdict:
        return verdict.judge(self.plan)

    @cached_property
    def problem(self) -> StudioError | None:
        """The first thing wrong, or why the last start was refused."""
        told = self.setup.problem
        kept = StudioError(told["error"], told.get("hint", ""), told.get("field", "")) if told else None
        return self.verdict.problem or kept

    @property
    def wrong(self) -> str:
        return self.problem.field if self.problem else ""

    @property
    def said(self) -> str:
        return str(self.problem) if self.problem else ""

    @cached_property
    def any_models(self) -> Groups:
        return grouped(offers.models(self.session))

    def marks(
        self, tried: Mapping[str, str] | None = None, reasons: Mapping[str, str] | None = None
    ) -> Marks:
        return Marks(self.wrong, self.said, tried, reasons)


def grouped(options: Iterable[Option]) -> Groups:
    groups: dict[str, list[Option]] = {}
    for option in options:
        groups.setdefault(option.group, []).append(option)
    return list(groups.items())
