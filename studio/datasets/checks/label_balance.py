"""Labels that are lopsided: a model that always gives the frequent one looks good and learns little.

The bound of four fifths is our own rule of thumb; KTO wants good and bad weighted between 1:1 and 4:3
(Ethayarajh et al., 2024), which its weights can restore.
"""

from collections import Counter

from studio.datasets.checks.base import EXAMPLES, Check, Example, Finding
from studio.datasets.view import View

LOPSIDED = 0.8
ENOUGH_ROWS = 10
MOST_LABELS = 10_000


class LabelBalance:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, int] = {}

    def see(self, view: View) -> None:
        label = str(view.row["label"])[:200]
        if label in self.counts or len(self.counts) < MOST_LABELS:
            self.counts[label] += 1
            self.first.setdefault(label, view.line)

    def finish(self) -> Finding | None:
        total = self.counts.total()
        if total < ENOUGH_ROWS:
            return None
        (label, count), *others = self.counts.most_common()
        if count < LOPSIDED * total:
            return None
        rare = others[-EXAMPLES:] or [(label, count)]
        examples = [
            Example(line=self.first[name], text=f"{name[:80]}: {n:,} of {total:,}") for name, n in rare
        ]
        return Finding(
            name="label_balance",
            severity="warning" if others else "error",
            title=f"{100 * count / total:.0f} % of the rows have the label “{label[:80]}”",
            count=count,
            lines=[example.line for example in examples],
            examples=examples,
            next_step="Add rows of the other labels, or give them more weight.",
        )


CHECK = Check("label_balance", "Label balance", ("labelled", "classification"), LabelBalance, order=80)
