"""Tells other trackers of this machine's trainings while they run, from what was stored: a thread of the
worker, apart from every runner and trainer. What it has told is in the database, so it goes on where it
stopped; a server that is away is tried again, ever more rarely, and no run notices.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError

from studio import db, mirrors, runs, settings
from studio.errors import NotFound
from studio.metrics import abroad
from studio.models import Mirrored, now
from worker.mirrors import MIRRORS, Away, Mirror, Unwilling

log = logging.getLogger("tunesmith.mirroring")
EVERY = 1.0  # seconds between two looks
AT_ONCE = 20_000  # values of a run a look
FIRST_REST, LONGEST_REST = 1.0, 300.0  # seconds
SERVER = 0  # rests like a run; runs count from 1


@dataclass
class Rests:
    """Who is left alone for how long: twice as long after each failure."""

    clock: Callable[[], float] = time.monotonic
    _until: dict[int, tuple[float, float]] = field(default_factory=dict)  # when, and how long it was

    def has(self, who: int) -> bool:
        return who in self._until and self.clock() < self._until[who][0]

    def begin(self, who: int) -> None:
        long = min(LONGEST_REST, 2 * self._until[who][1]) if who in self._until else FIRST_REST
        self._until[who] = (self.clock() + long, long)

    def end(self, who: int) -> None:
        self._until.pop(who, None)


def all_configured() -> list["Mirroring"]:
    return [Mirroring(mirror) for mirror in MIRRORS.all() if mirror.address()]


class Mirroring(threading.Thread):
    """The loop for one tracker, so that none waits for another. `leave` ends it after a last look."""

    def __init__(self, mirror: Mirror) -> None:
        super().__init__(name=f"mirroring-{mirror.name}", daemon=True)
        self.mirror, self.address = mirror, mirror.address()
        self.host, self.since = settings.get().host_name, now()
        self._leaving = threading.Event()
        self._rests = Rests()

    def run(self) -> None:
        while True:
            is_last = self._leaving.is_set()
            try:
                self.look()
            except DBAPIError as problem:
                log.warning("The database does not answer, looking again soon: %s", problem.orig)
            if is_last:
                return
            self._leaving.wait(EVERY)

    def look(self) -> None:
        """Tells the tracker what it does not know yet."""
        if self._rests.has(SERVER):
            return
        with db.reading() as session:
            found = mirrors.due(session, self.mirror.name, self.address, self.host, self.since)
        for run_id in found:
            if not self._rests.has(run_id) and not self._attend(run_id):
                return

    def _attend(self, run_id: int) -> bool:
        """One run; whether the server is there."""
        known = self._known(run_id)
        try:
            catch_up(self.mirror, known)
        except NotFound:  # deleted in the meantime
            return True
        except Away as problem:
            self._rests.begin(SERVER)
            self._hindered(known, str(problem))
            return False
        except Unwilling as problem:
            self._rests.begin(run_id)
            self._hindered(known, str(problem))
            return True
        self._rests.end(SERVER)
        self._rests.end(run_id)
        if known.trouble:
            with db.transaction() as session:
                mirrors.recover(session, known, self.mirror.title)
        return True

    def _known(self, run_id: int) -> Mirrored:
        where = (run_id, self.mirror.name, self.address)
        with db.reading() as session:
            found = mirrors.find(session, *where)
        if found is None:
            with db.transaction() as session:
                found = mirrors.begin(session, *where)
        return found

    def _hindered(self, known: Mirrored, why: str) -> None:
        with db.transaction() as session:
            is_news = mirrors.hinder(session, known, self.mirror.title, why)
        if is_news:
            log.warning("Run %s is not mirrored to %s for now: %s", known.run_id, self.mirror.title, why)

    def leave(self) -> None:
        self._leaving.set()
        self.join(timeout=15)


def catch_up(mirror: Mirror, known: Mirrored) -> None:
    """Tells what is new of one run. Each piece counts as told when the server has it and that is noted."""
    with db.reading() as session:
        about = abroad.sketch(session, runs.get(session, known.run_id))
        rows = mirrors.untold(session, known, AT_ONCE)
    if not known.place:
        place, url = mirror.begin(known.address, known.key, about)
        with db.transaction() as session:
            mirrors.opened(session, known, mirror.title, place, url)
    for piece in mirrors.pieces(rows, mirror.most):
        mirror.tell(known.address, known.place, piece)
        with db.transaction() as session:
            mirrors.told(session, known, piece)
    is_all = sum(len(row["data"]) for row in rows) < AT_ONCE
    if is_all and about.state != known.state:
        mirror.settle(known.address, known.place, about)
        with db.transaction() as session:
            mirrors.note(session, known, state=about.state.value)
