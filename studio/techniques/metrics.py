"""What a metric is: its words, its place among the charts, and the values it has while training goes well.
Those that nearly every technique logs. No technique itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Healthy:
    """The values of a metric while training goes well; an end that is None is open. A rule of thumb: `source`
    names the paper it is from, or gives the reason."""

    source: str
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.low is None:
            return f"below {self.high:g}"
        return f"above {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"

    def missed(self, value: float) -> str:
        """“too low” or “too high”; empty within the range."""
        if self.low is not None and value < self.low:
            return "too low"
        return "too high" if self.high is not None and value > self.high else ""


@dataclass(frozen=True)
class MetricInfo:
    """A metric a technique logs: how to title it, where to group it, and what a healthy value looks like;
    `healthy` is None where no value is by itself a good or a bad sign, as of a loss. `better` says which end
    is wanted, where that is known."""

    key: str
    title: str
    group: str
    help: str
    unit: str = ""
    exact: bool = False  # drawn as it is: smoothing a schedule or a count would only falsify it
    healthy: Healthy | None = None
    better: Literal["", "lower", "higher"] = ""
    is_share: bool = False  # between 0 and 1, so that a change is told in points

    def healthy_words(self) -> str:
        """“below 0.5 nats”; empty where there is no range."""
        return f"{self.healthy} {self.unit}".strip() if self.healthy else ""


KNOWS_THE_LANGUAGE = Healthy(
    "People guess the next token of a web text in 29 % of cases, even small language models more often "
    "(arXiv 2212.11281). Below: another language than the model's, a wrong chat template, or a broken model",
    low=0.3,
)
CUT_OFF = Healthy(
    "The studio's rule; answers that are cut off are graded unfairly (DAPO, arXiv 2503.14476, section 3.4)",
    high=0.3,
)
NATS_OF_AN_ANSWER = Healthy(
    "The studio's rule; arXiv 2403.17031 found models 50 and 85 nats from their start over-optimised", high=20
)


LAST_GROUPS = ("Optimiser", "Throughput")


def in_order(metrics: Sequence[MetricInfo], headline: Sequence[str]) -> list[MetricInfo]:
    """By group: first what a run is judged by, then as they come, last how it is trained and how fast."""
    known = {metric.key: metric.group for metric in metrics}
    judged = [known[key] for key in headline if key in known]
    between = [group for group in known.values() if group not in LAST_GROUPS]
    order = list(dict.fromkeys([*judged, *between, *LAST_GROUPS]))
    return sorted(metrics, key=lambda metric: order.index(metric.group))


def common_metrics() -> list[MetricInfo]:
    return [
        MetricInfo(
            "loss", "Loss", "Loss", "What training minimises. Should fall, then flatten.", better="lower"
        ),
        MetricInfo(
            "eval_loss",
            "Held-out loss",
            "Loss",
            "The loss on rows the model does not train on. When it rises while the loss falls, it memorises.",
            better="lower",
        ),
        MetricInfo("learning_rate", "Learning rate", "Optimiser", "The step size in force.", exact=True),
        MetricInfo(
            "grad_norm",
            "Gradient norm",
            "Optimiser",
            "How strongly the data pulls on the weights. Sudden peaks warn of too high a learning rate.",
        ),
    ]


def gauges() -> list[MetricInfo]:
    """What the worker reads off every trainer (`worker/gauges.py`) and its machine (`worker/machine.py`),
    besides what a trainer logs by itself."""
    return [
        MetricInfo(
            "learned_tokens",
            "Tokens learned from",
            "Length",
            "Share of the tokens read that count in the loss. Prompts are read without being learned.",
        ),
        MetricInfo("rows_cut", "Rows cut off", "Length", "Share of the rows that fill the longest length."),
        MetricInfo(
            "data_wait",
            "Waiting for data",
            "Throughput",
            "Share of the time in which training waits for its next rows.",
        ),
        MetricInfo(
            "gpu_use",
            "GPU use",
            "Throughput",
            "Share of the time in which the GPU computes anything at all, the mean of the run's GPUs. Much "
            "below 1, it waits: for rows, for the processor, or because batches are small.",
            is_share=True,
        ),
        MetricInfo(
            "gpu_memory",
            "GPU memory",
            "Throughput",
            "Memory in use on the run's GPUs together, by other programs, too.",
            unit="GB",
        ),
        MetricInfo("gpu_power", "GPU power", "Throughput", "What the run's GPUs draw together.", unit="W"),
        MetricInfo(
            "cpu_cores",
            "Processor cores",
            "Throughput",
            "How many cores training keeps busy, where it has no GPU.",
        ),
        MetricInfo(
            "process_memory",
            "Memory",
            "Throughput",
            "Memory that training holds, where it has no GPU.",
            unit="GB",
        ),
    ]
