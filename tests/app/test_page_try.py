"""The chat page: choosing models, answers as they grow, held-out prompts."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, parts
from app.api import held_out as held_out_api
from app.pages import try_ as page
from studio import chats, db, held_out, storage
from studio.datasets import canonical
from studio.models import Answer, Dataset, DatasetVersion, Model, Run, State

NASTY = "<img src=x onerror=alert(1)>"
ROW = {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2"}]}


@pytest.fixture
def browser(database: Path) -> TestClient:
    app = FastAPI()
    errors.install(app)
    for router in (parts.router, held_out_api.router):
        app.include_router(router)
    return TestClient(app)


@pytest.fixture
def pair(database: Path) -> None:
    """Model 1 and model 2, which run 1 made from it and which has held-out data."""
    folder = storage.made(storage.inside("datasets/kept"))
    with canonical.writing(folder / "rows.jsonl") as writer:
        for reference in ("4", "four"):
            writer.add(canonical.encode(ROW | {"reference_answer": reference}))
    with db.transaction() as session:
        kept = DatasetVersion(
            dataset=Dataset(name="kept"),
            number=1,
            shape="prompt",
            format="jsonl",
            rows=2,
            sha256="k",
            folder="datasets/kept",
        )
        base = Model(name="base", source="x/base")
        session.add_all([kept, base])
        session.flush()
        run = Run(name="r", technique="sft", model=base, held_out=kept, state=State.SUCCEEDED)
        session.add(run)
        session.flush()
        session.add(Model(name="tuned", source="x/tuned", run_id=run.id, base_id=base.id))


def ask(message: str = "hello") -> str:
    with db.transaction() as session:
        return chats.ask(session, [1, 2], message)[0].chat


def answer(chat: str, text: str, state: str, seconds: float | None = None, tokens: int | None = None) -> None:
    with db.transaction() as session:
        for each in session.query(Answer).filter_by(chat=chat):
            each.text, each.state, each.seconds, each.tokens = text, state, seconds, tokens


def test_without_models_the_page_says_how_to_get_one(browser: TestClient) -> None:
    assert "No models yet" in browser.get("/parts/try-models").text
    assert "textarea" not in browser.get("/parts/try-ask").text


def test_base_and_tuned_are_suggested_together(browser: TestClient, pair: None) -> None:
    text = browser.get("/parts/try-models").text
    assert "/try?models=1,2" in text
    assert "Compare tuned with base" in text


def test_only_models_that_talk_can_be_asked(browser: TestClient, pair: None) -> None:
    with db.transaction() as session:
        session.add(Model(name="a reward", source="x/reward", kind="reward"))
    assert "a reward" not in browser.get("/parts/try-models").text


def test_chosen_models_are_checked_and_no_more_than_four_can_be(browser: TestClient, pair: None) -> None:
    with db.transaction() as session:
        session.add_all([Model(name=f"m{n}", source=f"x/m{n}") for n in range(3)])
    text = browser.get("/parts/try-models", params={"models": "1,2,3,4"}).text
    assert text.count(" checked") == 4
    assert text.count(" disabled") == 1


def test_send_waits_for_a_model(browser: TestClient, pair: None) -> None:
    assert "Choose a model to ask" in browser.get("/parts/try-ask").text
    assert ">Send<" in browser.get("/parts/try-ask", params={"models": "1"}).text


def test_answers_stand_side_by_side_and_are_asked_for_quickly_while_they_grow(
    browser: TestClient, pair: None
) -> None:
    chat = ask()
    answer(chat, "Hel", "sent")
    growing = browser.get("/parts/try-chat", params={"chat": chat, "models": "1,2"})
    assert float(growing.headers["Live-Every"]) <= 0.5
    assert growing.text.count("Hel") == 2
    assert "--columns: 2" in growing.text
    answer(chat, "Hello.", "done", 2.0, 50)
    done = browser.get("/parts/try-chat", params={"chat": chat, "models": "1,2"})
    assert float(done.headers["Live-Every"]) > 2
    assert "50 tokens · 25 tokens/s" in done.text


def test_waiting_says_for_what(browser: TestClient, pair: None) -> None:
    text = browser.get("/parts/try-chat", params={"chat": ask()}).text
    assert "no worker is running" in text


def test_loading_is_told_in_the_words_of_the_run(browser: TestClient, pair: None) -> None:
    chat = ask()
    with db.transaction() as session:
        run = chats.serving(session, chat)
        assert run is not None
        run.state, run.activity = State.RUNNING, "Loading tuned"
    assert "Loading tuned" in browser.get("/parts/try-chat", params={"chat": chat}).text


def test_a_failed_answer_is_shown_as_one(browser: TestClient, pair: None) -> None:
    chat = ask()
    answer(chat, "The model stopped before it answered. Ask again.", "failed")
    assert "did not answer" in browser.get("/parts/try-chat", params={"chat": chat}).text


def test_what_people_and_models_say_is_escaped(browser: TestClient, pair: None) -> None:
    chat = ask(NASTY)
    answer(chat, NASTY, "done")
    text = browser.get("/parts/try-chat", params={"chat": chat}).text
    assert "<img" not in text
    assert text.count("&lt;img") == 3


def test_held_out_prompts_come_with_their_reference_and_go_round(browser: TestClient, pair: None) -> None:
    first, second, third = (
        browser.get(f"/api/chat/examples/{n}", params={"models": "2"}).json() for n in range(3)
    )
    assert first == {
        "message": "2+2",
        "system": "Be brief.",
        "reference": "4",
        "source": "kept · v1",
        "number": 0,
        "rows": 2,
    }
    assert (second["reference"], third["reference"]) == ("four", "4")
    assert "Use a held-out prompt" in browser.get("/parts/try-ask", params={"models": "2"}).text


def test_models_without_held_out_data_say_so(browser: TestClient, database: Path) -> None:
    with db.transaction() as session:
        session.add(Model(name="alone", source="x/alone"))
    refused = browser.get("/api/chat/examples/0", params={"models": "1"})
    assert refused.status_code == 404
    assert "No held-out data" in refused.json()["error"]


@pytest.mark.parametrize(
    ("row", "message", "reference"),
    [
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, "q", "a"),
        ({"prompt": "q", "completion": "a"}, "q", "a"),
        ({"prompt": "q", "chosen": [{"role": "assistant", "content": "a"}], "rejected": "b"}, "q", "a"),
        ({"prompt": "q"}, "q", ""),
    ],
)
def test_every_shape_gives_a_question_and_its_answer(
    row: dict[str, object], message: str, reference: str
) -> None:
    asked, wanted = held_out.taken_apart(row)
    assert (held_out.text_of(asked[-1]), wanted) == (message, reference)


def test_the_page_lists_itself() -> None:
    assert page.PAGE.path == "/try"
