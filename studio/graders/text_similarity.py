"""Text similarity, as OpenAI's grader of that name: two templates filled from the row and the answer, and how
alike they are. METEOR needs a dictionary and `cosine` a paid service, so neither is here."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import field_validator

from studio.graders import overlap, templates
from studio.graders.base import Case, Grader, Score, Scorer
from studio.graders.reading import words
from studio.parameters import Parameters, setting

Measure = Callable[[str, str], float]
NOT_HERE = {
    "meteor": "METEOR needs the WordNet dictionary, which is not part of the studio; take rouge_l or gleu",
    "cosine": "cosine needs OpenAI's embedding service; take embedding similarity with a local model",
}


class TextSimilarity(Parameters):
    metric: Literal[
        "fuzzy_match", "bleu", "gleu", "rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l"
    ] = setting(
        "fuzzy_match",
        "Measure",
        "fuzzy_match compares letters; all others compare words and runs of words.",
        basic=True,
    )
    input: str = setting(
        "{{ sample.output_text }}",
        "Input",
        "A text with places: {{ sample.output_text }} is the answer, {{ item.COLUMN }} a column of the row.",
        basic=True,
        kind="words",
        max_length=100_000,
    )
    reference: str = setting(
        "{{ item.reference_answer }}",
        "Reference",
        "What the input is compared with; the same places.",
        basic=True,
        kind="words",
        max_length=100_000,
    )

    @field_validator("metric", mode="before")
    @classmethod
    def one_that_works_offline(cls, metric: Any) -> Any:
        if isinstance(metric, str) and metric in NOT_HERE:
            raise ValueError(NOT_HERE[metric])
        return metric


def prepare(parameters: TextSimilarity) -> Scorer:
    templates.check(parameters.input, "input")
    templates.check(parameters.reference, "reference")
    measure = measure_of(parameters.metric)

    def score(case: Case) -> Score:
        """None where the row lacks a named column; 0 where the answer lacks a part, such as a tool call."""
        try:
            given = templates.render(parameters.input, case)
            wanted = templates.render(parameters.reference, case)
        except templates.Missing as missing:
            return None if missing.namespace == "item" else 0.0
        return min(1.0, measure(given, wanted))

    return lambda cases: [score(case) for case in cases]


def measure_of(metric: str) -> Measure:
    if metric == "fuzzy_match":
        return overlap.ratio
    if metric == "gleu":
        return lambda given, wanted: overlap.gleu(given.split(), wanted.split())
    if metric == "rouge_l":
        return lambda given, wanted: overlap.rouge_l(words(given), words(wanted))[2]
    if metric == "bleu":
        from sacrebleu.metrics.bleu import BLEU

        bleu = BLEU(effective_order=True)
        return lambda given, wanted: float(bleu.sentence_score(given, [wanted]).score) / 100
    size = int(metric.removeprefix("rouge_"))
    return lambda given, wanted: overlap.rouge_n(words(given), words(wanted), size)[2]


GRADER = Grader(
    name="text_similarity",
    title="Text similarity (OpenAI)",
    help="How alike two texts are that are made from the row and the answer.",
    parameters=TextSimilarity,
    prepare=prepare,
    group="Text",
    order=81,
    as_it_is=True,
)
