"""A Python interpreter in the sandbox. Each call gets a process of its own; what earlier calls of the same
answer defined is made again before it, so that no process outlives its call and hundreds of answers need one
sandbox."""

import functools
from typing import Any

from studio import sandbox
from studio.sandbox import Outcome

# Inside the sandbox. As in a notebook, the value of a last line that is an expression is shown.
RUNNER = '''\
import ast, contextlib, io, linecache, sys

def grade(sample, item):
    """Runs the last of the cells after the earlier ones, which print nothing this time."""
    *earlier, newest = item["cells"]
    names = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for cell in earlier:
            exec(compile(cell, "earlier.py", "exec"), names)
    linecache.cache["answer.py"] = (len(newest), None, newest.splitlines(keepends=True), "answer.py")
    body = ast.parse(newest, "answer.py").body
    shown = ast.Expression(body.pop().value) if body and isinstance(body[-1], ast.Expr) else None
    try:
        exec(compile(ast.Module(body, []), "answer.py", "exec"), names)
        if shown is not None:
            value = eval(compile(shown, "answer.py", "eval"), names)
            if value is not None:
                print(repr(value))
    finally:
        sys.stdout.flush()
    return 1.0
'''


class Python:
    def __init__(self, seconds: float = 5.0, memory: int = 512):
        """StudioError where this machine has no sandbox. `memory` in MiB."""
        sandbox.require()
        self._limits = (seconds, memory)
        self._cells: list[str] = []

    def reset(self, **row: Any) -> None:
        self._cells = []

    def run_python(self, code: str) -> str:
        """Runs Python code and returns what it prints. Names defined by earlier calls are known.

        Args:
            code: The program.

        Returns:
            What was printed, and the value of the last line.
        """
        cells = [*self._cells, str(code)]
        guest = _sandbox(*self._limits).guest({"kind": "grader", "name": "runner", "source": RUNNER})
        try:
            result = guest.ask(({}, {"cells": cells}))
        finally:
            guest.end()
        if result.outcome is not Outcome.SCORE:
            raise ValueError(f"{result.printed}\n{result.message}".strip())
        self._cells = cells
        return result.printed.rstrip() or "Nothing was printed."


@functools.cache
def _sandbox(seconds: float, memory: int) -> sandbox.Sandbox:
    """One for all answers of this process: they are acted out one after the other."""
    return sandbox.Sandbox(sandbox.Limits(seconds=seconds, memory=memory << 20))
