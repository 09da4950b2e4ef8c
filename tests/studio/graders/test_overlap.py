"""Our ROUGE, GLEU and letter similarity give what the usual libraries give."""

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.gleu_score import sentence_gleu
from rouge_score.rouge_scorer import RougeScorer

from studio.graders import overlap
from studio.graders.reading import words

TEXTS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat", "7", "Home"]), max_size=25).map(
    " ".join
)


@given(TEXTS, TEXTS)
def test_rouge_equals_the_reference_implementation(given_text: str, wanted: str) -> None:
    kinds = [*(f"rouge{size}" for size in range(1, 6)), "rougeL"]
    theirs = RougeScorer(kinds).score(wanted, given_text)
    ours = [overlap.rouge_n(words(given_text), words(wanted), size) for size in range(1, 6)]
    ours.append(overlap.rouge_l(words(given_text), words(wanted)))
    for kind, found in zip(kinds, ours, strict=True):
        assert found == pytest.approx(tuple(theirs[kind]))


@given(TEXTS.filter(bool), TEXTS.filter(bool))
def test_gleu_equals_nltks(given_text: str, wanted: str) -> None:
    ours = overlap.gleu(given_text.split(), wanted.split())
    assert ours == pytest.approx(sentence_gleu([wanted.split()], given_text.split()))


@given(st.text("abc", max_size=30), st.text("abc", max_size=30))
def test_the_longest_common_subsequence_equals_the_table_of_the_textbook(one: str, other: str) -> None:
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for row, a in enumerate(one, 1):
        for column, b in enumerate(other, 1):
            best = max(table[row - 1][column], table[row][column - 1])
            table[row][column] = table[row - 1][column - 1] + 1 if a == b else best
    assert overlap.longest_common(one, other) == table[-1][-1]
    assert overlap.ratio(one, other) == overlap.ratio(other, one)


def test_long_texts_take_milliseconds() -> None:
    rng = random.Random(0)
    one, other = ([rng.randrange(500) for _ in range(10_000)] for _ in range(2))
    began = time.process_time()
    assert 0 < overlap.longest_common(one, other) < 10_000
    assert time.process_time() - began < 1


def test_words_of_every_script_count() -> None:
    assert words("Die Größe, 3,5 кг: 猫が!") == ["die", "größe", "3", "5", "кг", "猫", "が"]
    assert words(re.sub(r"\w", "", "a_b")) == []
