"""What a planned run will take: memory, time and money, each said with where it comes from."""

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy.orm import Session

from app.setup import beginning, memory, verdict
from app.setup.memory import Memory
from app.setup.plan import Plan
from studio import estimate, pace, prices
from studio.datasets import library
from studio.estimate import Device, time
from studio.estimate.time import Span
from studio.estimate.work import Job
from studio.guide.card import Fact
from studio.models import Recommendation
from studio.prices import Cost, Prices

NO_RUN = "Not known: no run was finished on {device} yet. The first one gives the figure."


@dataclass(frozen=True)
class Forecast:
    """`device` is the largest that trains here. `unknown_time` says why there is no `time`."""

    memory: Memory
    device: Device
    gpus: int
    prices: Prices
    time: Span | None = None
    unknown_time: str = ""

    @cached_property
    def cost(self) -> Cost | None:
        if self.time is None:
            return None
        seconds = (self.time.low, self.time.high)
        return prices.cost(self.prices, seconds, self.gpus, is_gpu=self.device.is_gpu)

    @property
    def hour(self) -> float | None:
        return self.prices.hour(is_gpu=self.device.is_gpu)

    @property
    def of_memory(self) -> str:
        if not self.memory.rooms:
            return self.memory.unknown
        room = self.memory.rooms[0]
        fits = "of" if room.fits is None else "fits" if room.fits else "more than"
        return f"{estimate.said(room.found.total)}, {fits} {room.title}"

    @property
    def of_time(self) -> str:
        return self.time.sentence if self.time else self.unknown_time

    @property
    def of_cost(self) -> str:
        if self.hour is None:
            return f"Not known: set a price for an hour of {self.device.title}."
        if not self.hour:
            return f"Nothing: an hour of {self.device.title} is set to cost nothing."
        each = f"{prices.money(self.hour)} {self.prices.currency} an hour"
        if self.cost is None:
            return f"Not known until the time is; {each}."
        devices = f"{self.gpus} devices at " if self.gpus > 1 else ""
        return f"{self.cost.sentence}, at {devices}{each}"

    def facts(self) -> list[Fact]:
        found = (("Memory", self.of_memory), ("Time", self.of_time), ("Cost", self.of_cost))
        return [Fact(name=name, value=value) for name, value in found if value]


def of_advice(session: Session, advice: Recommendation, technique: str) -> tuple[Plan, Forecast]:
    """What the form would be filled with that this advice opens, and what that run will take."""
    asked = {"technique": technique, "recommendation": str(advice.id)}
    plan = Plan(session, beginning.begin(session, asked))
    return plan, of(plan)


def of(plan: Plan) -> Forecast:
    """Valid settings are wanted."""
    settings = verdict.checked(plan)
    device = memory.devices(plan)[0]
    found = memory.estimated(plan, settings) if plan.setup.model else Memory(unknown="Known with the model.")
    job = _job(plan, settings.technique)
    span = time.predict(job, device.title, pace.past(plan.session)) if job else None
    unknown = "" if span else NO_RUN.format(device=device.title) if job else _lacking(plan)
    return Forecast(found, device, plan.setup.gpus, prices.get(plan.session), span, unknown)


def _job(plan: Plan, settings: dict[str, object]) -> Job | None:
    if plan.dataset is None or not plan.size:
        return None
    version = library.get_version(plan.session, plan.dataset.id)
    total = pace.lengths(version).get("total")
    if not total or not version.rows:
        return None
    return Job(
        technique=plan.technique,
        adapter=plan.adapter,
        settings=settings,
        rows=version.rows,
        characters=total / version.rows,
        parameters=plan.size,
        gpus=plan.setup.gpus,
    )


def _lacking(plan: Plan) -> str:
    if plan.dataset is None:
        return "Known with the dataset."
    return "Known with the model's size." if not plan.size else "Not known: this dataset was not measured."
