"""BLEU of one answer (SacreBLEU's sentence score, from 0 to 1): shared runs of one to four words, short
answers punished. Made for translations and for whole texts: on a single sentence it is a rough measure."""

from typing import Literal

from studio.graders.base import Case, Grader, Score, Scorer
from studio.graders.reading import FinalPart, final_part, texts
from studio.parameters import setting


class Bleu(FinalPart):
    tokenizer: Literal["13a", "intl", "char", "zh"] = setting(
        "13a",
        "Words are told apart",
        "13a: as the WMT does for most languages; intl: by Unicode; char: every character; zh: Chinese.",
        source="SacreBLEU",
    )


def prepare(parameters: Bleu) -> Scorer:
    from sacrebleu.metrics.bleu import BLEU

    # Effective order: a sentence shorter than four words is measured by the runs it can have.
    metric = BLEU(tokenize=parameters.tokenizer, effective_order=True)

    def score(case: Case) -> Score:
        wanted = texts(case.reference)
        if not wanted:
            return None
        found = metric.sentence_score(final_part(case.answer, parameters.after).strip(), wanted).score
        return min(1.0, found / 100)

    return lambda cases: [score(case) for case in cases]


GRADER = Grader(
    name="bleu",
    title="BLEU",
    help="Runs of words the answer shares with the reference, as translations are measured.",
    parameters=Bleu,
    prepare=prepare,
    group="Text",
    order=45,
    as_it_is=True,
)
