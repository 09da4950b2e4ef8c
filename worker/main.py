"""The Celery worker: `celery -A worker.main worker -P solo`. Wires signals to placement; thinks nothing."""

import logging
from typing import Any

from celery.signals import worker_ready, worker_shutdown

from studio.queue import celery
from worker.mirroring import Mirroring, all_configured
from worker.placement import Placement

__all__ = ["celery"]

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
placement: Placement | None = None
mirroring: list[Mirroring] = []


@celery.task(name="wake")
def wake() -> None:
    if placement:
        placement.look_now()


@worker_ready.connect
def begin(**_: Any) -> None:
    global placement, mirroring
    placement = Placement()
    placement.start()
    mirroring = all_configured()
    for each in mirroring:
        each.start()


@worker_shutdown.connect
def leave(**_: Any) -> None:
    if placement:
        placement.leave()
    for each in mirroring:
        each.leave()
