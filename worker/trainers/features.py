"""Trains a classifier without training a model: a frozen one reads each text, a small head decides.

Reading is the slow part and the head the quick one, so a step is one batch read, then one candidate for place
and penalty, then one pass of the head over all features. What was read is kept in the checkpoints; the head
is fitted anew when a run goes on, with the same result. `worker.trainers.heads` fits, `head_export` reads.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset
from transformers import AutoProcessor, PreTrainedModel, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import TrainOutput

from worker.trainers import head_export, heads
from worker.trainers.feature_plan import Plan, places_to_read
from worker.trainers.feature_store import Candidate, Store
from worker.trainers.head_export import Description, Head, Reader, Reading

CHOICE_ROWS = 5000  # at most, to compare places and penalties and to calibrate; the head learns from all
PASS_ITERATIONS = 5  # of the linear head's solver, between two points of its chart
HEAD_BATCH = 64  # rows a step of a perceptron's optimiser
Logs = dict[str, float]

RUBRIC = "Text: {text}\n\nWhich of these describes the text best: {labels}?\nAnswer:"


@dataclass
class FeatureClassifierConfig(TrainingArguments):
    """What the trainer takes beyond transformers' arguments, of which the optimiser's are for the "mlp" head
    only: the linear one is solved. `num_train_epochs` are passes over the features. A positive `max_steps` is
    the number of all steps, at least three; fewer than a whole reading needs read fewer rows."""

    rubric: str = RUBRIC
    head: str = "linear"  # or "mlp"
    hidden_units: int = 64
    dropout: float = 0.3
    layer: str = "best"  # or "last", "middle"
    pooling: str = "best"  # or "last", "mean"
    as_chat: bool = True
    class_weights: str = "none"  # or "balanced"
    folds: int = 5
    max_length: int = 512


class FeatureClassifierTrainer(Trainer):
    """Rows have `text`, `label` and, where the model sees, `image` (a file). `model` is read and never
    changed; what is trained, saved and returned by `trainer.model` is the head."""

    args: FeatureClassifierConfig

    def __init__(
        self,
        model: PreTrainedModel,
        args: FeatureClassifierConfig,
        train_dataset: Dataset,
        eval_dataset: Dataset | None = None,
        processing_class: Any = None,
        peft_config: Any = None,
        callbacks: list[TrainerCallback] | None = None,
    ) -> None:
        labels = tuple(sorted(set(train_dataset["label"])))
        if len(labels) < 2:
            raise ValueError(f"All rows have the label “{labels[0]}”, so there is nothing to tell apart.")
        config = model.config.get_text_config()
        images = "image" in train_dataset.column_names
        reading = Reading(
            labels=labels,
            rubric=args.rubric,
            places=places_to_read(args.layer, args.pooling, config.num_hidden_layers),
            as_chat=args.as_chat,
            max_length=args.max_length,
            images=images,
        )
        model.requires_grad_(False).eval().to(args.device)
        self.reader = Reader(model, _seeing(processing_class) if images else processing_class, reading)
        hidden = args.hidden_units if args.head == "mlp" else 0
        torch.manual_seed(args.seed)
        super().__init__(
            model=Head(config.hidden_size, len(labels), hidden, args.dropout),
            args=args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            callbacks=callbacks,
        )
        self.report: dict[str, Any] = {}
        self._plan = Plan.of(
            rows=len(train_dataset),
            batch=args.per_device_train_batch_size,
            candidates=len(self._candidates()),
            passes=args.num_train_epochs,
            most=args.max_steps,
        )
        shuffled = torch.randperm(len(train_dataset), generator=torch.Generator().manual_seed(args.seed))
        self._order = shuffled[: self._plan.rows].tolist()  # any beginning of it is a fair sample
        self._rows: Any = train_dataset
        self._held_out_rows: Any = eval_dataset
        self._store = Store()
        self._fitted = False
        self._held_out: torch.Tensor | None = None
        self._base_digest: str | None = None

    @property
    def head(self) -> Head:
        return cast(Head, self.model)

    # The loop

    def train(
        self, resume_from_checkpoint: Any = None, trial: Any = None, ignore_keys_for_eval: Any = None
    ) -> TrainOutput:
        """As a Trainer's: one step after the other, with its callbacks, logs, evaluations and checkpoints."""
        self.is_in_train = True
        self._init_training_state(self._plan.steps, self._plan.steps, 1, resume_from_checkpoint, None)
        if resume_from_checkpoint:
            self._store = Store.load(Path(resume_from_checkpoint))
        self.control = self.callback_handler.on_train_begin(self.args, self.state, self.control)
        done = self.state.global_step
        for number, logs in enumerate(self._work(), 1):
            if number <= done:  # before a resume: done again, said once
                continue
            self.control = self.callback_handler.on_step_begin(self.args, self.state, self.control)
            self.state.global_step, self.state.epoch = number, number / self._plan.steps
            self.control = self.callback_handler.on_step_end(self.args, self.state, self.control)
            self._look(logs)
            if self.control.should_training_stop:
                break
        if self.args.load_best_model_at_end and self.state.best_model_checkpoint:
            best, _ = head_export.load_head(Path(self.state.best_model_checkpoint))
            self.head.load_state_dict(best.state_dict())
        self.control = self.callback_handler.on_train_end(self.args, self.state, self.control)
        self.is_in_train = False
        return TrainOutput(self.state.global_step, logs.get("loss", math.nan), {})

    def _look(self, logs: Logs) -> None:
        """Logs, evaluates and saves as the callbacks wish; what is said only once is always said."""
        if self.control.should_log or "temperature" in logs:
            self.log(dict(logs))
        if self.control.should_evaluate and self._fitted:
            self._determine_best_metric(metrics=self.evaluate(), trial=None)
        if self.control.should_save:
            self._save_checkpoint(self.head, None)
            self.control = self.callback_handler.on_save(self.args, self.state, self.control)

    def _work(self) -> Iterator[Logs]:
        """All steps in order, each with what there is to log."""
        yield from self._read_rows()
        yield from self._choose_and_calibrate()
        yield from self._fit()

    # Reading

    def _read_rows(self) -> Iterator[Logs]:
        size = self.args.per_device_train_batch_size
        for number in range(self._plan.reading):
            if number >= len(self._store.batches):
                rows = self._order[number * size : (number + 1) * size]
                self._store.batches.append(self._features(self._rows.select(rows)))
            yield {"rows_read": sum(len(batch) for batch in self._store.batches[: number + 1])}

    def _features(self, rows: Dataset) -> torch.Tensor:
        return self.reader.features(list(rows["text"]), self._images(rows))

    def _images(self, rows: Dataset) -> list[str]:
        if not self.reader.reading.images:
            return []
        images = list(rows["image"])
        if not all(images):
            text = rows["text"][images.index(next(image for image in images if not image))]
            raise ValueError(f"The row “{text[:60]}” has no image, and others have one.")
        return images

    # The head

    def _choose_and_calibrate(self) -> Iterator[Logs]:
        """Cross-validates each place and penalty with a linear head, then finds the temperature that makes
        probabilities honest on rows the head did not learn from."""
        self._all = torch.cat(self._store.batches)  # (rows, places, hidden)
        self._store.batches = list(
            self._all.split([len(batch) for batch in self._store.batches])
        )  # the same memory
        classes = self._classes([self._rows[row]["label"] for row in self._order])
        sample = classes[:CHOICE_ROWS]
        self._folds = heads.split_in_folds(sample, self.args.folds, self.args.seed)
        dealt = self._plan.deal(self._candidates())
        for number, candidates in enumerate(dealt, 1):
            for place, strength in candidates:
                if (place, strength) not in self._store.scores:
                    task = self._task(place, sample)
                    logits = heads.logits_out_of_fold(task, self._folds, strength)
                    self._store.scores[place, strength] = task.loss(logits).item()
            logs = {"cv_loss": min(self._store.scores[candidate] for candidate in candidates)}
            if number == len(dealt):
                place, self._strength = min(self._store.scores, key=lambda each: self._store.scores[each])
                self._learned = self._task(place, classes)
                self._prepare_head(place)
                logs |= self._calibrate()
            yield logs

    def _candidates(self) -> list[Candidate]:
        """Every place with every strength; a perceptron takes over the best place."""
        return list(itertools.product(range(len(self.reader.reading.places)), heads.STRENGTHS))

    def _classes(self, labels: Sequence[str]) -> torch.Tensor:
        places = {label: number for number, label in enumerate(self.reader.reading.labels)}
        if unknown := next((label for label in labels if label not in places), None):
            raise ValueError(f"A held-out row has the label “{unknown}”, which no training row has.")
        return torch.tensor([places[label] for label in labels])

    def _task(self, place: int, classes: torch.Tensor) -> heads.Task:
        """The first rows read, as many as there are `classes`, standardised by all of them."""
        device, labels = self.args.device, len(self.reader.reading.labels)
        mean, scale = _spread(self._all[:, place])
        features = ((self._all[: len(classes), place] - mean) / scale).to(device)
        weights = heads.row_weights(classes, labels, balanced=self.args.class_weights == "balanced")
        return heads.Task(features, classes.to(device), labels, weights.to(device))

    def _prepare_head(self, place: int) -> None:
        """An unfitted head that centres and scales what this place says; from now on only it is read."""
        reading, features = self.reader.reading, self._all[:, place]
        self._chosen = replace(reading, places=(reading.places[place],))
        torch.manual_seed(self.args.seed)
        fresh = Head(features.shape[1], len(reading.labels), self.head.hidden, self.args.dropout)
        if isinstance(fresh.body, torch.nn.Linear):
            torch.nn.init.zeros_(fresh.body.weight)
            torch.nn.init.zeros_(fresh.body.bias)
        fresh.mean, fresh.scale = _spread(features)
        fresh.probe = Reader(self.reader.model, self.reader.processor, self._chosen).probe()[0, 0]
        self.head.load_state_dict(fresh.state_dict())
        self._first = {name: value.clone() for name, value in self.head.body.state_dict().items()}

    def _calibrate(self) -> Logs:
        logits, classes = self._unseen_logits()
        temperature = heads.find_temperature(logits, classes)
        self.head.temperature.fill_(temperature)
        before = heads.calibration_error(torch.softmax(logits, 1), classes)
        after = heads.calibration_error(torch.softmax(logits / temperature, 1), classes)
        layer, pooling = self._chosen.places[0]
        self.report = {
            "layer": layer,
            "pooling": pooling,
            "temperature": temperature,
            "ece_before": before,
            "ece_after": after,
        }
        return {"temperature": temperature, "calibration/ece_before": before, "calibration/ece_after": after}

    def _unseen_logits(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What heads like the coming one say of rows that they did not learn from, and those rows' classes:
        of every fold, or of one, for a perceptron, which takes longer to fit."""
        task = self._learned
        if not self.head.hidden:
            sample = task.part(torch.arange(min(CHOICE_ROWS, len(task.classes))))
            return heads.logits_out_of_fold(sample, self._folds, self._strength), sample.classes
        rows = self._folds[0]
        others = torch.ones(len(task.classes), dtype=torch.bool)
        others[rows] = False
        part = task.part(others.nonzero().squeeze(1))
        for _ in heads.perceptron_passes(self.head.body, part, self._descent()):
            pass
        with torch.no_grad():
            logits = self.head.body(task.features[rows])
        self.head.body.load_state_dict(self._first)
        return logits, task.classes[rows]

    def _descent(self) -> heads.Descent:
        given = self.args
        return heads.Descent(
            learning_rate=given.learning_rate,
            passes=self._plan.passes,
            batch=HEAD_BATCH,
            weight_decay=given.weight_decay,
            schedule=given.lr_scheduler_type,
            warmup=given.warmup_steps if given.warmup_steps < 1 else 0.0,
            clip=given.max_grad_norm,
            seed=given.seed,
        )

    def _fit(self) -> Iterator[Logs]:
        task = self._learned
        passes = (
            heads.perceptron_passes(self.head.body, task, self._descent())
            if self.head.hidden
            else heads.linear_passes(self.head.body, task, self._strength, PASS_ITERATIONS)
        )
        for _ in range(self._plan.passes):
            loss = next(passes)
            self._fitted = True
            with torch.no_grad():
                chosen = self.head.body(task.features).argmax(1)
            yield {"loss": loss, "accuracy": (chosen == task.classes).float().mean().item()}

    # Measuring and keeping

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> Logs:
        """loss, accuracy, macro_f1, ece and brier of the calibrated head on held-out rows, with the prefix;
        ece_uncalibrated is that of its bare logits."""
        rows = eval_dataset if eval_dataset is not None else self._held_out_rows
        classes = self._classes(rows["label"])
        if self._held_out is None or eval_dataset is not None:
            self._held_out = self._all_features(rows)
        self.head.eval()
        with torch.no_grad():
            features = self._held_out.to(self.args.device)
            measured = heads.measure(self.head.probabilities(features).cpu(), classes)
            bare = torch.softmax(self.head(features), 1).cpu()
        measured["ece_uncalibrated"] = heads.calibration_error(bare, classes)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in measured.items()}
        self.report |= metrics
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _all_features(self, rows: Dataset) -> torch.Tensor:
        """(rows, hidden) at the chosen place."""
        reader = Reader(self.reader.model, self.reader.processor, self._chosen)
        size, texts, images = self.args.per_device_eval_batch_size, list(rows["text"]), self._images(rows)
        batches = range(0, len(texts), size)
        return torch.cat(
            [reader.features(texts[at : at + size], images[at : at + size])[:, 0] for at in batches]
        )

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """The head, its description and a script that uses them. Raises ValueError before it was fitted."""
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        if self._fitted:
            head_export.save(folder, self.head, self._description())
        elif not _internal_call:
            raise ValueError("There is no head yet: the rows are still being read.")

    def _description(self) -> Description:
        base = self.reader.model
        if self._base_digest is None:
            self._base_digest = head_export.digest(Path(base.name_or_path))
        known = {
            "source": base.name_or_path,
            "sha256": self._base_digest,
            "architecture": type(base).__name__,
            "dtype": str(base.dtype).removeprefix("torch."),
        }
        numbers = {name: value for name, value in self.report.items() if isinstance(value, int | float)}
        return Description(self._chosen, self.head.hidden, len(self.head.mean), known, numbers)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        """What this trainer keeps instead."""
        self._store.save(Path(output_dir))

    def _save_scaler(self, output_dir: str) -> None:
        """None is used."""

    def _save_rng_state(self, output_dir: str) -> None:
        """Every draw follows from the seed and the step."""


def _seeing(processing_class: Any) -> Any:
    """A processor that takes images. Raises ValueError where the model has none."""
    if hasattr(processing_class, "image_processor"):
        return processing_class
    found = AutoProcessor.from_pretrained(processing_class.name_or_path)
    if not hasattr(found, "image_processor"):
        raise ValueError("The rows have images, and this model cannot see: choose a vision-language model.")
    return found


def _spread(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each feature; one that never varies is left as it is."""
    scale = features.std(0, correction=0)
    return features.mean(0), torch.where(scale < 1e-6, torch.ones_like(scale), scale)
