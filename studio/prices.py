"""What an hour of a device costs, as people set it, and what a run will cost with it.

Where nothing was set, a machine's own processor costs nothing and a GPU's price is not known.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy.orm import Session

from studio import preferences

KEY = "prices"


class Prices(BaseModel):
    """Of one device for an hour. `gpu_hour` None: not known."""

    model_config = ConfigDict(extra="forbid")
    currency: str = Field("USD", min_length=1, max_length=12)
    gpu_hour: float | None = Field(None, ge=0, le=1_000_000, allow_inf_nan=False)
    cpu_hour: float = Field(0.0, ge=0, le=1_000_000, allow_inf_nan=False)

    @field_validator("currency", mode="before")
    @classmethod
    def _without_spaces(cls, given: Any) -> Any:
        return given.strip() if isinstance(given, str) else given

    @field_validator("gpu_hour", mode="before")
    @classmethod
    def _empty_is_unknown(cls, given: Any) -> Any:
        return None if given == "" else given

    def hour(self, *, is_gpu: bool) -> float | None:
        return self.gpu_hour if is_gpu else self.cpu_hour


@dataclass(frozen=True)
class Cost:
    low: float
    high: float
    currency: str

    @property
    def sentence(self) -> str:
        """“0.40–0.90 USD”; “nothing” where the hour costs nothing."""
        if not self.high:
            return "nothing"
        low, high = money(self.low), money(self.high)
        return f"{high} {self.currency}" if low == high else f"{low}–{high} {self.currency}"


def get(session: Session) -> Prices:
    return Prices.model_validate(preferences.get(session, KEY))


def put(session: Session, prices: Prices, who: str = "") -> None:
    preferences.put(session, KEY, prices.model_dump(mode="json"), who)


def cost(prices: Prices, seconds: tuple[float, float], devices: int, *, is_gpu: bool) -> Cost | None:
    """What so many devices cost for a time between these; None where the price is not known."""
    hour = prices.hour(is_gpu=is_gpu)
    if hour is None:
        return None
    low, high = (each / 3600 * devices * hour for each in seconds)
    return Cost(low, high, prices.currency)


def money(amount: float) -> str:
    """An amount without a false precision: 0.004, 0.42, 7.10, 340."""
    if amount >= 100:
        return f"{amount:,.0f}"
    return f"{amount:.2f}" if amount >= 0.1 or not amount else f"{amount:.1g}"
