"""Graders of OpenAI's and Amazon's shapes are taken over as they are and score as they would there."""

import json
from typing import Any

import pytest

from studio import graders
from studio.errors import StudioError
from studio.graders import Case, choice, imports, trial
from studio.graders.choice import GraderChoice
from tests.studio.graders.server import Server

ANSWER, REFERENCE = "{{sample.output_text}}", "{{item.reference_answer}}"
EQUAL = {"type": "string_check", "name": "equal", "operation": "eq", "input": ANSWER, "reference": REFERENCE}
ALIKE = {
    "type": "text_similarity",
    "name": "alike",
    "input": ANSWER,
    "reference": REFERENCE,
    "evaluation_metric": "fuzzy_match",
    "pass_threshold": 0.8,
}
PYTHON = {
    "type": "python",
    "name": "length",
    "image_tag": "2025-05-08",
    "source": "def grade(sample, item):\n    return 1 if len(sample['output_text']) < item['n'] else 0.25\n",
}
SCORE = {
    "type": "score_model",
    "name": "judge",
    "model": "exact",
    "input": [
        {
            "role": "developer",
            "content": "Give the highest mark for the same answer and the lowest otherwise.",
        },
        {
            "role": "user",
            "content": [{"type": "input_text", "text": f"Reference: {REFERENCE}. Answer: {ANSWER}"}],
        },
    ],
    "range": [-1, 3],
    "pass_threshold": 0.5,
    "sampling_params": {"max_completions_tokens": 500, "seed": 1},
}
LABEL = {
    "type": "label_model",
    "name": "tone",
    "model": "kind",
    "input": [{"role": "user", "content": f"The tone of: {ANSWER}"}],
    "labels": ["kind", "unkind"],
    "passing_labels": ["kind"],
}


def multi(formula: str, **parts: Any) -> dict[str, Any]:
    return {"type": "multi", "name": "all", "graders": parts, "calculate_output": formula}


def reward(choices: list[GraderChoice], case: Case) -> float | None:
    """What a run would make of it."""
    scores = [trial.run(each, case).score for each in choice.checked(choices)]
    return choice.weighted([each.weight for each in choices], scores)


def at(server: Server, choices: list[GraderChoice]) -> list[GraderChoice]:
    """The same, asking the server of the tests instead of OpenAI's and without a key."""
    text = json.dumps([each.model_dump() for each in choices])
    text = text.replace("https://api.openai.com", server.address).replace("OPENAI_API_KEY", "")
    return [GraderChoice(**each) for each in json.loads(text)]


RIGHT = Case(answer="Paris", reference="Paris", row={"n": 6})
NEAR = Case(answer="Parma", reference="Paris", row={"n": 5})


@pytest.mark.parametrize(
    ("grader", "right", "near"),
    [
        (EQUAL, 1, 0),
        (EQUAL | {"operation": "ne"}, 0, 1),
        (EQUAL | {"operation": "neq"}, 0, 1),
        (EQUAL | {"operation": "ilike", "reference": "PAR"}, 1, 1),
        (ALIKE, 1, 0.6),
        (ALIKE | {"evaluation_metric": "rouge_l"}, 1, 0),
        (ALIKE | {"evaluation_metric": "gleu"}, 1, 0),
        (PYTHON, 1, 0.25),
        (SCORE, 3, -1),
        (SCORE | {"range": [0, 1]}, 1, 0),
        (LABEL, 1, 1),
        (LABEL | {"passing_labels": ["unkind"]}, 0, 0),
        (multi("0.7 * equal + 0.3 * alike", equal=EQUAL, alike=ALIKE), 1, 0.18),
        (multi("(equal + alike) / 2", equal=EQUAL, alike=ALIKE), 1, 0.3),
        (multi("min(equal, alike) + alike ^ 2", equal=EQUAL, alike=ALIKE), 2, 0.36),
        (multi("max(equal, 0.5) * judge", equal=EQUAL, judge=SCORE), 3, -0.5),
        (multi("(judge + 1) / 4", judge=SCORE), 1, 0),
        (multi("2 * judge - length", judge=SCORE, length=PYTHON), 5, -2.25),
    ],
    ids=lambda value: str(value.get("calculate_output") or value["type"]) if isinstance(value, dict) else "",
)
def test_openais_graders_score_as_they_say(
    grader: dict[str, Any], right: float, near: float, server: Server
) -> None:
    for document in (grader, json.dumps(grader), json.dumps({"grader": grader}).encode()):
        taken = at(server, imports.import_openai(document))
    assert reward(taken, RIGHT) == pytest.approx(right)
    assert reward(taken, NEAR) == pytest.approx(near)


