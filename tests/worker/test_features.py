"""The classifier over frozen features: it learns, goes on where it stopped, is honest, and runs alone."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from PIL import Image
from transformers import AutoModelForCausalLM, AutoTokenizer, EarlyStoppingCallback, TrainerCallback

from studio import techniques
from studio.errors import StudioError
from studio.parameters import validate
from worker import model as models
from worker.order import ModelOrder
from worker.trainers import features, head_export
from worker.trainers.feature_plan import Plan, places_to_read
from worker.trainers.features import FeatureClassifierConfig, FeatureClassifierTrainer
from worker.trainers.head_export import Reader, Reading

torch.set_num_threads(1)  # more spin against each other on so small a model
ROOT = Path(__file__).parents[2]
STARTER = ROOT / "examples" / "starter-model"
SHORT: dict[str, Any] = {
    "per_device_train_batch_size": 16,
    "per_device_eval_batch_size": 50,
    "num_train_epochs": 4,
    "layer": "middle",
    "pooling": "mean",
    "folds": 3,
    "max_length": 96,
    "logging_steps": 1,
    "save_strategy": "no",
    "eval_strategy": "no",
    "learning_rate": 3e-3,
    "use_cpu": True,
    "report_to": [],
    "disable_tqdm": True,
    "seed": 1,
}


def read(name: str, count: int) -> Dataset:
    lines = (ROOT / "examples" / "content_quality" / f"{name}.jsonl").read_text().splitlines()
    return Dataset.from_list([json.loads(line) for line in islice(lines, count)])


def make(
    folder: Path,
    *,
    rows: Dataset | None = None,
    held_out: Dataset | None = None,
    callbacks: list[TrainerCallback] | None = None,
    **settings: Any,
) -> Any:
    return FeatureClassifierTrainer(
        model=AutoModelForCausalLM.from_pretrained(STARTER),
        args=FeatureClassifierConfig(output_dir=str(folder), **(SHORT | settings)),
        train_dataset=rows or read("train", 96),
        eval_dataset=held_out,
        processing_class=AutoTokenizer.from_pretrained(STARTER),
        callbacks=callbacks,
    )


class StopAt(TrainerCallback):
    """Asks to stop, as a person does: save, then end."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            control.should_save = control.should_training_stop = True


def said(trainer: Any) -> list[dict[str, float]]:
    return list(trainer.state.log_history)


def test_it_learns_far_more_than_the_most_frequent_class_and_leaves_the_model_alone(tmp_path: Path) -> None:
    trainer = make(
        tmp_path, rows=read("train", 240), held_out=read("test", 100), eval_strategy="steps", eval_steps=50
    )
    before = {name: value.clone() for name, value in trainer.reader.model.state_dict().items()}
    trainer.train()
    last = said(trainer)[-1]
    assert last["step"] == trainer.state.max_steps
    assert last["eval_accuracy"] > 0.65  # always “clear”: 0.40
    assert last["eval_macro_f1"] > 0.65
    assert last["eval_loss"] < 1.0
    assert 0 <= last["eval_ece"] <= 1
    assert all(torch.equal(value, before[name]) for name, value in trainer.reader.model.state_dict().items())
    kinds = [next(iter(entry)) for entry in said(trainer)]
    assert kinds == ["rows_read"] * 15 + ["cv_loss"] * 5 + ["loss"] * 4 + ["eval_loss"]
    assert {"temperature", "calibration/ece_before", "calibration/ece_after"} <= set(said(trainer)[19])


@pytest.mark.parametrize("head", ["linear", "mlp"])
@pytest.mark.parametrize("step", [3, 8, 13], ids=["reading", "choosing", "fitting"])
def test_a_stopped_run_goes_on_without_reading_again_and_ends_the_same(
    tmp_path: Path, head: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make(tmp_path / "whole", head=head)
    whole.train()
    first = make(tmp_path / "parts", head=head, save_strategy="steps", save_steps=1, callbacks=[StopAt(step)])
    first.train()
    assert first.state.global_step == step

    second = make(tmp_path / "parts", head=head)
    read_before, features_of = [], Reader.features

    def count(self: Reader, texts: Any, images: Any = ()) -> torch.Tensor:
        read_before.append(len(texts))
        return features_of(self, texts, images)

    monkeypatch.setattr(Reader, "features", count)
    second.train(resume_from_checkpoint=str(tmp_path / "parts" / f"checkpoint-{step}"))
    assert len(read_before) == max(0, 6 - step)
    assert [e for e in said(second) if e["step"] > step] == [e for e in said(whole) if e["step"] > step]
    for name, value in whole.head.state_dict().items():
        assert torch.equal(second.head.state_dict()[name], value), name
    kept = {path.suffix for path in (tmp_path / "parts" / f"checkpoint-{step}").iterdir()}
    assert kept <= {".safetensors", ".json", ".py"}


def test_the_saved_script_says_the_same_in_a_program_of_its_own(tmp_path: Path) -> None:
    trainer = make(tmp_path)
    trainer.train()
    folder = tmp_path / "model"
    trainer.save_model(str(folder))
    texts = ["take tablets by mouth", "Give two tabs po bid for 7 days."]
    wanted = trainer.head.probabilities(trainer._all_features(Dataset.from_dict({"text": texts})))

    (tmp_path / "texts.jsonl").write_text(json.dumps({"text": texts[1]}) + "\n")
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "predict.py"), "--text", texts[0], "--file", "texts.jsonl"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(answer["probabilities"]) for answer in answers] == [list(trainer.reader.reading.labels)] * 2
    for answer, row in zip(answers, wanted, strict=True):
        assert list(answer["probabilities"].values()) == pytest.approx(row.tolist(), abs=1e-4)
        assert answer["probability"] == max(answer["probabilities"].values())
    about = json.loads((folder / "head.json").read_text())
    assert about["base"]["sha256"] == head_export.digest(STARTER)
    assert "import studio" not in (folder / "predict.py").read_text()


