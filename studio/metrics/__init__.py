"""What trainers logged: stored once each, read back in few points for a chart.

A run's newest rows are rows of a table; behind them lie blocks of numbers, each with an outline in few
points, so that a million points are read as some thousand (`decisions/0007-metrics-in-blocks.md`). Reading
goes by cursor: a page asks only for what is new; when a run went back to a checkpoint the answer says `reset`
and sends the series anew.
"""

from studio.metrics.describing import better, describe, is_share
from studio.metrics.reading import Ends, described, ends, first_value, lines, moments, read, rows
from studio.metrics.thinning import thin
from studio.metrics.writing import append, is_thinned, pack_loose, rewind, thin_run

__all__ = [
    "Ends",
    "append",
    "better",
    "describe",
    "described",
    "ends",
    "first_value",
    "is_share",
    "is_thinned",
    "lines",
    "moments",
    "pack_loose",
    "read",
    "rewind",
    "rows",
    "thin",
    "thin_run",
]
