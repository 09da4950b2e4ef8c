"""Graders that ask another program: whom they may ask, and what happens when nothing good comes back."""

import time
from pathlib import Path
from typing import Any

import pytest

from studio import graders, parameters, settings
from studio.errors import StudioError
from studio.graders import Case, outgoing
from studio.graders.outgoing import Failed
from tests.studio.graders.server import Server

CASE = Case(answer="Paris", reference="Paris", prompt="Capital of France?")


def ready(name: str, **values: Any) -> Any:
    grader = graders.get(name)
    return grader.ready(parameters.validate(grader.parameters, values, grader.title))


def reason(address: str, **values: Any) -> str:
    score = ready("http", address=address, retries=0, **values)
    assert score([CASE]) == [None]
    return score.failures.last


# ---- whom -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "gopher://h/",
        "ftp://h/",
        "//h/",
        "h/score",
        "http://",
        "http://u:p@h/",
        "http://h:x/",
    ],
)
def test_only_http_addresses_without_keys_are_called(address: str, studio_folder: Path) -> None:
    with pytest.raises(StudioError, match="no address"):
        outgoing.check_address(address, "address")


INSIDE = [
    "http://169.254.169.254/latest",
    "http://10.0.0.1/",
    "http://[::1]:6379/",
    "http://localhost:7870/api",
]


@pytest.mark.parametrize("address", [*INSIDE, "https://api.openai.com/v1"])
def test_a_studio_open_to_others_calls_only_hosts_its_owner_listed(
    address: str, studio_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outgoing.check_address(address, "address")  # on loopback the person is the owner
    monkeypatch.setattr(settings.get(), "host", "0.0.0.0")
    with pytest.raises(StudioError, match="may not call") as refused:
        outgoing.check_address(address, "address")
    assert "TUNESMITH_GRADER_HOSTS" in refused.value.hint
    monkeypatch.setattr(settings.get(), "grader_hosts", "judge.example, api.openai.com")
    if "openai" in address:
        outgoing.check_address(address, "address")
    else:
        with pytest.raises(StudioError, match="may not call"):
            outgoing.check_address(address, "address")
    monkeypatch.setattr(settings.get(), "grader_hosts", "*")
    outgoing.check_address(address, "address")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("http", {"address": "http://10.0.0.1/"}),
        ("judge_service", {"address": "http://10.0.0.1/v1", "model": "m"}),
        (
            "formula",
            {
                "formula": "a",
                "graders": {"a": {"grader": "http", "parameters": {"address": "http://10.0.0.1/"}}},
            },
        ),
    ],
)
def test_every_grader_that_calls_out_asks_first(
    name: str, values: dict[str, Any], studio_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.get(), "host", "0.0.0.0")
    with pytest.raises(StudioError, match="may not call"):
        ready(name, **values)


def test_a_redirect_is_not_followed(server: Server) -> None:
    assert reason(f"{server.address}/moved").startswith("it answered 302")


# ---- keys -----------------------------------------------------------------------------------------------


def test_the_key_comes_from_the_environment_and_is_kept_nowhere(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"address": f"{server.address}/v1", "model": "five", "key_variable": "SOME_API_KEY"}
    score = ready("judge_service", **values)
    with pytest.raises(StudioError, match="SOME_API_KEY is not set"):
        score([CASE])
    monkeypatch.setenv("SOME_API_KEY", "k-123\n")
    assert score([CASE]) == [1.0]
    assert server.seen[-1][1]["Authorization"] == "Bearer k-123"
    chosen = graders.choice.checked([graders.choice.GraderChoice(grader="judge_service", parameters=values)])
    assert "k-123" not in chosen[0].model_dump_json()
    assert "k-123" not in repr(vars(score))


