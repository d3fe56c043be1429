"""Nested cross-validation: settings are chosen inside, kinds are judged outside.

For each outer fold every kind chooses its setting by inner folds of the other patterns, is fitted
to all of those, and predicts the fold. A pattern with all its trainings is in one fold. So the
outer error is that of the whole procedure, choice included (Varma & Simon 2006).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.patternbench.features import Floats
from nasarena.experiments.patternbench.kinds import ENSEMBLES, KINDS, Kind, Predictor, fit_kind
from nasarena.experiments.patternbench.sample import Sample
from nasarena.search.seeding import stream

NUM_OUTER, NUM_INNER = 5, 3

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Predictions of one kind for every pattern, each made without it; `chosen` per outer fold."""

    name: str
    predicted: Floats
    error: float  # root mean squared error against single trainings
    fold_errors: tuple[float, ...]
    chosen: tuple[Mapping[str, Any], ...]


def cross_validate(sample: Sample, say: Say, kinds: Sequence[Kind] = KINDS) -> list[Verdict]:
    """Every kind and ensemble, the best first. Test patterns take no part; theirs is nan."""
    folds = _folds(sample, ~sample.is_test, NUM_OUTER, "outer")
    predicted = {kind.name: np.full(len(sample.patterns), np.nan) for kind in kinds}
    chosen: dict[str, list[Mapping[str, Any]]] = {kind.name: [] for kind in kinds}
    for fold in range(NUM_OUTER):
        inside, outside = (folds >= 0) & (folds != fold), folds == fold
        for kind in kinds:
            setting = best_setting(kind, sample, inside)
            chosen[kind.name].append(setting)
            predictor = fit_to_patterns(kind, sample, inside, setting)
            predicted[kind.name][outside] = predictor(sample.digits[outside])
            error = _error(sample, predicted[kind.name], outside)
            say(f"fold {fold + 1} of {NUM_OUTER}: {kind.name} {dict(setting)}, error {error:.5f}")
    for name, parts in ENSEMBLES.items():
        if set(parts) <= set(predicted):
            predicted[name] = np.mean([predicted[part] for part in parts], axis=0)
    verdicts = [
        Verdict(
            name,
            values,
            _error(sample, values, folds >= 0),
            tuple(_error(sample, values, folds == fold) for fold in range(NUM_OUTER)),
            tuple(chosen.get(name, ())),
        )
        for name, values in predicted.items()
    ]
    return sorted(verdicts, key=lambda verdict: verdict.error)


def best_setting(kind: Kind, sample: Sample, inside: NDArray[np.bool_]) -> Mapping[str, Any]:
    """The setting of lowest error over inner folds of the patterns `inside`."""
    if len(kind.settings) == 1:
        return kind.settings[0]
    folds = _folds(sample, inside, NUM_INNER, "inner")
    errors = []
    for setting in kind.settings:
        values = np.full(len(sample.patterns), np.nan)
        for fold in range(NUM_INNER):
            predictor = fit_to_patterns(kind, sample, (folds >= 0) & (folds != fold), setting)
            values[folds == fold] = predictor(sample.digits[folds == fold])
        errors.append(_error(sample, values, folds >= 0))
    return kind.settings[int(np.argmin(errors))]


def fit_to_patterns(
    kind: Kind, sample: Sample, patterns: NDArray[np.bool_], setting: Mapping[str, Any]
) -> Predictor:
    """Fit to every training of some patterns."""
    rows = sample.rows_of(patterns)
    return fit_kind(kind, sample.digits[sample.members[rows]], sample.scores[rows], setting)


def final_predictor(name: str, sample: Sample, kinds: Sequence[Kind] = KINDS) -> Predictor:
    """The winner, fitted to everything but the test patterns; settings chosen on the same."""
    inside = ~sample.is_test
    by_name = {kind.name: kind for kind in kinds}
    predictors = []
    for part in ENSEMBLES.get(name, (name,)):
        setting = best_setting(by_name[part], sample, inside)
        predictors.append(fit_to_patterns(by_name[part], sample, inside, setting))
    return lambda digits: np.asarray(np.mean([one(digits) for one in predictors], axis=0))


def _folds(sample: Sample, inside: NDArray[np.bool_], count: int, name: str) -> NDArray[np.int64]:
    """The fold of each pattern `inside`, -1 elsewhere; of equal size."""
    folds = np.full(len(sample.patterns), -1)
    places = np.flatnonzero(inside)
    order = stream(0, "patternbench folds", name).permutation(len(places))
    folds[places[order]] = np.arange(len(places)) % count
    return folds


def _error(sample: Sample, predicted: Floats, patterns: NDArray[np.bool_]) -> float:
    rows = sample.rows_of(patterns)
    return float(np.sqrt(np.mean((predicted[sample.members[rows]] - sample.scores[rows]) ** 2)))
