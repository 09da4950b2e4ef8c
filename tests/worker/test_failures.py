"""Every way a training fails has a plain sentence and a next step."""

import errno

import pytest
import torch

from studio.errors import StudioError
from worker import failures


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), "out of memory"),
        (MemoryError(), "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: tried"), "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk full"),
        (failures.Diverged("The loss is no longer a number."), "diverged"),
        (StudioError("No rows.", hint="Add some."), "settings"),
        (KeyError("x"), "bug"),
    ],
)
def test_a_failure_is_told_in_words(problem: Exception, kind: str) -> None:
    told = failures.explain(problem)
    assert told["kind"] == kind
    assert told["message"]
    assert told["hint"]
    assert type(problem).__name__ in told["details"]
