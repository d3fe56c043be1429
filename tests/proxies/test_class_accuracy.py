"""Accuracy averaged over classes: values by hand, scikit-learn's recall, and through a training."""

import numpy as np
import pytest
import torch

from nasarena.proxies.data.task import IGNORE
from nasarena.proxies.training.class_accuracy import class_accuracy
from nasarena.proxies.training.tally import Tally

CPU = torch.device("cpu")


def test_three_batches_by_hand() -> None:
    """Model 0: class 0 two of three, class 1 one of one, class 2 guessed and never asked: 5/9.
    Model 1: class 0 alone, all right: 1. Model 2: nothing right, two classes: 0."""
    targets = torch.tensor([[[0, 0, 0], [1, IGNORE, IGNORE]], [[0, 0, 0]] * 2, [[3, 3, 3]] * 2])
    guesses = torch.tensor([[[0, 0, 2], [1, 3, 0]], [[0, 0, 0]] * 2, [[1, 1, 1]] * 2])
    found = class_accuracy(guesses, targets, num_classes=4).tolist()
    assert found == pytest.approx([(2 / 3 + 1 + 0) / 3, 1.0, 0.0])


def test_nothing_asked_is_zero() -> None:
    nothing = torch.full((1, 2, 3), IGNORE)
    assert class_accuracy(torch.zeros_like(nothing), nothing, 4).tolist() == [0.0]


def test_it_is_scikit_learns_mean_recall() -> None:
    """Which averages over the classes in targets or guesses, too."""
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    targets, guesses = rng.integers(9, size=(2, 3, 5, 7))
    targets[rng.random(targets.shape) < 0.3] = IGNORE
    found = class_accuracy(torch.from_numpy(guesses), torch.from_numpy(targets), 12).tolist()
    for member in range(3):
        counts = targets[member] != IGNORE
        wanted = metrics.recall_score(
            targets[member][counts], guesses[member][counts], average="macro", zero_division=0.0
        )
        assert found[member] == pytest.approx(wanted, rel=1e-6)


def test_batches_weigh_by_their_sequences_and_are_averaged_one_by_one() -> None:
    """Sequences of one token, in batches of two. Targets 0 0 | 0 1 | 1, guesses 0 1 | 0 0 | 1:
    the batches have (1/2 + 0) / 2, (1 + 0) / 2 and 1; three of five are right."""
    targets, guesses = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 1, 0, 0, 1])
    tally = Tally(1, 2, batch_size=2, by_class=True, device=CPU)
    for part in (slice(0, 4), slice(4, 5)):  # scored in larger batches than trained in
        tally.add(torch.tensor([2.0]), guesses[None, part, None], targets[None, part, None])
    (scored,) = tally.scored([""])
    assert scored.class_accuracy == pytest.approx((2 * 0.25 + 2 * 0.5 + 1 * 1.0) / 5)
    assert scored.accuracy == pytest.approx(3 / 5) and scored.loss == pytest.approx(4 / 5)
    assert set(scored.metrics) == {"loss", "accuracy", "class_accuracy"}


def test_what_is_not_asked_for_is_not_measured() -> None:
    tally = Tally(1, 2, batch_size=2, by_class=False, device=CPU)
    tokens = torch.zeros(1, 2, 3, dtype=torch.int64)
    tally.add(torch.tensor([6.0]), tokens, tokens)
    assert tally.scored([""])[0].metrics == {"loss": 1.0, "accuracy": 1.0}
