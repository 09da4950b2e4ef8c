"""Graders that need a model, with real ones: the starter model, a reward model and an embedding model
made of it."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from studio import graders
from studio.errors import StudioError
from studio.graders import Case
from tests.running import ROOT
from worker import rewards
from worker.graders.embedding_similarity import EmbeddingSimilarity
from worker.graders.judge import Judge
from worker.graders.reward_model import RewardModel
from worker.order import GraderOrder, ModelOrder

STARTER = ModelOrder(id=1, name="starter", source=str(ROOT / "examples" / "starter-model"))
MODELS = {"model": STARTER}
WORKERS = [grader for grader in graders.all() if grader.scorer]
ASKED = [{"role": "user", "content": "take two tablets at night"}]


def case(answer: str, **more: Any) -> Case:
    return Case(answer=answer, reference="two tablets", prompt="take two", messages=ASKED, **more)


@pytest.fixture(scope="module")
def reward_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter with a head whose weights are all the same, so that the score is known."""
    folder = tmp_path_factory.mktemp("reward")
    model = AutoModelForSequenceClassification.from_pretrained(STARTER.source, num_labels=1)
    tokenizer = AutoTokenizer.from_pretrained(STARTER.source)
    torch.nn.init.constant_(model.score.weight, 0.01)
    model.config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("grader", WORKERS, ids=lambda grader: grader.name)
def test_every_grader_of_the_worker_scores_many_answers_in_its_range(
    grader: graders.Grader, reward_folder: Path
) -> None:
    source = str(reward_folder) if grader.name == "reward_model" else STARTER.source
    order = GraderOrder(
        name="x", grader=grader.name, models={"model": STARTER.model_copy(update={"source": source})}
    )
    score = rewards.scorer(order)
    answers = [
        case("two tablets"),
        case(""),
        case("<think>only thoughts"),
        case("x " * 300),
        case("{\x00}"),
    ]
    found = score([*answers[:4], *answers])
    assert len(found) == 9
    for one in found:
        assert one is not None
        assert math.isfinite(one)
        assert grader.low is None or one >= grader.low
        assert grader.high is None or one <= grader.high
    assert found[:4] == pytest.approx(found[4:8], abs=1e-5)


@pytest.mark.parametrize("grader", WORKERS, ids=lambda grader: grader.name)
def test_a_grader_without_its_model_is_refused(grader: graders.Grader) -> None:
    with pytest.raises(StudioError, match="has no model"):
        rewards.scorer(GraderOrder(name="x", grader=grader.name))


# ---- the judge ----------------------------------------------------------------------------------------


def by_hand(judge: Judge, question: str, reply: list[int]) -> float:
    """log p(reply | question), without batches and padding."""
    ids = judge._question(question)
    with torch.no_grad():
        logs = judge.model(torch.tensor([ids + reply])).logits[0].log_softmax(-1)
    return sum(float(logs[len(ids) - 1 + at, token]) for at, token in enumerate(reply))


@pytest.mark.parametrize("lowest", [1, -2])
def test_the_judges_score_is_the_mean_of_the_marks_weighted_by_their_probability(lowest: int) -> None:
    judge = Judge({"lowest": lowest, "batch": 3}, MODELS)
    assert (len(judge.replies[0]) > 1) is (lowest == -2)
    cases = [case("two tablets"), case("no"), case("one tablet at night with food and water")]
    for given, found in zip(cases, judge(cases), strict=True):
        question = judge._scale(given)[0]
        shares = torch.tensor([by_hand(judge, question, reply) for reply in judge.replies]).softmax(0)
        wanted = sum(at * float(share) for at, share in enumerate(shares)) / (5 - lowest)
        assert found == pytest.approx(wanted, abs=1e-4)


def test_a_pair_is_asked_in_both_orders_so_that_a_favoured_place_cancels_out() -> None:
    judge = Judge({"mode": "pair"}, MODELS)
    same, other = judge([case("two tablets"), case("no idea")])
    assert same == pytest.approx(0.5, abs=1e-5)
    mirrored = Case(answer="two tablets", reference="no idea", prompt="take two", messages=ASKED)
    assert judge([mirrored])[0] == pytest.approx(1 - other, abs=1e-5)
    assert judge([Case(answer="x")]) == [None]


def test_the_rubric_reads_the_row_and_says_nothing_where_a_column_lacks() -> None:
    judge = Judge({"rubric": "Dose {{ item.dose }}: {answer}"}, MODELS)
    assert "Dose 5: two" in judge._scale(case("two", row={"dose": 5}))[0]
    assert judge([case("two"), case("two", row={"dose": 5})])[0] is None


def test_questions_that_are_too_long_are_counted_and_end_a_run_in_which_none_fits() -> None:
    judge = Judge({"longest": 200}, MODELS)
    assert judge([case("two"), case("word " * 500)])[1] is None
    assert judge.failures.failed == 1
    with pytest.raises(StudioError, match="more than 16 tokens"):
        Judge({"longest": 16}, MODELS)([case("two")] * 20)


