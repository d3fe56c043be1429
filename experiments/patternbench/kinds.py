"""The kinds of surrogates that are compared, each with the settings that inner folds choose from.

A fitted surrogate is a function of digits `(patterns, 16)` to scores. Libraries do the fitting;
what is served is distilled from the winner (`distillation.py`).

A setting with `log` fits the logarithm of the distance to somewhat above the best score instead.
Scores crowd at the top and spread at the bottom, and squared errors would be those of bad patterns.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nasarena.experiments.patternbench.features import (
    Digits,
    Floats,
    letter_features,
    pair_features,
    tree_features,
    triple_features,
    window_features,
)

Predictor = Callable[[Digits], Floats]
Fit = Callable[..., Predictor]  # (digits, scores, **setting)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of surrogate: how to fit it, and the settings it may have."""

    name: str
    fit: Fit
    settings: Sequence[Mapping[str, Any]] = field(default=({},))


def fit_ridge(digits: Digits, scores: Floats, features: str, penalty: float) -> Predictor:
    """Ridge regression on one-hot letters, pairs or triples by position."""
    from sklearn.linear_model import Ridge  # type: ignore[import-untyped]

    seen = {"letters": letter_features, "pairs": pair_features, "triples": triple_features}
    model = Ridge(alpha=penalty).fit(seen[features](digits), scores)
    return lambda others: np.asarray(model.predict(seen[features](others)))


def fit_trees(digits: Digits, scores: Floats, leaves: int, rounds: int) -> Predictor:
    """Boosted trees on n-gram and position features."""
    from sklearn.ensemble import (  # type: ignore[import-untyped]
        HistGradientBoostingRegressor,
    )

    model = HistGradientBoostingRegressor(
        max_iter=rounds,
        learning_rate=0.05,
        max_leaf_nodes=leaves,
        min_samples_leaf=10,
        l2_regularization=1.0,
        max_features=0.5,
        random_state=0,
    ).fit(tree_features(digits), scores)
    return lambda others: np.asarray(model.predict(tree_features(others)))


def fit_forest(digits: Digits, scores: Floats) -> Predictor:
    """Extremely randomized trees on n-gram and position features."""
    from sklearn.ensemble import ExtraTreesRegressor

    model = ExtraTreesRegressor(300, min_samples_leaf=3, max_features=0.5, random_state=0)
    model.fit(tree_features(digits), scores)
    return lambda others: np.asarray(model.predict(tree_features(others)))


def fit_process(digits: Digits, scores: Floats, length: float, noise: float) -> Predictor:
    """Gaussian process with a squared-exponential kernel on letters, pairs and counts.

    `noise` is the variance of a training to the prior variance of the process. Its mean, all that
    is asked of it, is kernel ridge regression, which spares a second factorization.
    """
    from sklearn.kernel_ridge import KernelRidge  # type: ignore[import-untyped]

    centre = scores.mean()
    model = KernelRidge(alpha=noise, kernel="rbf", gamma=1 / (2 * length**2))
    model.fit(_points(digits), scores - centre)

    def predict(others: Digits) -> Floats:
        parts = np.array_split(others, max(1, len(others) // 2000))
        return np.asarray(centre + np.concatenate([model.predict(_points(p)) for p in parts]))

    return predict


def fit_networks(digits: Digits, scores: Floats, units: int, decay: float) -> Predictor:
    """Eight networks of one hidden layer on letters, pairs and counts; the mean of them."""
    from nasarena.experiments.patternbench.torch_network import TrainPlan, train_networks

    plan = TrainPlan(members=8, units=units, decay=decay, epochs=60, batch=128)
    networks = train_networks(window_features(digits), scores, plan)
    return lambda others: networks.predict(window_features(others))


def _points(digits: Digits) -> Floats:
    """A letter at its place counts in full; pairs at their place and counts count half."""
    features = window_features(digits)
    features[:, letter_features(digits[:1]).shape[1] :] *= 0.5
    return features


KINDS = (
    Kind(
        "ridge",
        fit_ridge,
        [
            {"features": features, "penalty": penalty}
            for features in ("letters", "pairs", "triples")
            for penalty in (3.0, 30.0)
        ],
    ),
    Kind(
        "boosted trees",
        fit_trees,
        [
            {"leaves": leaves, "rounds": rounds, "log": log}
            for leaves, rounds in ((12, 400), (6, 600), (24, 300))
            for log in (False, True)
        ],
    ),
    Kind("extra trees", fit_forest, [{"log": False}, {"log": True}]),
    Kind(
        "gaussian process",
        fit_process,
        [
            {"length": length, "noise": noise, "log": log}
            for length, noise in ((8.0, 0.03), (8.0, 0.1), (12.0, 0.01), (16.0, 0.03))
            for log in (False, True)
        ],
    ),
    Kind(
        "networks",
        fit_networks,
        [{"units": 16, "decay": 3.0}, {"units": 16, "decay": 10.0}, {"units": 48, "decay": 6.0}],
    ),
)
# Means of kinds, made of the same fits: an ensemble has no settings of its own.
ENSEMBLES = {
    "trees + process": ("boosted trees", "gaussian process"),
    "two kinds of trees + process": ("boosted trees", "extra trees", "gaussian process"),
    "trees + process + networks": ("boosted trees", "gaussian process", "networks"),
}


def fit_kind(kind: Kind, digits: Digits, scores: Floats, setting: Mapping[str, Any]) -> Predictor:
    """Fit one kind; complaints of the libraries about nothing are kept from the screen."""
    own = {key: value for key, value in setting.items() if key != "log"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not setting.get("log"):
            return kind.fit(digits, scores, **own)
        top = scores.max() + scores.std()
        logarithm = kind.fit(digits, np.log(top - scores), **own)
    return lambda others: np.asarray(top - np.exp(logarithm(others)))