def test_a_weighted_sum_becomes_parts_that_are_charted_by_themselves() -> None:
    taken = imports.import_openai(multi("0.7 * equal + 0.3 * alike", equal=EQUAL, alike=ALIKE))
    assert [(each.name, each.grader, each.weight) for each in taken] == [
        ("equal", "string_check", 0.7),
        ("alike", "text_similarity", 0.3),
    ]
    (whole,) = imports.import_openai(multi("equal * alike", equal=EQUAL, alike=ALIKE))
    assert (whole.name, whole.grader) == ("all", "formula")


def test_a_multi_over_tool_calls_reads_the_calls() -> None:
    name = EQUAL | {"input": "find", "reference": "{{sample.output_tools[0].function.name}}"}
    arguments = EQUAL | {
        "input": '{"smiles": "{{item.smiles}}"}',
        "reference": "{{sample.output_tools[0].function.arguments}}",
    }
    taken = imports.import_openai(
        multi("0.5 * function_name + 0.5 * arguments", function_name=name, arguments=arguments)
    )
    call = {"type": "function", "function": {"name": "find", "arguments": {"smiles": "CCO"}}}
    said = [{"role": "assistant", "content": "", "tool_calls": [call]}]
    assert reward(taken, Case(answer="", completion=said, row={"smiles": "CCO"})) == 1
    assert reward(taken, Case(answer="", completion=said, row={"smiles": "C"})) == 0.5
    assert reward(taken, Case(answer="find", row={"smiles": "CCO"})) == 0


def test_the_grader_of_a_job_and_the_criteria_of_an_evaluation_are_found() -> None:
    job = {"model": "m", "method": {"type": "reinforcement", "reinforcement": {"grader": EQUAL}}}
    assert [each.grader for each in imports.import_openai(job)] == ["string_check"]
    several = imports.import_openai({"testing_criteria": [EQUAL, EQUAL, ALIKE | {"name": "a/b: ü!"}]})
    assert [each.name for each in several] == ["equal", "equal 2", "a-b: ü"]
    choice.checked(several)


def test_what_the_judge_is_asked_and_how_it_samples_comes_along(server: Server) -> None:
    (taken,) = at(server, imports.import_openai(SCORE | {"range": [0, 1]}))
    reward([taken], RIGHT)
    body = server.seen[-1][2]
    assert body["messages"][0]["role"] == "developer"
    assert body["messages"][1]["content"].startswith("Reference: Paris. Answer: Paris")
    assert (body["max_completion_tokens"], body["seed"]) == (500, 1)
    (kept,) = imports.import_openai(SCORE | {"range": [0, 1]})
    assert kept.parameters["address"] == imports.OPENAI
    assert kept.parameters["key_variable"] == imports.OPENAI_KEY


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "no JSON"),
        ("[]", "no grader in it"),
        ("3", "no grader in it"),
        ({"type": "magic"}, "type “magic”"),
        ({}, "type “None”"),
        ([3], "no object"),
        (EQUAL | {"operation": "same"}, "Comparison"),
        (EQUAL | {"input": "{{ env.HOME }}"}, "names nothing"),
        ({"type": "string_check", "operation": "eq"}, "no “input”"),
        (ALIKE | {"evaluation_metric": "meteor"}, "WordNet"),
        (ALIKE | {"evaluation_metric": "cosine"}, "embedding"),
        ({"type": "python"}, "no “source”"),
        (SCORE | {"range": [1, 0]}, "range"),
        (
            SCORE | {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "text",
        ),
        (SCORE | {"input": []}, "list of messages"),
        (LABEL | {"labels": "kind"}, "Labels"),
        (multi("equal + other", equal=EQUAL), "uses “other”"),
        (multi("equal; 1", equal=EQUAL), "formula"),
        (multi("equal"), "object of graders"),
        (multi("a", a=EQUAL | {"type": "magic"}), "magic"),
    ],
)
def test_what_cannot_be_taken_over_is_refused_in_words(document: Any, words: str) -> None:
    with pytest.raises(StudioError, match=words) as refused:
        imports.import_openai(document)
    assert refused.value.hint


# ---- Amazon Bedrock -------------------------------------------------------------------------------------