def test_a_base_with_other_weights_is_refused(tmp_path: Path) -> None:
    trainer = make(tmp_path)
    trainer.train()
    trainer.save_model(str(tmp_path / "head"))
    other = trainer.reader.model
    with torch.no_grad():
        other.model.layers[0].mlp.down_proj.weight.add_(0.05)
    other.save_pretrained(tmp_path / "other")
    trainer.processing_class.save_pretrained(tmp_path / "other")
    head, about = head_export.load_head(tmp_path / "head")
    head_export.check(head, head_export.load_reader(about, str(STARTER)))
    with pytest.raises(ValueError, match="not the model that the head learned on"):
        head_export.check(head, head_export.load_reader(about, str(tmp_path / "other")))


def test_the_best_checkpoint_is_kept_and_training_stops_early(tmp_path: Path) -> None:
    trainer = make(
        tmp_path,
        held_out=read("test", 40),
        callbacks=[EarlyStoppingCallback(2)],
        num_train_epochs=40,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="steps",
        save_steps=1,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_macro_f1",
        greater_is_better=True,
    )
    trainer.train()
    assert trainer.state.global_step < trainer.state.max_steps
    looks = {entry["step"]: entry["eval_macro_f1"] for entry in said(trainer) if "eval_macro_f1" in entry}
    assert looks[trainer.state.best_global_step] == max(looks.values())
    assert trainer.evaluate()["eval_macro_f1"] == max(looks.values())
    assert len(list(tmp_path.glob("checkpoint-*"))) == 2


def test_rare_classes_can_count_as_much_as_frequent_ones(tmp_path: Path) -> None:
    lopsided = [row for row in read("train", 240) if row["label"] == "clear"]
    lopsided += [row for row in read("train", 240) if row["label"] == "contradictory"][:12]
    found = {}
    for weights in ("none", "balanced"):
        trainer = make(tmp_path, rows=Dataset.from_list(lopsided), class_weights=weights)
        trainer.train()
        held_out = read("test", 200).filter(lambda row: row["label"] in ("clear", "contradictory"))
        guesses = trainer.head.probabilities(trainer._all_features(held_out)).argmax(1)
        found[weights] = int((guesses == trainer.reader.reading.labels.index("contradictory")).sum())
    assert found["balanced"] > found["none"]


def test_a_given_number_of_steps_is_the_number_of_all_steps() -> None:
    whole = Plan.of(rows=100, batch=8, candidates=40, passes=20, most=-1)
    assert (whole.reading, whole.choosing, whole.passes, whole.rows) == (13, 40, 20, 100)
    for most in (3, 4, 10, 60, 500):
        short = Plan.of(rows=100, batch=8, candidates=40, passes=20, most=most)
        assert short.steps == most
        assert min(short.reading, short.choosing, short.passes) >= 1
        assert sum(len(dealt) for dealt in short.deal(range(40))) == 40
    assert Plan.of(rows=100, batch=8, candidates=40, passes=20, most=4).rows == 16
    assert Plan.of(rows=100, batch=8, candidates=40, passes=20, most=1).steps == 3


def test_layers_are_counted_from_the_embeddings_and_compared_at_each_quarter() -> None:
    assert places_to_read("last", "last", 28) == ((28, "last"),)
    assert places_to_read("middle", "mean", 28) == ((14, "mean"),)
    assert places_to_read("best", "last", 28) == ((7, "last"), (14, "last"), (21, "last"), (28, "last"))
    assert places_to_read("best", "best", 1) == ((1, "last"), (1, "mean"))


# Reading


def reader(**more: Any) -> Reader:
    reading = Reading(
        **({"labels": ("bad", "good"), "rubric": features.RUBRIC, "places": ((2, "last"),)} | more)
    )
    return Reader(
        AutoModelForCausalLM.from_pretrained(STARTER).eval(), AutoTokenizer.from_pretrained(STARTER), reading
    )


