"""Full fine-tuning: every weight moves. Learns most, needs about 16 bytes of memory a parameter."""

from studio.adapters.base import Adapter
from studio.parameters import Parameters


class FullParameters(Parameters):
    """Nothing to set: all weights are trained."""


ADAPTER = Adapter(
    name="full",
    title="Full",
    summary="Every weight is trained. Most capacity, most memory; the result is a whole model.",
    parameters=FullParameters,
    order=10,
)
