"""ROUGE: how many words, word pairs or word sequences the answer shares with the reference (Lin 2004). Made
for summaries; it sees words, not meaning. Words of every script count, which the usual tool leaves out."""

from typing import Literal

from studio.graders import overlap
from studio.graders.base import Case, Grader, Score
from studio.graders.reading import FinalPart, final_part, texts, words
from studio.parameters import setting


class Rouge(FinalPart):
    kind: Literal["rouge_1", "rouge_2", "rouge_l"] = setting(
        "rouge_l",
        "Which",
        "ROUGE-1: single words; ROUGE-2: pairs of words; ROUGE-L: the longest sequence that both have, gaps "
        "allowed.",
        basic=True,
    )
    measure: Literal["f", "recall", "precision"] = setting(
        "f",
        "Share of",
        "Recall: of the reference's words; precision: of the answer's; F: the harmonic mean of both. With "
        "recall alone a model learns to go on and on.",
        basic=True,
    )


def score(case: Case, parameters: Rouge) -> Score:
    """The best over the references; None where there is none with a word in it."""
    given = words(final_part(case.answer, parameters.after))
    wanted = [found for text in texts(case.reference) if (found := words(text))]
    return max((one(given, reference, parameters) for reference in wanted), default=None)


def one(given: list[str], wanted: list[str], parameters: Rouge) -> float:
    if parameters.kind == "rouge_l":
        found = overlap.rouge_l(given, wanted)
    else:
        # A reference of one word has no pairs: compare what there is.
        found = overlap.rouge_n(given, wanted, min(int(parameters.kind[-1]), len(wanted)))
    return dict(zip(("precision", "recall", "f"), found, strict=True))[parameters.measure]


GRADER = Grader(
    name="rouge",
    title="ROUGE",
    help="Words the answer shares with the reference.",
    parameters=Rouge,
    each=score,
    group="Text",
    order=50,
    as_it_is=True,
)
