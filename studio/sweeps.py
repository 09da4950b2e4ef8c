"""Sweeps: one group of runs that differ only in chosen settings, on a grid or drawn at random.

A sweep decides nothing about a run: each is launched like any other and can be stopped by itself.
"""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import runs, techniques
from studio.errors import NotFound, StudioError
from studio.models import Run, Sweep
from studio.runs import RunConfig

Method = Literal["grid", "random"]
Field = list[Any] | dict[str, Any]
MOST = 200  # runs of one sweep
OF_RUN = {"seed", "model", "dataset", "technique", "adapter"}  # what is no setting of technique or adapter


def launch(
    session: Session,
    config: RunConfig,
    *,
    name: str = "",
    fields: dict[str, Field],
    method: Method = "grid",
    count: int = 0,
    who: str = "",
) -> Sweep:
    """Queues one run for each combination. Raises StudioError when one of them could not be launched, and
    then none is.

    Wake the workers after the commit (`queue.wake_workers`)."""
    combinations = expand(fields, method, count, seed=config.seed)
    sweep = Sweep(
        name=name.strip() or f"{config.name.strip() or config.technique} over {', '.join(fields)}"[:200],
        method=method,
        fields=fields,
        config=config.model_dump(mode="json"),
        project_id=config.project,
    )
    session.add(sweep)
    session.flush()
    for number, chosen in enumerate(combinations, start=1):
        runs.launch(session, _apply(config, chosen, f"{sweep.name} {number}", sweep.id), who)
    return sweep


def expand(
    fields: dict[str, Field], method: Method = "grid", count: int = 0, seed: int = 0
) -> list[dict[str, Any]]:
    """The combinations: every one of a grid, or `count` drawn at random (the same for the same seed).

    A field is a list of values, or `{"low", "high", "log": bool, "whole": bool}`, which only a random sweep
    can draw from. Raises StudioError for a field without values, a range in a grid, too many runs."""
    if not fields:
        raise StudioError("A sweep needs a setting to vary.", hint="Give one setting several values.")
    for name, field in fields.items():
        _check(name, field, method)
    if method == "grid":
        number = math.prod(len(field) for field in fields.values())
        _check_number(number)
        return [dict(zip(fields, values, strict=True)) for values in itertools.product(*fields.values())]
    _check_number(count)
    return list(itertools.islice(_draw(fields, random.Random(seed)), count))


def _draw(fields: dict[str, Field], rng: random.Random) -> Iterator[dict[str, Any]]:
    """Different combinations for as long as there are any, then repeats."""
    seen: set[str] = set()
    while True:
        for _ in range(100):
            drawn = {name: _one(field, rng) for name, field in fields.items()}
            if str(drawn) not in seen:
                break
        seen.add(str(drawn))
        yield drawn


def _one(field: Field, rng: random.Random) -> Any:
    if isinstance(field, list):
        return rng.choice(field)
    low, high = float(field["low"]), float(field["high"])
    value = (
        math.exp(rng.uniform(math.log(low), math.log(high))) if field.get("log") else rng.uniform(low, high)
    )
    return round(value) if field.get("whole") else float(f"{value:.4g}")


def _check(name: str, field: Field, method: Method) -> None:
    if isinstance(field, list):
        if not field:
            raise StudioError(f"{name} has no values.", hint="Give at least one value.", field=name)
        return
    if method == "grid":
        raise StudioError(
            f"{name} is a range, and a grid needs values.",
            hint="List the values, or draw at random.",
            field=name,
        )
    low, high = field.get("low"), field.get("high")
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not low < high:
        raise StudioError(f"{name}: the range needs a low end below its high end.", field=name)
    if field.get("log") and low <= 0:
        raise StudioError(f"{name}: a logarithmic range begins above zero.", field=name)


def _check_number(number: int) -> None:
    if not 1 <= number <= MOST:
        raise StudioError(
            f"This sweep would be {number:,} runs.",
            hint=f"Between 1 and {MOST} can be launched at once.",
            field="count",
        )


def _apply(config: RunConfig, chosen: dict[str, Any], name: str, sweep_id: int) -> RunConfig:
    """The configuration with this combination: `seed`, `learning_rate`, or `lora.r` for an adapter's own."""
    whole, mine, of_adapter = {}, dict(config.parameters), dict(config.adapter_parameters)
    for field, value in chosen.items():
        if field in OF_RUN:
            whole[field] = value
        elif "." in field:
            of_adapter[field.partition(".")[2]] = value
        else:
            mine[field] = value
    changed = {"name": name[:200], "sweep": sweep_id, "parameters": mine, "adapter_parameters": of_adapter}
    return RunConfig.model_validate(config.model_dump() | changed | whole)


def get(session: Session, sweep_id: int) -> Sweep:
    sweep = session.get(Sweep, sweep_id)
    if sweep is None:
        raise NotFound(f"There is no sweep {sweep_id}.", hint="The Runs page lists them.")
    return sweep


def runs_of(session: Session, sweep_id: int) -> list[Run]:
    """The runs of a sweep, in the order they were launched."""
    return list(session.scalars(select(Run).where(Run.sweep_id == sweep_id).order_by(Run.id)))


def tried(sweep: Sweep, run: Run) -> dict[str, Any]:
    """What a run got of each setting that its sweep varies."""
    whole = {"seed": run.seed, "technique": run.technique, "adapter": run.adapter}
    whole |= {"model": run.model and run.model.name}
    whole |= {"dataset": run.dataset_version and run.dataset_version.title}
    found = {}
    for name in sweep.fields:
        _, is_adapters, setting = name.partition(".")
        own = run.adapter_parameters if is_adapters else whole | run.parameters
        found[name] = own.get(setting or name)
    return found


def criterion(made: Sequence[Run]) -> tuple[str, Literal["lower", "higher"]] | None:
    """The metric that says which of a sweep's runs is best, and which end of it is better. None where they
    are of several techniques, whose figures do not compare."""
    names = {run.technique for run in made}
    name = names.pop() if len(names) == 1 else ""
    return techniques.get(name).best_by if techniques.has(name) else None


def ranked(session: Session, sweep_id: int, metric: str, better: str) -> list[tuple[Run, float]]:
    """The runs that logged `metric`, the best newest value first."""
    logged = [(run, run.latest.get(metric)) for run in runs_of(session, sweep_id)]
    known = [(run, float(value)) for run, value in logged if isinstance(value, int | float)]
    return sorted(known, key=lambda pair: pair[1], reverse=better == "higher")


def stop(session: Session, sweep_id: int, who: str = "") -> int:
    """Asks every run of the sweep that is still going or waiting to end; returns how many."""
    going = [run for run in runs_of(session, sweep_id) if run.state in runs.GOING]
    for run in going:
        runs.stop(session, run.id, who=who)
    return len(going)
