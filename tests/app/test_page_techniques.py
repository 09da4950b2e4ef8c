"""The handbook: every technique file has a card and a page, made from the file alone."""

from html import unescape
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, parts
from app.pages import technique as page
from app.pages import techniques as shelf
from studio import adapters, techniques
from studio.datasets import shapes
from studio.techniques import Technique


@pytest.fixture
def browser(studio_folder: Path) -> TestClient:
    app = FastAPI()
    errors.install(app)
    app.include_router(parts.router)
    return TestClient(app, base_url="http://127.0.0.1")


def part(browser: TestClient, fragment: str, **query: str) -> str:
    answer = browser.get(f"/parts/{fragment}", params=query)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


every_technique = pytest.mark.parametrize("technique", techniques.all(), ids=lambda technique: technique.name)


@every_technique
def test_every_technique_has_a_card_with_its_phase_and_shapes(
    browser: TestClient, technique: Technique
) -> None:
    card = (
        part(browser, "techniques")
        .partition(f'href="/technique?name={technique.name}"')[2]
        .partition("</a>")[0]
    )
    assert technique.title in card
    assert technique.summary in card
    assert f"<dd>{technique.phase}" in card
    for name in technique.shapes:
        assert shapes.get(name).title in card


@every_technique
def test_every_setting_is_in_the_handbook_with_help_default_and_bounds(
    browser: TestClient, technique: Technique
) -> None:
    said = part(browser, "technique", name=technique.name)
    for name, field in technique.parameters.model_fields.items():
        assert f"<code>{name}</code>" in said
        assert (field.description or "no help") in said
        assert page.setting(name, field).default in said


@every_technique
def test_every_metric_and_every_shape_is_explained(browser: TestClient, technique: Technique) -> None:
    said = part(browser, "technique", name=technique.name)
    assert [metric.key for metric in technique.metrics if metric.help not in said] == []
    assert [m.key for m in technique.metrics if m.healthy and m.healthy.source not in said] == []
    assert [name for name in technique.shapes if shapes.get(name).meaning not in said] == []


@every_technique
def test_the_handbook_text_is_shown_as_text_and_leads_to_a_new_run(
    browser: TestClient, technique: Technique
) -> None:
    said = part(browser, "technique", name=technique.name)
    assert page.parts_of(technique.handbook)[0] in said
    assert "<strong>When it fails.</strong>" in said
    assert f'href="/new-run?technique={technique.name}"' in said


def test_every_adapter_that_fits_is_on_the_page(browser: TestClient) -> None:
    said = part(browser, "technique", name="sft")
    for adapter in adapters.all():
        assert (adapter.summary in said) is techniques.get("sft").fits_adapter(adapter.name)


def test_settings_shown_first_in_the_form_come_first_here() -> None:
    rows = page.settings_of(techniques.get("sft").parameters)
    assert [row.basic for row in rows] == sorted((row.basic for row in rows), reverse=True)


@every_technique
def test_a_technique_is_found_by_each_of_its_names_and_shows_full_name_paper_and_needs(
    browser: TestClient, technique: Technique
) -> None:
    names = filter(None, [technique.name, technique.title, technique.full_name, *technique.aliases])
    for name in (*names, technique.title.upper()):
        assert f'href="/technique?name={technique.name}"' in part(browser, "techniques", q=name), name
    said = part(browser, "technique", name=technique.name)
    assert technique.full_name in said
    assert technique.paper in said
    for needed in technique.inputs:
        assert needed.title in said
        assert needed.help in said
    assert ("<h3>Graders</h3>" in said) is technique.graded


def test_a_search_that_finds_nothing_says_so_and_offers_all(browser: TestClient) -> None:
    said = browser.get("/parts/techniques", params={"q": "<script>alchemy"}).text
    assert "Nothing is called that" in said
    assert "<script>" not in said


def test_techniques_of_one_group_stand_together() -> None:
    groups = [group for group, _, _ in shelf.shelves()]
    assert len(groups) == len(set(groups))


@pytest.mark.parametrize(
    ("value", "words"), [(2e-5, "2e-5"), (0.03, "0.03"), (3.0, "3"), (1_000_000, "1,000,000"), (-1, "-1")]
)
def test_a_number_is_written_as_one_would_type_it(value: float, words: str) -> None:
    assert page.plain(value) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (True, "", "on"),
        (None, "", "none"),
        (1, "steps", "1 step"),
        (50, "steps", "50 steps"),
        ("auto", "", "auto"),
    ],
)
def test_a_default_is_said_in_words(value: object, unit: str, words: str) -> None:
    assert page.worded(value, unit) == words


@every_technique
def test_every_suggested_value_stands_there_with_its_source(
    browser: TestClient, technique: Technique
) -> None:
    said = part(browser, "technique", name=technique.name)
    fields = technique.parameters.model_fields
    for adapter in page.adapters_of(technique):
        for size in page.SIZES:
            for name, (value, source) in technique.suggestions(adapter.name, size).items():
                assert f"{fields[name].title} {page.worded(value)}" in said
                assert source in said


def test_adapters_and_sizes_with_the_same_suggestion_share_a_row() -> None:
    rows = {(who, size): said[0][0] for who, size, said in page.suggestions(techniques.get("sft"))}
    assert rows["Full", "7 billion or 70 billion"] == "Learning rate 2e-5"
    assert rows["LoRA, DoRA, QLoRA", "7 billion"] == "Learning rate 0.0002"
    assert rows["LoRA, DoRA, QLoRA", "70 billion"] == "Learning rate 0.0001"


def test_an_unknown_technique_names_those_there_are(browser: TestClient) -> None:
    answer = browser.get("/parts/technique", params={"name": "<script>"})
    assert answer.status_code == 404
    assert "<script>" not in answer.text
    assert "sft" in answer.text
