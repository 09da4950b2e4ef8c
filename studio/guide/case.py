"""One person's answers held against the rules: what holds, which way fits first, how far the others are.

It decides nothing by itself and words nothing: `rules` and `flips` do.
"""

from dataclasses import dataclass, field
from typing import Any

from studio.guide.document import Guide, Route
from studio.guide.expressions import Expression


@dataclass(frozen=True)
class Case:
    """One person's complete answers under one guide."""

    guide: Guide
    values: dict[str, Any]
    limits: dict[str, float | int]
    known: dict[str, bool] = field(default_factory=dict)  # condition -> whether it holds; filled on first use

    def holds(self, condition: Expression) -> bool:
        if condition.source not in self.known:
            self.known[condition.source] = condition.holds(self.values, self.limits)
        return self.known[condition.source]

    def failing(self, route: Route) -> list[Expression]:
        return [condition for condition in route.conditions if not self.holds(condition)]

    def fits(self, route: Route) -> bool:
        return all(map(self.holds, route.conditions))

    def first_route(self) -> Route:
        return next(route for route in self.guide.routes if self.fits(route))

    def is_aimed(self, route: Route) -> bool:
        """The person is after what this route is for, whatever else it lacks."""
        return all(map(self.holds, route.purposes))

    def distance(self, route: Route) -> tuple[float, ...]:
        """How far a route is from fitting: conditions failing, those not counts, largest shortfall."""
        failing = self.failing(route)
        counts = [condition.floor for condition in failing if condition.floor]
        short = [self.limits[name] - counted.value(self.values, self.limits) for counted, name in counts]
        return len(failing), len(failing) - len(counts), max(short, default=0), route.position
