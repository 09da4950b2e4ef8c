"""What people can get wrong in a grader's settings is refused in words, and the field is named."""

import time
from typing import Any

import pytest

from studio import graders, parameters
from studio.errors import StudioError
from studio.graders import Case, choice
from studio.graders.choice import GraderChoice

NESTED: dict[str, Any] = {"formula": "right", "graders": {"right": {"grader": "exact_match"}}}
for _ in range(5):
    NESTED = {"formula": "inner", "graders": {"inner": {"grader": "formula", "parameters": NESTED}}}

WRONG = [
    ("regex", {}, "pattern", "no pattern"),
    ("regex", {"pattern": "("}, "pattern", "wrong"),
    ("regex", {"pattern": "(" * 500 + ")" * 500}, "pattern", "wrong"),
    ("regex", {"pattern": "(?:a{1,100000})"}, "pattern", "counts up to 100000"),
    ("regex", {"pattern": "a", "group": "1"}, "group", "no group"),
    ("regex", {"pattern": "a", "group": "name"}, "group", "no group"),
    ("format", {"tags": ["<think>"]}, "tags.0|tags", "no name of a tag"),
    ("format", {"tags": ["a", "a"]}, "tags", "once"),
    ("length", {"at_least": 5, "at_most": 4}, "at_most", "below"),
    ("soft_overlong", {"longest": 100, "cache": 101}, "cache", "larger"),
    ("json_schema", {"json_schema": "{"}, "json_schema", "no JSON"),
    ("json_schema", {"json_schema": {"type": "nonsense"}}, "json_schema", "cannot be used"),
    ("json_schema", {"json_schema": {"$ref": "http://127.0.0.1:1/a.json"}}, "json_schema", "leads nowhere"),
    ("json_schema", {"json_schema": {"$ref": "file:///etc/passwd"}}, "json_schema", "leads nowhere"),
    ("json_schema", {"json_schema": {"$ref": "#"}}, "json_schema", "circle"),
    ("json_schema", {"json_schema": {"pattern": "^.{1,4000}$"}}, "json_schema", "counts up to 4000"),
    (
        "json_schema",
        {"json_schema": {"$defs": {"a": {"anyOf": [{"patternProperties": {"a{2000}": {}}}]}}}},
        "json_schema",
        "counts up to 2000",
    ),
    ("json_fields", {"weights": {"a": "b"}}, "weights", "object of numbers"),
    ("json_fields", {"weights": {"a": -1}}, "weights", "object of numbers"),
    ("string_check", {"input": "{{ item }}"}, "input", "names nothing"),
    ("string_check", {"reference": "{{ system.secret }}"}, "reference", "names nothing"),
    ("string_check", {"input": "{{ item.a + 1 }}"}, "input", "names nothing"),
    ("text_similarity", {"metric": "meteor"}, "metric", "WordNet"),
    ("text_similarity", {"metric": "cosine"}, "metric", "embedding similarity"),
    ("formula", {}, "formula", "no formula"),
    ("formula", {"formula": "a"}, "formula", "no grader is called so"),
    ("formula", {"formula": "a", "graders": {"a": {"grader": "judge"}}}, "graders", "needs the worker"),
    ("formula", {"formula": "a", "graders": {"a": {"parameters": {}}}}, "graders", "no grader"),
    ("formula", {"formula": "a", "graders": {"a": {"grader": "regex"}}}, "pattern", "no pattern"),
    ("formula", {"formula": "a", "graders": ["a"]}, "graders", "object of graders"),
    ("formula", NESTED, "graders", "too deep"),
    ("judge", {"lowest": 3, "highest": 3}, "highest", "above the lowest"),
    ("judge", {"highest": 3.5}, "highest", "whole marks"),
    ("judge", {"highest": 500}, "highest", "at most"),
    ("judge_service", {}, "model", "No judge is named"),
    ("judge_service", {"model": "m", "address": "ftp://x"}, "address", "no address"),
    ("judge_service", {"model": "m", "key_variable": "TUNESMITH_SECRET"}, "key_variable", "match"),
    ("judge_service", {"model": "m", "key_variable": "sk-123"}, "key_variable", "match"),
    ("judge_service", {"model": "m", "options": {"model": "other"}}, "options", "without"),
    ("judge_service", {"model": "m", "messages": [{"role": "tool", "content": ""}]}, "messages", "list of"),
    ("judge_service", {"model": "m", "mode": "labels"}, "labels", "no labels"),
    ("judge_service", {"model": "m", "mode": "labels", "labels": ["a"], "passing": ["b"]}, "passing", "none"),
    ("judge_service", {"model": "m", "rubric": "{{ nothing }}"}, "rubric", "names nothing"),
    ("http", {"address": "http://user:password@host/"}, "address", "no address"),
    ("http", {"address": "http://[bad"}, "address", "no address"),
]


@pytest.mark.parametrize(("name", "values", "field", "words"), WRONG)
def test_a_wrong_setting_is_refused_in_words(
    name: str, values: dict[str, Any], field: str, words: str
) -> None:
    grader = graders.get(name)
    with pytest.raises(StudioError, match=words) as refused:
        grader.ready(parameters.validate(grader.parameters, values, grader.title))
    assert refused.value.hint
    assert refused.value.field in field.split("|")


def test_a_run_is_refused_when_one_of_its_graders_is_wrong() -> None:
    with pytest.raises(StudioError, match="no pattern"):
        choice.checked([GraderChoice(grader="exact_match"), GraderChoice(grader="regex")])


@pytest.mark.parametrize(
    "pattern",
    [r"(a+)+$", r"(a|a)*b", r"(a|b|ab)*(?=c)", r"(.*a){25}b", r"(?R)?a", r"((a*)*)*b", r"(?:a?){99}a{99}"],
)
def test_no_pattern_takes_long_whatever_the_answer(pattern: str) -> None:
    score = graders.get("regex").ready(graders.get("regex").parameters(pattern=pattern))
    if "(?R)" in pattern:  # JSON schema knows no patterns in themselves
        pattern = "(b?a)+$"
    schema = {"pattern": pattern, "patternProperties": {pattern: True}, "additionalProperties": False}
    of_schema = graders.get("json_schema").ready(graders.get("json_schema").parameters(json_schema=schema))
    for text in ("a" * 5000 + "!", "ab" * 3000 + "d", "a" * 40):
        began = time.process_time()
        score([Case(answer=text)])
        of_schema([Case(answer=f'"{text}"'), Case(answer=f'{{"{text}": 1}}')])
        assert time.process_time() - began < 2


def test_a_schema_full_of_itself_does_not_run_away() -> None:
    schema = {"properties": {"a": {"$ref": "#"}, "b": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}
    deep = '{"a":' * 800 + "1" + "}" * 800
    score = graders.get("json_schema").ready(graders.get("json_schema").parameters(json_schema=schema))
    began = time.process_time()
    assert score([Case(answer=deep)])[0] in (None, 1.0)
    assert time.process_time() - began < 5