LAMBDA = '''"""Scores by the words an answer shares with the wanted one."""
import json
from dataclasses import asdict, dataclass


@dataclass
class Reward:
    id: str
    aggregate_reward_score: float
    metrics_list: list


def wanted(sample):
    return sample.get("metadata", {}).get("reference_answer") or sample["reference_answer"]


def lambda_handler(event, context):
    found = []
    for sample in event:
        said = sample["messages"][-1]
        assert said["role"] == "assistant"
        assert sample["messages"][0]["content"] == "Capital of France?"
        score = float(said["content"].lower() == wanted(sample)["city"].lower()) * sample["factor"]
        parts = [{"name": "same", "value": score, "type": "Reward"}]
        found.append(asdict(Reward(sample["id"], score, parts)))
    return found
'''
ASKED: dict[str, Any] = {
    "reference": {"city": "Paris"},
    "messages": [{"role": "user", "content": "Capital of France?"}],
    "row": {"factor": 0.5},
}


@pytest.mark.parametrize(
    "source",
    [
        LAMBDA,
        LAMBDA.replace("lambda_handler", "score_answers"),
        LAMBDA.replace("wanted(", "grade("),
        "\ufeff" + LAMBDA,
    ],
    ids=["as documented", "another name", "a function called grade", "with a byte order mark"],
)
def test_a_reward_function_of_amazons_scores_in_the_sandbox(source: str) -> None:
    taken = imports.import_bedrock(source.encode())
    assert [each.grader for each in taken] == ["python"]
    assert reward(taken, Case(answer="paris", **ASKED)) == 0.5
    assert reward(taken, Case(answer="<think>Rome?</think>Paris", **ASKED)) == 0.5
    assert reward(taken, Case(answer="Rome", **ASKED)) == 0


def test_a_reward_function_behind_an_address_is_asked_in_amazons_shape(server: Server) -> None:
    taken = imports.import_bedrock(f" {server.address}/score\n")
    case = Case(answer="Paris", reference="Paris", messages=ASKED["messages"], row={"my_key": "1"})
    assert reward(taken, case) == 1
    (event,) = [body for path, _, body in server.seen if path == "/score"][-1]
    assert event == {
        "id": "0",
        "messages": [*ASKED["messages"], {"role": "assistant", "content": "Paris"}],
        "reference_answer": "Paris",
        "my_key": "1",
        "metadata": {"reference_answer": "Paris", "my_key": "1"},
    }


def test_a_row_that_holds_the_whole_conversation_does_not_give_the_answer_away(server: Server) -> None:
    row = {"messages": [*ASKED["messages"], {"role": "assistant", "content": "the wanted answer"}]}
    case = Case(answer="x", reference="the wanted answer", messages=ASKED["messages"], row=row)
    reward(imports.import_bedrock(f"{server.address}/score"), case)
    (event,) = [body for path, _, body in server.seen if path == "/score"][-1]
    assert [said["content"] for said in event["messages"]] == ["Capital of France?", "x"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("def lambda_handler(event, context:\n", "no Python, line 1"),
        ("print(1)", "no function lambda_handler"),
        ("import boto3\n" + LAMBDA, "boto3"),
        ('{"lambdaArn": "arn:aws:lambda:us-east-1:1:function:x"}', "Amazon's cloud"),
        ("http://user:secret@host/", "no address"),
    ],
)
def test_what_bedrock_names_but_cannot_be_run_here_is_refused_in_words(document: str, words: str) -> None:
    with pytest.raises(StudioError, match=words) as refused:
        imports.take_over(document)
    assert refused.value.hint


def test_the_kind_is_told_from_the_document() -> None:
    assert imports.take_over(json.dumps(EQUAL))[0].grader == "string_check"
    assert imports.take_over(LAMBDA)[0].grader == "python"
    with pytest.raises(StudioError, match="no kind"):
        imports.take_over(LAMBDA, "other")


# ---- one answer tried -----------------------------------------------------------------------------------


def test_a_trial_says_why_there_is_no_score(server: Server) -> None:
    assert trial.run(GraderChoice(grader="numeric"), Case(answer="3")).note.startswith(
        "This grader has nothing"
    )
    away = GraderChoice(grader="http", parameters={"address": f"{server.address}/forbidden"})
    assert "403" in trial.run(away, Case(answer="3")).note
    fails = GraderChoice(
        grader="python", parameters={"source": "def grade(sample, item):\n    return item['x']"}
    )
    assert "KeyError" in trial.run(fails, Case(answer="3")).note
    assert trial.run(GraderChoice(grader="exact_match"), Case(answer="3", reference="3")) == trial.Trial(1.0)


@pytest.mark.parametrize("name", [grader.name for grader in graders.all() if grader.scorer])
def test_a_trial_of_a_grader_that_needs_the_worker_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(StudioError, match="only a worker loads") as refused:
        trial.run(GraderChoice(grader=name), Case(answer="3"))
    assert "lab" in refused.value.hint
