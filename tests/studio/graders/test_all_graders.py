"""Every grader, by looping over the registry: what it says of itself, its sample file, and any answer at all.

A sample file holds the settings, an answer that gets the best score, and further cases with their scores."""

import json
import math
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio import graders, parameters
from studio.graders import Case, Grader
from tests.studio.graders.server import Server

SAMPLES = Path(__file__).parent / "samples"
ALL = graders.all()
HERE = [grader for grader in ALL if not grader.scorer]
SLOW = {"python", "unit_tests", "http", "judge_service"}  # another process for every batch, or every answer
MANY = 1000
IDS = {"ids": lambda grader: grader.name}


@cache
def sample(name: str) -> dict[str, Any]:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def scorer(grader: Grader, server: Server, **changed: Any) -> Any:
    values = json.loads(
        json.dumps(sample(grader.name)["parameters"] | changed).replace("SERVER", server.address)
    )
    return grader.ready(parameters.validate(grader.parameters, values, grader.title))


CASES = [
    pytest.param(grader, example, id=f"{grader.name}: {example['why']}")
    for grader in HERE
    for example in sample(grader.name)["scores"]
]


@pytest.mark.parametrize("grader", ALL, **IDS)
def test_every_grader_explains_itself_and_its_settings(grader: Grader) -> None:
    assert grader.title
    assert grader.help.endswith(".")
    assert grader.group in {"Text", "Structure", "Program", "Model"}
    assert sum(map(bool, (grader.each, grader.prepare, grader.scorer))) == 1
    grader.parameters()
    for name, field in grader.parameters.model_fields.items():
        assert field.title, name
        assert (field.description or "").endswith("."), name
    basic = [parameters.about(field).get("basic") for field in grader.parameters.model_fields.values()]
    assert sum(map(bool, basic)) <= 7


@pytest.mark.parametrize("grader", HERE, **IDS)
def test_a_perfect_answer_gets_the_best_score(grader: Grader, server: Server) -> None:
    best = grader.high if grader.high is not None else sample(grader.name)["perfect_score"]
    assert scorer(grader, server)([Case(**sample(grader.name)["perfect"])]) == [pytest.approx(best)]


@pytest.mark.parametrize(("grader", "example"), CASES)
def test_the_sample_gets_its_score(grader: Grader, example: dict[str, Any], server: Server) -> None:
    (found,) = scorer(grader, server, **example.get("parameters", {}))([Case(**example["case"])])
    assert found == (example["score"] if example["score"] is None else pytest.approx(example["score"]))


TEXT = st.text(max_size=200)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXT, inside, max_size=4),
    max_leaves=12,
)
PIECES = ["<think>", "</think>", "<answer>", "{", "}", "[", "]", '"', "\\boxed{", "1,0", "-", "1e999", "/0"]
PIECES += [
    "<tool_call>",
    '{"name": "x", "arguments": 3}',
    "```json\n",
    "```",
    "#### ",
    "{{item.x}}",
    "\ud800",
    "\x00",
]
ANSWER = TEXT | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
ANY_CASE = st.builds(
    Case,
    answer=ANSWER,
    reference=JSON,
    prompt=TEXT,
    row=st.dictionaries(
        st.sampled_from(["schema", "tool_calls", "messages", "tests", "x"]) | TEXT, JSON, max_size=3
    ),
    tokens=st.none() | st.integers(0, 10**9),
    truncated=st.booleans(),
)


def test_any_answer_gets_a_score_in_the_range_or_none(server: Server) -> None:
    scorers = {grader: scorer(grader, server) for grader in HERE if grader.name not in SLOW}

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ANY_CASE, min_size=1, max_size=3))
    def check(cases: list[Case]) -> None:
        for grader, score in scorers.items():
            hold(grader, cases, score(cases))

    check()


@pytest.mark.parametrize("grader", [grader for grader in HERE if grader.name in SLOW], **IDS)
def test_any_answer_gets_a_score_from_graders_that_ask_another_process(
    grader: Grader, server: Server
) -> None:
    score, perfect = scorer(grader, server), Case(**sample(grader.name)["perfect"])

    @settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ANY_CASE, min_size=5, max_size=5))
    def check(cases: list[Case]) -> None:
        hold(grader, cases, score([perfect, *cases])[1:])

    check()


def hold(grader: Grader, cases: list[Case], found: list[Any]) -> None:
    assert len(found) == len(cases), grader.name
    for one in found:
        assert one is None or math.isfinite(one), grader.name
        assert one is None or grader.low is None or one >= grader.low, grader.name
        assert one is None or grader.high is None or one <= grader.high, grader.name


@pytest.mark.parametrize("grader", [grader for grader in HERE if grader.name not in SLOW], **IDS)
def test_a_thousand_answers_are_scored_in_a_moment(grader: Grader, server: Server) -> None:
    score, one = scorer(grader, server), Case(**sample(grader.name)["perfect"])
    score([one])
    began = time.process_time()
    score([one] * MANY)
    assert time.process_time() - began < 1.5


LONG = ["[" * 100_000, "{" * 100_000, "1" * 100_000, "((" * 50_000, "a b " * 30_000, "-1," * 30_000]


@pytest.mark.parametrize("grader", HERE, **IDS)
def test_very_long_answers_take_no_time(grader: Grader, server: Server) -> None:
    score, perfect = scorer(grader, server), Case(**sample(grader.name)["perfect"])
    began = time.process_time()
    score([perfect, *(Case(answer=text, reference=text[:50_000]) for text in LONG)])
    assert time.process_time() - began < 20
