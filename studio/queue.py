"""The Celery application: wake-ups and short tasks. The database is the truth; losing a message is harmless.

Tasks last milliseconds. Anything over about a minute is a run: a row in the database, carried out by a
process of its own, because every broker either repeats or loses an hours-long task.
"""

import os
from concurrent.futures import Future, ThreadPoolExecutor

from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from studio import settings

WAKE = Exchange("wake", type="fanout")
_worker = f"{settings.get().host_name}.{os.getpid()}"

celery = Celery("tunesmith", broker=settings.get().broker_url)
celery.conf.update(
    task_ignore_result=True,
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=2,
    task_serializer="json",
    accept_content=["json"],
    # An empty routing key never arrives: the consumer's side replaces it.
    task_queues=[Queue(f"wake.{_worker}", WAKE, routing_key="wake", auto_delete=True, expires=3600)],
)


_postman = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wake")


def wake_workers() -> Future[bool]:
    """Broadcasts after a commit, in the background: a broker that is away must not keep a person waiting.

    The result is False when no broker answered; workers look by themselves soon anyway."""
    return _postman.submit(_broadcast)


def _broadcast() -> bool:
    try:
        # Without `declare`, the exchange counts as direct on Redis and the message is dropped.
        celery.send_task("wake", exchange="wake", routing_key="wake", declare=[WAKE], retry=False, expires=60)
    except OperationalError:
        return False
    return True
