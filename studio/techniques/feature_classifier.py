"""A feature-based classifier sorts texts (or images) into classes without training the model that reads them.

It learns from labelled texts. A frozen language or vision-language model reads each one inside a rubric, the
question that a person would ask it; what its layers hold at that moment, a few thousand numbers, are the
features. A small head, logistic regression or a perceptron with one hidden layer, learns from them which
class it is. Nothing of the model changes, so one model can serve many classifiers.

**When it fits.** Content quality, routing, moderation, triage: few classes, hundreds to some ten thousand
labelled texts, and an answer wanted in milliseconds with an honest probability. It takes minutes on a CPU,
and most often beats asking the same model in words, since the model knows more than it says.

**When it fails.** When the class depends on long reasoning, on facts the model has never met, or on several
texts together. When labels contradict each other, no head helps. Then try supervised fine-tuning.

**Why these defaults.** The best layer is often not the last (arXiv 1610.01644, 2502.02013), so several are
compared by cross-validation, each with its last token and the mean of all tokens, and so is the penalty. The
linear head is solved exactly and needs no learning rate. Probabilities are calibrated by one temperature on
rows that the head did not learn from (Guo et al., arXiv 1706.04599): when it says 80 %, about eight in ten
should be right. The calibration error before and after is shown; on few rows it is never zero.

**Steps.** First the model reads the rows, a batch a step; then one step for each layer and penalty that is
compared; then passes of the head over all features. What was read is kept when a run is stopped.

**Reads.** Labelled texts. **Gives** a folder with the head and `predict.py`, which runs without the studio.
"""

from typing import Literal

from pydantic import field_validator

from studio.parameters import setting
from studio.techniques.base import TRANSFORMERS, RowParameters, Technique
from studio.techniques.metrics import Healthy, MetricInfo

RUBRIC = "Text: {text}\n\nWhich of these describes the text best: {labels}?\nAnswer:"


class FeatureClassifierParameters(RowParameters):
    rubric: str = setting(
        RUBRIC,
        "Rubric",
        "The question the model reads each text in. {text} stands for the text, {labels} for the classes.",
        source="Measured on the sample of content quality: 90 % right with it, 79 % without",
        kind="words",
        basic=True,
        max_length=20_000,
    )
    head: Literal["linear", "mlp"] = setting(
        "linear",
        "Head",
        "“linear” is logistic regression, solved exactly. “mlp” has one hidden layer: for many rows.",
        source="Linear probes, arXiv 1610.01644",
        basic=True,
    )
    layer: Literal["best", "last", "middle"] = setting(
        "best",
        "Layer",
        "Where the features are read. “best” compares four layers by cross-validation.",
        source="Middle layers often hold more than the last, arXiv 2502.02013",
        basic=True,
    )
    pooling: Literal["best", "last", "mean"] = setting(
        "best",
        "Pooling",
        "The last token, where the model would begin its answer, or the mean of all; “best” compares them.",
        source="Measured: the mean did better on the starter (benchmarks/behaviour/light.py)",
    )
    class_weights: Literal["none", "balanced"] = setting(
        "none",
        "Class weights",
        "“balanced” lets rare classes count as much as frequent ones: fewer of them are missed, and "
        "probabilities lean towards them.",
        source="Unweighted probabilities are honest about how frequent a class is",
        basic=True,
    )
    per_device_train_batch_size: int = setting(
        16,
        "Rows read at once",
        "Texts the model reads in one step. More is faster on a GPU and needs more memory.",
        source="Reading keeps no gradients, so twice the usual batch fits",
        basic=True,
        ge=1,
        le=4096,
    )
    max_length: int = setting(
        512,
        "Longest text",
        "A text is cut so that it fits with its rubric.",
        unit="tokens",
        source="About a page; longer ones cost time",
        basic=True,
        ge=16,
        le=1_000_000,
    )
    num_train_epochs: float = setting(
        20.0,
        "Passes of the head",
        "How often the head goes over all features. A linear head has then long converged.",
        source="Five iterations of L-BFGS a pass; a hundred are its usual limit",
        ge=1,
        le=1000,
    )
    learning_rate: float = setting(
        3e-3,
        "Learning rate of an “mlp”",
        "How far each step moves the weights of that head. A linear one is solved and has none.",
        source="Measured on the sample of content quality",
        gt=0,
        le=1,
    )
    weight_decay: float = setting(
        0.1,
        "Weight decay of an “mlp”",
        "Pulls the weights of that head towards zero. A linear head's penalty is cross-validated.",
        source="Measured on the sample of content quality",
        ge=0,
        le=1,
    )
    max_steps: int = setting(
        -1,
        "Maximum of steps",
        "All steps there may be, three or more; with few of them, not all rows are read. -1: no limit.",
        source=TRANSFORMERS,
        ge=-1,
        le=10_000_000,
    )
    hidden_units: int = setting(
        64,
        "Hidden units of an “mlp”",
        "Width of its hidden layer.",
        source="Small heads over frozen features hardly gain from more",
        ge=1,
        le=8192,
    )
    dropout: float = setting(
        0.3,
        "Dropout of an “mlp”",
        "Share of its hidden units switched off at random while it learns.",
        source="Measured on the sample of content quality",
        ge=0,
        lt=1,
    )
    folds: int = setting(
        5,
        "Folds",
        "Parts the rows are cut into for cross-validation and calibration: each is judged by a head that "
        "learned from the others.",
        source="Five or ten is common practice (Kohavi, 1995)",
        ge=2,
        le=20,
    )
    as_chat: bool = setting(
        True,
        "Ask as a chat",
        "Puts the rubric into the model's chat format, where it has one.",
        source="Chat models know questions in that form",
    )

    @field_validator("rubric")
    @classmethod
    def _has_the_text(cls, rubric: str) -> str:
        if "{text}" not in rubric:
            raise ValueError("the rubric has no {text}, where the text goes")
        return rubric


