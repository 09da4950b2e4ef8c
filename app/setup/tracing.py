"""A trace of a planned run's memory, made by the worker's `trace_memory` in a process of its own, as this one
has no torch. Where none is installed, as in a web container, no trace is to be had."""

import hashlib
import re
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from functools import cache
from importlib.util import find_spec

import orjson
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from app.setup import Setup, Traced, beginning, memory, verdict
from app.setup.plan import Plan
from studio import adapters, parameters, techniques
from studio.errors import Refused, StudioError
from studio.estimate.trace import Asked, Trace, is_traced
from studio.runs import RunConfig

LONGEST = 180  # seconds
ONE_AT_A_TIME = threading.Lock()  # it takes a core and a gigabyte
RAISED = re.compile(r"^[\w.]+(?:Error|Exception): .*", re.MULTILINE)  # the end of a traceback
NEEDED = ("torch", "transformers", "trl")


@cache
def is_installed() -> bool:
    return all(find_spec(name) for name in NEEDED)


def is_possible(plan: Plan) -> bool:
    """Whether a trace can be had here of a plan whose model's files are known."""
    return is_installed() and is_traced(plan.technique)


def asked(plan: Plan) -> Asked:
    """What is traced of a plan: its step on the largest device. Raises StudioError for settings that are
    wrong, and for a model whose files are not here."""
    settings = verdict.checked(plan)
    folder, model = memory.model_folder(plan)
    if folder is None or memory.read(folder) is None:
        raise StudioError(
            "A trace needs the model's config.json and tokenizer.",
            hint="A worker fetches them when a run first needs them.",
            field="model",
        )
    return Asked(
        technique=plan.technique.name,
        adapter=plan.adapter.name,
        source=str(folder),
        shape=plan.dataset.shape if plan.dataset else plan.technique.shapes[0],
        settings=settings.technique,
        adapter_settings=settings.adapter,
        device=memory.devices(plan)[0],
        **memory.known(plan, model),
    )


def asked_of(session: Session, config: RunConfig) -> Asked:
    """The same of a run's configuration. Raises StudioError for whatever launching would refuse in it."""
    for family, name, given in (
        (techniques, config.technique, config.parameters),
        (adapters, config.adapter, config.adapter_parameters),
    ):
        member = family.get(name)
        parameters.validate(member.parameters, given, member.title)
    return asked(Plan(session, beginning.of_config(session, config)))


def trace(asked: Asked) -> Trace:
    """Waits for the trace. Raises StudioError where there is none."""
    if not is_installed():
        raise StudioError(
            "A trace needs the trainer's libraries, which are not installed here.",
            hint="Ask for it where a worker runs: tunesmith run trace.",
        )
    if not ONE_AT_A_TIME.acquire(blocking=False):
        raise Refused("Another trace is being made.", hint="Try again in half a minute.")
    started = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "worker.trace_memory"],
            input=orjson.dumps(asdict(asked)),
            capture_output=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StudioError(
            f"The trace was given up after {LONGEST} seconds.", hint="The formula is all there is."
        ) from None
    finally:
        ONE_AT_A_TIME.release()
    return replace(_read(done), seconds=round(time.monotonic() - started, 1))


def _read(done: subprocess.CompletedProcess[bytes]) -> Trace:
    if done.returncode == 0:
        return TypeAdapter(Trace).validate_json(done.stdout)
    if done.returncode == 2 and done.stdout:
        told = orjson.loads(done.stdout)
        raise StudioError(told["error"], told.get("hint", ""), told.get("field", ""))
    said = done.stderr.decode(errors="replace")
    raised = RAISED.findall(said) or said.strip().splitlines()[-1:] or ["nothing"]
    raise StudioError("The trace failed.", hint=f"The trainer said: {raised[-1][:300]}")


# ---- kept with a draft --------------------------------------------------------------------------------


def keep(setup: Setup, asked: Asked, found: Trace) -> None:
    setup.traced = Traced(of=_mark(asked), found=asdict(found))


def kept(plan: Plan) -> Trace | None:
    """The trace of this plan as it stands now; None where there is none, or something was changed since."""
    known = plan.setup.traced
    if known is None or known.of != _mark(asked(plan)):
        return None
    return TypeAdapter(Trace).validate_python(known.found)


def _mark(asked: Asked) -> str:
    written = orjson.dumps(asdict(asked), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(written, digest_size=9).hexdigest()
