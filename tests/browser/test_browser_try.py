"""The result, asked beside the model it came from, and taken home."""

import json
import zipfile
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.looking import visit
from tests.running import SAMPLE, RunningStudio


def test_base_and_tuned_model_answer_side_by_side(
    page: Page, trained: int, shot: Callable[..., None]
) -> None:
    visit(page, f"/run?id={trained}")
    page.get_by_role("link", name="Chat with it").click()
    page.wait_for_url("**/try?models=*")
    expect(page.locator("#try-models input:checked")).to_have_count(2)
    row = json.loads((SAMPLE / "train.jsonl").read_text().splitlines()[0])
    question = next(message["content"] for message in row["messages"] if message["role"] == "user")
    page.get_by_label("Message").fill(question)
    page.get_by_role("button", name="Send").click()
    answers = page.locator(".said-by")
    expect(answers).to_have_count(2)
    for index in (0, 1):
        expect(answers.nth(index)).to_contain_text("tokens/s", timeout=60_000)
    expect(answers.nth(0)).to_contain_text("Tunesmith starter")
    shot(page, "try")
    said = [bubble.inner_text() for bubble in page.locator(".bubble.assistant").all()]
    assert said[0].partition("\n")[2] != said[1].partition("\n")[2]
    page.reload()
    expect(page.locator(".said-by")).to_have_count(2)
    expect(page.locator(".bubble.user")).to_contain_text(question)


def test_a_held_out_prompt_brings_its_reference_answer(
    page: Page, trained: int, studio: RunningStudio
) -> None:
    model = studio.rows("SELECT id FROM model WHERE run_id = :run", run=trained)[0][0]
    visit(page, f"/try?models={model}")
    page.get_by_role("button", name="Use a held-out prompt").click()
    expect(page.locator("#try-reference")).to_contain_text("The reference answer is")
    expect(page.get_by_label("Message")).not_to_have_value("")


def test_the_model_is_downloaded_as_a_zip(page: Page, trained: int) -> None:
    visit(page, f"/run?id={trained}")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()
    with zipfile.ZipFile(waiting.value.path()) as packed:
        assert packed.testzip() is None
        names = {name.rpartition("/")[2] for name in packed.namelist()}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= names