TECHNIQUE = Technique(
    name="feature_classifier",
    title="Feature-based classifier",
    summary="Sorts texts into classes with a small head on a frozen model, in minutes.",
    full_name="Calibrated head over the hidden states of a frozen model",
    aliases=("classification", "linear probe", "probing", "content quality", "frozen features", "logistic"),
    paper="arXiv 1610.01644",
    group="Light",
    phase=2,
    shapes=("classification",),
    reads="classes",
    trainer="worker.trainers.features:FeatureClassifierTrainer",
    config="worker.trainers.features:FeatureClassifierConfig",
    parameters=FeatureClassifierParameters,
    handbook=__doc__,
    headline=("eval_accuracy", "accuracy", "eval_macro_f1"),
    model="classifier",
    adapters=("frozen",),
    best_by=("eval_macro_f1", "higher"),
    order=10,
    metrics=[
        MetricInfo("loss", "Loss", "Loss", "What the head minimises, on the rows it learns from."),
        MetricInfo(
            "eval_loss", "Held-out loss", "Loss", "The same, calibrated, on rows it does not learn from."
        ),
        MetricInfo(
            "cv_loss",
            "Cross-validated loss",
            "Loss",
            "The loss on unseen rows with one layer and penalty after the other; the lowest is taken.",
            exact=True,
        ),
        MetricInfo(
            "accuracy",
            "Accuracy",
            "Accuracy",
            "Share of the training rows that the head gets right.",
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "eval_accuracy",
            "Held-out accuracy",
            "Accuracy",
            "Share of the held-out rows it gets right.",
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "eval_macro_f1",
            "Held-out macro F1",
            "Accuracy",
            "The mean over the classes of how many are found and how many of those found are right.",
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "eval_ece",
            "Held-out calibration error",
            "Calibration",
            "How far probabilities are from the share that is right. Above zero by chance on few rows.",
            healthy=Healthy(
                "Guo et al., arXiv 1706.04599: about 0.02 once a temperature is set, up to 0.16 before",
                high=0.1,
            ),
            better="lower",
        ),
        MetricInfo(
            "eval_ece_uncalibrated",
            "… before the temperature",
            "Calibration",
            "The same for the bare head.",
            better="lower",
        ),
        MetricInfo(
            "eval_brier",
            "Held-out Brier score",
            "Calibration",
            "Squared distance of the probabilities from the truth: 0 is perfect, 2 is always surely wrong.",
            healthy=Healthy(
                "A coin thrown for one of two classes comes to 0.5; guessing among more classes is worse",
                high=0.5,
            ),
        ),
        MetricInfo(
            "temperature",
            "Temperature",
            "Calibration",
            "What logits are divided by. Above 1 the bare head was too sure of itself, below 1 too modest.",
            exact=True,
        ),
        MetricInfo(
            "calibration/ece_before",
            "Cross-validated calibration error, before",
            "Calibration",
            "On training rows, each judged by a head that did not learn from it.",
            exact=True,
        ),
        MetricInfo(
            "calibration/ece_after",
            "Cross-validated calibration error, after",
            "Calibration",
            "The same with the temperature that was found on them.",
            exact=True,
        ),
        MetricInfo("rows_read", "Rows read", "Progress", "Texts the model has read so far.", exact=True),
    ],
)
