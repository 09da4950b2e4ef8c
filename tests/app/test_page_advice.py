"""The answer card's estimate, decisions and files, and the page that says whether advice was right."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdf
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, parts
from app.api import guide_draft
from app.api import prices as prices_api
from app.pages import advice, guide, settings
from studio import db, outcomes, recommendations, sample
from studio.models import Project, Run, State
from studio.recommendations import Decision
from tests import made_runs
from tests.studio.test_outcomes import BAD, GOOD, HALF, measured, trained

assert {page.PAGE.path for page in (advice, guide, settings)} == {"/advice", "/guide", "/settings"}
SFT = {"main_gap": "task_accuracy", "phase_done": 1, "n_labelled": 800}
PAIRS = {"main_gap": "preference_alignment", "phase_done": 2, "n_pairs": 320}


@pytest.fixture
def browser(database: Path) -> TestClient:
    app = FastAPI()
    errors.install(app)
    for router in (parts.router, guide_draft.router, prices_api.router):
        app.include_router(router)
    return TestClient(app)


@pytest.fixture
def advise(browser: TestClient) -> Callable[..., int]:
    """A recommendation of the sample use case; keyword arguments are answers."""
    project = sample.load()

    def made(**answers: Any) -> int:
        with db.transaction() as session:
            kept = recommendations.save(session, answers or SFT)
            kept.project_id = project
            session.flush()
            return kept.id

    return made


def read(browser: TestClient, part: str = "advice", **query: Any) -> str:
    answer = browser.get(f"/parts/{part}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def decide(browser: TestClient, number: int, decision: str, **more: str) -> Any:
    return browser.post(f"/api/recommendations/{number}/decision", json={"decision": decision} | more)


def pdf_of(browser: TestClient, number: int) -> pypdf.PdfReader:
    answer = browser.get(f"/api/recommendations/{number}/card.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert f"advice-{number}-" in answer.headers["content-disposition"]
    return pypdf.PdfReader(io.BytesIO(answer.content))


def text_of(pdf: pypdf.PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in pdf.pages).split())


# ---- our own estimate ---------------------------------------------------------------------------------


def test_the_estimate_stands_apart_from_what_aws_reported(
    browser: TestClient, advise: Callable[..., int]
) -> None:
    text = read(browser, "guide", recommendation=advise())
    own, _, reported = text.partition("as AWS reported")
    own = own.partition("own estimate")[2]
    assert "Supervised fine-tuning with LoRA, from Tunesmith starter, on 500 rows of" in own
    assert " CPU" in own.partition("Memory")[2]
    assert "no run was finished on CPU yet. The first one gives the figure." in own
    assert "an hour of CPU is set to cost nothing" in own
    assert "Not a forecast" in reported
    assert "$" not in own
    assert "The form will still ask" not in own


def test_runs_that_were_finished_give_the_time_and_prices_the_cost(
    browser: TestClient, advise: Callable[..., int]
) -> None:
    number = advise()
    with db.transaction() as session:
        made_runs.host(session, made_runs.CPU | {"name": "gpu:1", "title": "NVIDIA H200", "gb": 140})
        config = sample.first_config(session, 1)
        run = made_runs.engine.launch(session, config)
        for state in made_runs.PATHS[State.SUCCEEDED]:
            run.attempt += state == State.CLAIMED
            made_runs.engine.move(session, run, state)
        rows = [{"step": step, "time": 1e9 + 2 * step, "data": {"loss": 1.0}} for step in range(1, 301)]
        made_runs.metrics.append(session, run.id, rows)
        run.host, run.step, run.total_steps = "workstation", 300, 300
    text = read(browser, "guide", recommendation=number)
    assert "from 1 run here" in text
    assert "set a price for an hour of NVIDIA H200" in text
    kept = browser.put("/api/prices", json={"currency": "EUR", "gpu_hour": "3.5", "cpu_hour": 0})
    assert kept.status_code == 200
    text = read(browser, "guide", recommendation=number)
    assert "EUR, at 3.50 EUR an hour" in text
    assert 'value="3.5"' in read(browser, "settings")
    markdown = browser.get(f"/api/recommendations/{number}/card.md").text
    assert "3.50 EUR an hour" in markdown.partition("own estimate")[2].partition("## As AWS")[0]


def test_a_price_below_nothing_is_refused(browser: TestClient) -> None:
    refused = browser.put("/api/prices", json={"currency": "EUR", "gpu_hour": -1})
    assert refused.status_code == 422
    assert browser.get("/api/prices").json() == {"currency": "USD", "gpu_hour": None, "cpu_hour": 0.0}


def test_advice_that_is_no_training_has_no_estimate(browser: TestClient, advise: Callable[..., int]) -> None:
    assert "own estimate" not in read(browser, "guide", recommendation=advise(main_gap="not_tested"))


# ---- the card -----------------------------------------------------------------------------------------


def test_the_card_leads_to_a_baseline_of_its_use_case_and_to_what_to_collect(
    browser: TestClient, advise: Callable[..., int]
) -> None:
    number = advise(**PAIRS)
    text = read(browser, "guide", recommendation=number)
    assert "/evaluate?project=1" in text
    assert f"/plan?recommendation={number}" in text
    assert "you have 320 preference pairs, you need 1,000" in text
    assert 'href="/use-case?id=1">Medication directions</a>' in text


def test_every_threshold_used_is_printed_with_its_source(
    browser: TestClient, advise: Callable[..., int]
) -> None:
    number = advise()
    text = read(browser, "guide", recommendation=number)
    with db.reading() as session:
        used = recommendations.card_of(recommendations.get(session, number)).thresholds
    assert used
    assert all(fact.name in text for fact in used)


def test_another_technique_is_taken_with_a_reason_and_the_card_leads_to_its_form(
    browser: TestClient, advise: Callable[..., int]
) -> None:
    number = advise()
    assert decide(browser, number, "changed", chosen="dpo", reason="<b>we have pairs</b>").status_code == 200
    text = read(browser, "guide", recommendation=number)
    assert "DPO is taken instead" in text
    assert "&lt;b&gt;we have pairs" in text
    assert f"/new-run?technique=dpo&amp;recommendation={number}" in text
    assert "DPO with LoRA, from Tunesmith starter, on 1,200 rows" in text.partition("own estimate")[2]
    assert decide(browser, number, "changed").json()["field"] == "chosen"


def test_a_rejection_is_kept_with_its_reason_and_can_be_taken_back(
    browser: TestClient, advise: Callable[..., int]
) -> None:
    number = advise()
    decide(browser, number, "rejected", reason="too expensive")
    text = read(browser, "guide", recommendation=number)
    assert "This advice was rejected" in text
    assert "too expensive" in text
    decide(browser, number, "accepted")
    assert "in use" in read(browser, "guide", recommendation=number)


# ---- files --------------------------------------------------------------------------------------------


def test_the_pdf_reads_as_the_card_does(browser: TestClient, advise: Callable[..., int]) -> None:
    number = advise(**SFT, stakes="high")
    with db.transaction() as session:
        session.get_one(Project, 1).name = "Überweisungen für Ärzte – „dringend“ ≥ 2 × 日本"
    pdf = pdf_of(browser, number)
    text = text_of(pdf)
    with db.reading() as session:
        card = recommendations.card_of(recommendations.get(session, number))
    for line in (card.title, card.meaning, *card.why, card.next_step, *card.gates[0].checks):
        assert " ".join(line.split()) in text
    assert "This studio's own estimate" in text
    assert "Überweisungen für Ärzte – „dringend“ ≥ 2 × □□" in text
    assert f"Page 1 of {len(pdf.pages)}" in text
    assert pdf.metadata is not None
    assert str(pdf.metadata.title).startswith(f"{card.title}: Advice {number}")
    assert pdf.outline[0]["/Title"] == "Why"


# ---- whether advice was right -------------------------------------------------------------------------


def test_without_advice_the_page_says_what_will_be_here(browser: TestClient) -> None:
    text = read(browser)
    assert "No advice yet" in text
    assert 'href="/guide"' in text


def test_the_page_counts_what_was_followed_measured_and_right(
    browser: TestClient, advise: Callable[..., int]
) -> None:
    for before, after in ((BAD, GOOD), (BAD, GOOD), (HALF, HALF), (GOOD, BAD)):
        follow(browser, advise(), before, after)
    decide(browser, advise(), "accepted")
    other = advise()
    follow(browser, other, BAD, GOOD)
    decide(browser, other, "changed", chosen="dpo", reason="pairs are here")
    text = read(browser)
    assert "Advice was followed 5 times and measured 4 times: 2 better, 1 not shown, 1 worse." in text
    assert "50 %" in text
    assert "15.0 % to 85.0 %" in text
    assert "1 better, 0 not shown, 0 worse" in text
    assert "DPO: pairs are here" in text
    assert text.count("data-href") == 6


def test_a_run_that_was_not_measured_says_so(browser: TestClient, advise: Callable[..., int]) -> None:
    number = advise()
    decide(browser, number, "accepted")
    assert "measured not yet" not in read(browser)
    assert "Advice was followed once; nothing was measured yet." in read(browser)
    with db.transaction() as session:
        trained(session, 1, recommendations.get(session, number))
    assert "not measured yet" in read(browser)


def test_collecting_is_shown_by_its_counts_and_no_share_is_claimed(
    browser: TestClient, advise: Callable[..., int]
) -> None:
    number = advise(main_gap="task_accuracy", phase_done=1, n_labelled=20)
    decide(browser, number, "accepted")
    text = read(browser)
    assert "enough is there" in text
    assert "labelled examples, 20 at the time" in text
    assert "Right, of those measured" not in text


def test_the_card_says_what_came_of_it(browser: TestClient, advise: Callable[..., int]) -> None:
    number = advise()
    follow(browser, number, BAD, GOOD)
    text = read(browser, "guide", recommendation=number)
    assert "is better than Tunesmith starter" in text
    assert "over 40 questions" in text


def follow(browser: TestClient, number: int, before: list[float], after: list[float]) -> None:
    """The advice is followed, and its model is measured beside the base."""
    decide(browser, number, "accepted")
    with db.transaction() as session:
        model = trained(session, 1, recommendations.get(session, number))
        measured(session, [model], [before, after])


def test_a_run_keeps_the_advice_it_came_from(browser: TestClient, advise: Callable[..., int]) -> None:
    number = advise()
    follow(browser, number, BAD, GOOD)
    with db.reading() as session:
        (each,) = outcomes.listed(session)
        assert [run.recommendation_id for run in each.runs] == [number]
        assert outcomes.tally([each], Decision.ACCEPTED).better == 1
        assert session.get_one(Run, each.runs[0].id).project_id == 1