def test_a_long_text_is_cut_and_the_rubric_around_it_stays() -> None:
    reads = reader(max_length=64)
    prompt = reads.prompt("take two tablets daily " * 100)
    assert len(reads.tokenizer(prompt, add_special_tokens=False)["input_ids"]) <= 64
    assert prompt.endswith("Answer:<|end|><|assistant|>")
    assert "bad, good?" in prompt
    assert reads.prompt("short") == reader().prompt("short")


def test_what_a_text_says_is_no_part_of_the_rubric() -> None:
    assert "is it {labels} or {text}?\n\nWhich" in reader().prompt("is it {labels} or {text}?")


def test_a_text_reads_the_same_alone_and_beside_longer_ones() -> None:
    for places in (((2, "last"),), ((3, "mean"),)):
        reads = reader(places=places)
        together = reads.features(
            ["take two", "take two tablets by mouth every day with food for a week", ""]
        )
        assert torch.allclose(together[0], reads.features(["take two"])[0], atol=1e-4)
        assert torch.allclose(together[2], reads.features([""])[0], atol=1e-4)
        assert together.shape == (3, 1, 128)
    bare = reader(rubric="{text}", as_chat=False)
    assert bool(bare.features(["", "take"]).isfinite().all())


def test_the_rubric_of_the_form_is_that_of_the_trainer_and_must_hold_the_text() -> None:
    kind = techniques.get("feature_classifier").parameters
    assert kind().model_dump()["rubric"] == features.RUBRIC == FeatureClassifierConfig.rubric
    with pytest.raises(StudioError, match="where the text goes"):
        validate(kind, {"rubric": "Is it good?"}, "the settings")


def test_labels_that_cannot_be_learned_or_measured_are_refused(tmp_path: Path) -> None:
    same = Dataset.from_list([{"text": word, "label": "good"} for word in ("a", "b")])
    with pytest.raises(ValueError, match="nothing to tell apart"):
        make(tmp_path, rows=same)
    trainer = make(tmp_path, held_out=Dataset.from_list([{"text": "a", "label": "splendid"}]), max_steps=4)
    trainer.train()
    with pytest.raises(ValueError, match="splendid"):
        trainer.evaluate()
    with pytest.raises(ValueError, match="still being read"):
        make(tmp_path).save_model(str(tmp_path / "none"))


# Images


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny vision-language model of random weights."""
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        Qwen3Config,
    )

    tokenizer = AutoTokenizer.from_pretrained(STARTER)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    shared = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = Qwen3Config(vocab_size=len(tokenizer), num_key_value_heads=1, head_dim=16, **shared)
    vision = CLIPVisionConfig(image_size=16, patch_size=8, projection_dim=32, **shared)
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    torch.manual_seed(0)
    size = {"height": 16, "width": 16}
    folder = tmp_path_factory.mktemp("seeing")
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=size, crop_size=size),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=(
            "{% for message in messages %}<|user|>{% for part in message.content %}"
            "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}"
            "{% endfor %}<|end|>{% endfor %}<|assistant|>"
        ),
    ).save_pretrained(folder)
    return folder


def colours(folder: Path, count: int) -> Dataset:
    """The same words beside pictures of two colours: only who sees can tell them apart."""
    rows = []
    for number in range(count):
        path = folder / f"{number}.png"
        shade = 120 + number
        Image.new("RGB", (20, 20), (shade, 30, 30) if number % 2 else (30, 30, shade)).save(path)
        rows.append({"text": "a picture", "label": ("blue", "red")[number % 2], "image": str(path)})
    return Dataset.from_list(rows)


def test_a_model_that_sees_sorts_images(tmp_path: Path, seeing: Path) -> None:
    order = ModelOrder(id=1, name="seeing", source=str(seeing))
    loaded, tokenizer = models.load(order, kind="classifier")
    assert type(loaded).__name__ == "LlavaForConditionalGeneration"
    trainer = FeatureClassifierTrainer(
        model=loaded,
        args=FeatureClassifierConfig(
            output_dir=str(tmp_path), **(SHORT | {"layer": "last", "pooling": "last"})
        ),
        train_dataset=colours(tmp_path, 40),
        eval_dataset=colours(tmp_path, 20),
        processing_class=tokenizer,
    )
    trainer.train()
    assert trainer.evaluate()["eval_accuracy"] == 1.0
    trainer.save_model(str(tmp_path / "head"))
    head, about = head_export.load_head(tmp_path / "head")
    sees = head_export.load_reader(about, str(seeing))
    head_export.check(head, sees)
    answers = list(
        head_export.answers(head, sees, ["a picture"] * 2, [str(tmp_path / f"{n}.png") for n in (0, 1)])
    )
    assert [answer["label"] for answer in answers] == ["blue", "red"]


def test_images_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot see"):
        make(tmp_path, rows=colours(tmp_path, 4))
    with pytest.raises(ValueError, match="is an address"):
        head_export.open_image("https://example.org/cat.png")
