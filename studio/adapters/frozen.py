"""Frozen: nothing of the model is trained. It is read; a small head beside it learns from what it holds."""

from studio.adapters.base import Adapter
from studio.parameters import NoParameters

ADAPTER = Adapter(
    name="frozen",
    title="Frozen",
    summary="The model stays as it is; only a small head beside it learns. Minutes, even on a CPU.",
    parameters=NoParameters,
    order=90,
)
