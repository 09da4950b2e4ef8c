"""Runs Python that people or models wrote, so that it can harm nothing.

    with sandbox.Session(source, sandbox.Limits(seconds=5)) as session:
        results = session.call([(sample, item), …])

Between such a program and the machine stand, each enough alone for most attacks:

- bubblewrap: namespaces of its own for processes, network, users, host name and messages; a file system that
  holds Python, the system's libraries and an empty folder in memory, nothing else (`jail.py`),
- a seccomp filter that lets through what Python needs and refuses all else: no sockets, no new processes or
  programs, no debugging, no mounts (`system_calls.py`),
- kernel limits on memory, processor time, files, descriptors, threads (`jail.Limits`), and the studio's
  clock,
- a channel on which nothing but a number and a description of what went wrong is believed (`session.py`,
  `results.py`).

A process inside, the keeper (`keeper.py`), forks a fresh guest in some 3 ms where a new sandbox takes 50 ms:
that is why the code of each batch, and each program under test, gets a process of its own.

What it does not do: keep a program from deceiving itself. A model's answer runs in one process with the tests
that judge it and could, with intent, fake that they passed; and code that has found a hole in the Linux
kernel is out.
"""

from studio.sandbox.jail import Limits
from studio.sandbox.results import Outcome, Result
from studio.sandbox.session import Guest, Sandbox, Session, available, require

__all__ = ["Guest", "Limits", "Outcome", "Result", "Sandbox", "Session", "available", "require"]
