"""What a pattern is worth, and in every resample: exact on a benchmark, else estimated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from nasarena.experiments.scaling.winners import Winners
from nasarena.figures.stats.intervals import Floats, student_factor
from nasarena.search.models.score_model import FEWEST, ScoreModel
from nasarena.search.proxy import KnownProxy
from nasarena.search.seeding import stream
from nasarena.search.trial import Trial


@dataclass(frozen=True, slots=True)
class Worth:
    """Higher is better: `estimate`, and what R resamples make of it, `repeats` `(R,)`.

    `is_exact`: it is minus the exact regret, the same in every resample.
    """

    estimate: Callable[[str], float]
    repeats: Callable[[str], Floats]
    is_exact: bool


def exact_worth(proxy: KnownProxy, num_resamples: int) -> Worth:
    """Minus how far the true score is below the optimum."""
    best = proxy.optimum()[1]

    @cache
    def estimate(pattern: str) -> float:
        return min(0.0, proxy.true_score(pattern) - best)

    return Worth(estimate, lambda pattern: np.full(num_resamples, estimate(pattern)), True)


def estimate_worth(winners: Winners, fresh: Mapping[str, Floats], num_resamples: int) -> Worth:
    """The mean of its fresh scores `(n,)`, where a pattern has any.

    Every other pattern, as only resamples name it, has the posterior mean of one model of the
    held-out scores of all finalists: their own mean would favour those that were lucky.

    A resample draws the seeds again, the same for all patterns; deviations are widened for few
    seeds as in figures/stats/intervals.py. With one seed nothing is known of them: NaN. A training
    that failed (NaN) counts as the mean of the others.
    """
    model = _model_of_finalists(winners)
    num_seeds = max((len(scores_n) for scores_n in fresh.values()), default=1)
    rng = stream(0, "resampled seeds of aggregates")
    drawn_Rn = rng.integers(num_seeds, size=(num_resamples, num_seeds))
    scale = float("nan") if num_seeds < 2 else _widening(num_seeds)

    @cache
    def estimate(pattern: str) -> float:
        if _has_scores(fresh, pattern):
            return float(np.nanmean(fresh[pattern]))
        return float(model.predict([pattern])[0][0])

    @cache
    def repeats(pattern: str) -> Floats:
        mean = estimate(pattern)
        if not _has_scores(fresh, pattern):
            return np.full(num_resamples, mean)
        scores_n = np.where(np.isnan(fresh[pattern]), mean, fresh[pattern])
        repeats_R: Floats = mean + scale * (scores_n[drawn_Rn].mean(axis=1) - mean)
        return repeats_R

    return Worth(estimate, repeats, False)


def _has_scores(fresh: Mapping[str, Floats], pattern: str) -> bool:
    return pattern in fresh and bool(np.isfinite(fresh[pattern]).any())


def _widening(count: int) -> float:
    """By how much a plain bootstrap of a mean of few values is too narrow."""
    return student_factor(count - 1) * float(np.sqrt(count / (count - 1)))


def _model_of_finalists(winners: Winners) -> ScoreModel:
    scores = [
        (pattern, score)
        for run in winners.runs
        for pattern, own in run.finalists.items()
        for score in own
    ]
    assert len(scores) >= FEWEST
    trials = [Trial(i, pattern, "ok", score) for i, (pattern, score) in enumerate(scores)]
    return ScoreModel(winners.space, trials)