# ---- what comes back ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("words", "no JSON"),
        ("few", "asked for 1 scores and gave 0"),
        ("infinite", "no JSON"),
        ("nothing", "left out a score"),
        ("forbidden", "403"),
        ("huge", "more than 16 MB"),
    ],
)
def test_an_answer_that_cannot_be_used_is_no_score_and_says_why(
    server: Server, path: str, words: str
) -> None:
    assert words in reason(f"{server.address}/{path}")


def test_nobody_there_is_no_score_and_says_so() -> None:
    assert "could not be reached" in reason("http://127.0.0.1:9/")


@pytest.mark.parametrize("path", ["slow", "drip"])
def test_a_call_that_takes_too_long_is_given_up(server: Server, path: str) -> None:
    began = time.monotonic()
    assert "longer than 0.2 s" in reason(f"{server.address}/{path}", timeout=0.2)
    assert time.monotonic() - began < 1.5


def test_a_busy_server_that_does_not_finish_its_sentence_is_asked_again(server: Server) -> None:
    before = len(server.seen)
    score = ready("http", address=f"{server.address}/breaks_off", timeout=0.2, retries=1)
    assert score([CASE]) == [None]
    assert score.failures.last.startswith("it answered 503")
    assert len(server.seen) == before + 2


def test_a_busy_server_is_asked_again_but_a_refusal_is_final(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(outgoing.time, "sleep", waited.append)
    assert ready("http", address=f"{server.address}/flaky")([CASE]) == [1.0]
    assert waited == [0.5, 1.0]
    before = len(server.seen)
    assert ready("http", address=f"{server.address}/forbidden")([CASE]) == [None]
    assert len(server.seen) == before + 1


def test_one_call_carries_many_answers_and_several_calls_go_at_once(server: Server) -> None:
    before = len(server.seen)
    cases = [Case(answer=str(n), reference=str(n % 3)) for n in range(10)]
    assert ready("http", address=f"{server.address}/score", batch=4)(cases) == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert sorted(len(body) for _, _, body in server.seen[before:]) == [2, 4, 4]
    score = ready("http", address=f"{server.address}/slow", batch=1, at_once=8)
    began = time.monotonic()
    assert score([CASE] * 8) == [1.0] * 8
    assert time.monotonic() - began < 5


def test_an_endpoint_that_stays_away_ends_the_run(server: Server) -> None:
    never = ready("http", address=f"{server.address}/few", batch=1)
    with pytest.raises(StudioError, match="each of the first 16 answers"):
        never([CASE] * 20)

    patience = outgoing.Patience("The endpoint", "Look at it.")
    outcomes: list[list[Any]] = [[1.0], [Failed("gone")] * outgoing.GIVE_UP_AFTER]
    asking = outgoing.Asking(lambda _: outcomes.pop(0), patience)
    assert asking([CASE]) == [1.0]
    with pytest.raises(StudioError, match="in a row"):
        asking([CASE] * outgoing.GIVE_UP_AFTER)


def test_the_judge_is_told_what_the_rubric_and_the_options_say(server: Server) -> None:
    score = ready(
        "judge_service",
        address=f"{server.address}/v1/",
        model="three",
        rubric="Is {answer} right? It should be {{ item.reference_answer }}.",
        options={"temperature": 0.5, "max_tokens": 9},
        lowest=0,
        highest=10,
    )
    assert score([Case(answer="<think>Rome?</think>Paris", reference="Paris")]) == [pytest.approx(0.3)]
    body = server.seen[-1][2]
    assert body["messages"][0]["content"].startswith(
        "Is Paris right? It should be Paris.\n\nReply with a number from 0"
    )
    assert (body["temperature"], body["max_tokens"], body["model"]) == (0.5, 9, "three")


@pytest.mark.parametrize("model", ["words", "empty"])
def test_a_judge_that_gives_no_mark_gives_no_score(server: Server, model: str) -> None:
    score = ready("judge_service", address=f"{server.address}/v1", model=model)
    assert score([CASE]) == [None]
    assert score.failures.last
