"""What is remembered: the tables and their words. Holds no behaviour; moves and rules live beside it.

Large things (files, weights, spools) lie under the data folder; the tables hold what is known of them.
"""

from studio.models.base import Base, UtcDateTime, now
from studio.models.engine import (
    Checkpoint,
    Comparison,
    EvaluationItem,
    Host,
    Kind,
    Lease,
    LogPart,
    Metric,
    MetricBlock,
    MetricColumn,
    Mirrored,
    Run,
    Sample,
    State,
    Sweep,
    Wish,
)
from studio.models.library import Dataset, DatasetVersion, Model
from studio.models.people import Answer, Draft, Event, Preference, User
from studio.models.use_cases import Climb, FailureKind, FailureMark, Project, Prompt, Recommendation

__all__ = [
    "Answer",
    "Base",
    "Checkpoint",
    "Climb",
    "Comparison",
    "Dataset",
    "DatasetVersion",
    "Draft",
    "EvaluationItem",
    "Event",
    "FailureKind",
    "FailureMark",
    "Host",
    "Kind",
    "Lease",
    "LogPart",
    "Metric",
    "MetricBlock",
    "MetricColumn",
    "Mirrored",
    "Model",
    "Preference",
    "Project",
    "Prompt",
    "Recommendation",
    "Run",
    "Sample",
    "State",
    "Sweep",
    "User",
    "UtcDateTime",
    "Wish",
    "now",
]