def test_a_mark_that_begins_like_another_ends_with_the_turn() -> None:
    judge = Judge({}, MODELS)
    one, eleven, two = judge._tokens_of(["1", "1-1", "2"])
    assert one[-1] == eleven[-1] == two[-1] == judge.tokenizer.eos_token_id


def test_marks_the_vocabulary_cannot_tell_apart_are_refused() -> None:
    judge = Judge({}, MODELS)
    with pytest.raises(StudioError, match="cannot tell"):
        judge._tokens_of(["A", "A"])


# ---- the reward model ---------------------------------------------------------------------------------


def test_the_reward_is_the_heads_number_for_the_conversation_by_the_chat_template(
    reward_folder: Path,
) -> None:
    models = {"model": STARTER.model_copy(update={"source": str(reward_folder)})}
    plain = RewardModel({"batch": 2}, models)
    cases = [case("two tablets"), case("one"), case("take one tablet in the morning with food")]
    tokenizer = AutoTokenizer.from_pretrained(reward_folder)
    model = AutoModelForSequenceClassification.from_pretrained(reward_folder)
    wanted = []
    for given in cases:
        messages = [*ASKED, {"role": "assistant", "content": given.answer}]
        ids = tokenizer.apply_chat_template(messages, return_dict=True, return_tensors="pt")
        with torch.no_grad():
            wanted.append(float(model(**ids).logits[0, 0]))
    assert plain(cases) == pytest.approx(wanted, abs=1e-4)
    placed = RewardModel({"centre": wanted[0], "spread": 0.5, "bound": 0.01}, models)(cases)
    assert placed[0] == pytest.approx(0, abs=1e-3)
    assert all(-0.01 <= score <= 0.01 for score in placed if score is not None)
    assert [round((raw - wanted[0]) / 0.5, 6) > 0.01 for raw in wanted] == [
        score == pytest.approx(0.01) for score in placed
    ]


def test_of_a_long_text_the_reward_model_reads_the_end(reward_folder: Path) -> None:
    models = {"model": STARTER.model_copy(update={"source": str(reward_folder)})}
    short = RewardModel({"longest": 8}, models)
    long, longer = short(
        [Case(answer="word " * 50 + "two tablets"), Case(answer="word " * 90 + "two tablets")]
    )
    assert long == pytest.approx(longer)


# ---- embeddings ---------------------------------------------------------------------------------------


def test_the_same_meaning_is_nearer_than_another_and_the_floor_moves_the_zero() -> None:
    plain = EmbeddingSimilarity({}, MODELS)
    cases = [case("two tablets"), case("<think>hm</think> two tablets"), case("wash the car")]
    same, thought, other = plain(cases)
    assert same == thought == pytest.approx(1, abs=1e-5)
    assert other is not None
    assert other < 1
    (scaled,) = EmbeddingSimilarity({"floor": other}, MODELS)([cases[2]])
    assert scaled == pytest.approx(0, abs=1e-4)


def test_any_of_several_references_counts_and_none_says_nothing() -> None:
    plain = EmbeddingSimilarity({}, MODELS)
    several = Case(answer="two tablets", reference=["wash the car", "two tablets"])
    assert plain([several, Case(answer="two")]) == [pytest.approx(1, abs=1e-5), None]


def test_a_model_that_was_trained_to_embed_keeps_its_pooling(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    embedder = EmbeddingSimilarity({}, MODELS).embedder
    embedder[1] = Pooling(embedder[1].embedding_dimension, "lasttoken")
    embedder.save_pretrained(str(tmp_path), create_model_card=False)
    order = ModelOrder(id=2, name="embedder", source=str(tmp_path), kind="embedding")
    (found,) = EmbeddingSimilarity({}, {"model": order})(
        [Case(answer="two tablets", reference="wash the car")]
    )
    saved = SentenceTransformer(str(tmp_path), device="cpu", local_files_only=True)
    one, two = saved.encode(["two tablets", "wash the car"], normalize_embeddings=True)
    assert found == pytest.approx(max(0.0, float(one @ two)), abs=1e-5)


# ---- the reward -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [5, [1, 5]])
def test_an_answer_that_ends_as_the_generation_settings_say_was_not_cut(named: int | list[int]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(STARTER.source)
    model = AutoModelForCausalLM.from_pretrained(STARTER.source)
    model.generation_config.eos_token_id = named
    (reward,) = rewards.functions([GraderOrder(name="short", grader="soft_overlong")], tokenizer, model)
    ids = [[20, 5], [20, tokenizer.eos_token_id], [20, 21]]
    assert reward(prompts=["q"] * 3, completions=["a"] * 3, completion_ids=ids) == [0.0, 0.0, -1.0]
