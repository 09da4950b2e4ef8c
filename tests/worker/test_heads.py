"""Fitting and measuring small heads: each formula against a second way to compute it."""

import itertools

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from torch import nn

from worker.trainers import heads

torch.set_num_threads(1)


def task(rows: int = 200, features: int = 12, labels: int = 3, noise: float = 2.0) -> heads.Task:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(rows, features, generator=generator)
    scores = x @ torch.randn(features, labels, generator=generator)
    classes = (scores + noise * torch.randn(rows, labels, generator=generator)).argmax(1)
    return heads.Task(x, classes, labels, torch.ones(rows))


@pytest.mark.parametrize("strength", heads.STRENGTHS)
def test_the_linear_head_is_the_logistic_regression_of_scikit_learn(strength: float) -> None:
    given = task()
    ours = heads.fit_linear(given, strength)
    theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=5000).fit(given.features, given.classes)
    mine = torch.softmax(ours(given.features), 1).detach()
    assert mine.numpy() == pytest.approx(theirs.predict_proba(given.features.numpy()), abs=5e-3)


def test_its_passes_end_where_the_fit_at_once_ends() -> None:
    given = task()
    body = nn.Linear(12, 3)
    nn.init.zeros_(body.weight)
    nn.init.zeros_(body.bias)
    *_, last = itertools.islice(heads.linear_passes(body, given, 0.1, 5), 20)
    assert last == pytest.approx(given.loss(heads.fit_linear(given, 0.1)(given.features)).item(), abs=1e-4)


def test_balanced_weights_give_every_class_the_same_sum() -> None:
    classes = torch.tensor([0] * 90 + [1] * 9 + [2])
    weights = heads.row_weights(classes, 3, balanced=True)
    sums = [weights[classes == label].sum().item() for label in range(3)]
    assert sums == pytest.approx([100 / 3] * 3)
    assert heads.row_weights(classes, 3, balanced=False).unique().tolist() == [1.0]


def test_folds_hold_every_row_once_and_every_class_in_its_share() -> None:
    classes = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    folds = heads.split_in_folds(classes, 5, seed=1)
    assert sorted(torch.cat(folds).tolist()) == list(range(100))
    for fold in folds:
        assert torch.bincount(classes[fold], minlength=3).tolist() == [12, 6, 2]
    assert [len(fold) for fold in heads.split_in_folds(torch.tensor([0, 1, 0]), 5, seed=1)] == [1, 1, 1]


def test_logits_out_of_fold_come_from_a_head_that_did_not_see_the_row() -> None:
    given = task(rows=60, noise=50.0)  # labels by chance: whoever knows them has seen them
    folds = heads.split_in_folds(given.classes, 5, seed=1)
    unseen = heads.logits_out_of_fold(given, folds, 10.0).argmax(1)
    seen = heads.fit_linear(given, 10.0)(given.features).argmax(1)
    assert (unseen == given.classes).float().mean() < (seen == given.classes).float().mean() - 0.15


def test_the_temperature_undoes_what_made_a_head_too_sure_and_changes_no_decision() -> None:
    given = task(rows=4000)
    body = heads.fit_linear(given, 10.0)
    logits = body(given.features).detach()
    found = heads.find_temperature(logits * 3, given.classes)
    assert found == pytest.approx(3 * heads.find_temperature(logits, given.classes), rel=1e-2)
    before = heads.calibration_error(torch.softmax(logits * 3, 1), given.classes)
    after = heads.calibration_error(torch.softmax(logits * 3 / found, 1), given.classes)
    assert after < before / 3
    assert heads.find_temperature(torch.eye(3).repeat(9, 1) * 9, torch.arange(3).repeat(9)) >= heads.LEAST


def test_measures_agree_with_scikit_learn_and_with_sums_by_hand() -> None:
    given = task()
    probabilities = torch.softmax(torch.randn(200, 3, generator=torch.Generator().manual_seed(1)), 1)
    found = heads.measure(probabilities, given.classes)
    wanted = nn.functional.one_hot(given.classes, 3).float()
    assert found["loss"] == pytest.approx(
        log_loss(given.classes, probabilities.double() / probabilities.double().sum(1, keepdim=True)),
        rel=1e-4,
    )
    assert found["macro_f1"] == pytest.approx(
        f1_score(given.classes, probabilities.argmax(1), average="macro"), rel=1e-6
    )
    assert found["brier"] == pytest.approx(((probabilities - wanted) ** 2).sum(1).mean().item())
    assert found["accuracy"] == (probabilities.argmax(1) == given.classes).float().mean().item()


def test_the_calibration_error_is_the_weighted_gap_of_its_bins() -> None:
    sure = torch.tensor([[0.9, 0.1]] * 10 + [[0.3, 0.7]] * 30)
    classes = torch.tensor([0] * 7 + [1] * 3 + [1] * 15 + [0] * 15)
    assert heads.calibration_error(sure, classes) == pytest.approx(0.25 * 0.2 + 0.75 * 0.2)
    certain = torch.tensor([[1.0, 0.0]])
    assert heads.calibration_error(certain, torch.tensor([0])) == 0.0


def test_a_perceptron_learns_what_no_line_can_part_and_its_passes_repeat() -> None:
    x = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    given = heads.Task(x, (x[:, 0] * x[:, 1] > 0).long(), 2, torch.ones(400))
    how = heads.Descent(0.01, 40, 32, 0.0, "cosine", 0.1, 1.0, seed=1)

    def fitted() -> tuple[nn.Module, list[float]]:
        torch.manual_seed(5)
        body = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))
        losses = []
        for loss in heads.perceptron_passes(body, given, how):
            losses.append(loss)
            torch.rand(7)  # whatever else draws between two passes
        return body, losses

    body, losses = fitted()
    assert ((body(x).argmax(1) == given.classes).float().mean()) > 0.95
    line = heads.fit_linear(given, 1.0)(x).argmax(1)
    assert (line == given.classes).float().mean() < 0.7
    assert fitted()[1] == losses
