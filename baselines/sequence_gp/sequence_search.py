"""Bayesian optimization with a Gaussian process whose kernel is a sum of sequence kernels.

The kernels (sequence_kernels.py) span what a score of layer patterns may depend on: letters at
places, n-grams at places, layers anywhere together, and counts that know no places. How much of
each there is, and the noise, are refitted whenever the trials have grown by a tenth. The next
pattern maximizes log expected improvement (Ament et al. 2023) over the best posterior mean of the
tried, because observed scores are noisy. The deviation is enlarged, because a single fit of fifteen
weights is surer of itself than it should be. Where hardly any improvement is expected, every other
ask looks in a niche: among patterns far from the best one, against the best of those tried there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasarena.baselines.options import NUM_STARTUP, NumStartup
from nasarena.baselines.sequence_gp.climb import Admits, climb, draw_starts
from nasarena.baselines.sequence_gp.equal_windows import Digits
from nasarena.baselines.sequence_gp.evidence import Hyperparameters, fit
from nasarena.baselines.sequence_gp.improvement import log_expected_improvement
from nasarena.baselines.sequence_gp.options import (
    DeviationScale,
    FitSteps,
    NicheBelow,
    NicheDistance,
    NumClimbers,
    NumStarts,
    RefitGrowth,
    TrustRadius,
)
from nasarena.baselines.sequence_gp.process import Process
from nasarena.baselines.sequence_gp.sequence_kernels import Floats, SequenceKernels
from nasarena.baselines.untried import Untried
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

_NUM_BEST = 10  # tried patterns whose mutants and crossovers are starts
_LOWEST_SCORE = -2.5  # in deviations: a single disaster must not flatten everything else


@dataclass(frozen=True, slots=True)
class _Belief:
    """The process, and scores of its patterns, those of a batch under way believed."""

    process: Process
    digits_NT: Digits
    scores_N: Floats
    weights_N: Floats
    means_N: Floats

    @classmethod
    def of(cls, process: Process, digits_NT: Digits, scores_N: Floats) -> "_Belief":
        weights_N = process.weights(scores_N)
        return cls(process, digits_NT, scores_N, weights_N, process.means(weights_N))


@searcher("sequence-gp")
class SequenceGP:
    """The next pattern by log expected improvement, none twice; failed trials teach it nothing.

    Within a batch, patterns already chosen count as scored with their posterior mean.
    """

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        num_startup: NumStartup = NUM_STARTUP,
        num_starts: NumStarts = 200,
        num_climbers: NumClimbers = 6,
        refit_growth: RefitGrowth = 1.1,
        fit_steps: FitSteps = 30,
        deviation_scale: DeviationScale = 1.5,
        niche_distance: NicheDistance = 0.375,
        niche_below: NicheBelow = 0.002,
        trust_radius: TrustRadius = None,
    ) -> None:
        self._space, self._rng = space, rng
        self._num_startup = max(2, num_startup)
        self._num_starts, self._num_climbers = num_starts, num_climbers
        self._growth, self._fit_steps = refit_growth, fit_steps
        self._niche_distance, self._niche_below = niche_distance, np.log(niche_below)
        self._trust_radius, self._deviation_scale = trust_radius, deviation_scale
        self._untried = Untried(space)
        self._closed = set[bytes]()  # the same as bytes of digits, which are quicker to look up
        self._patterns: list[str] = []
        self._scores: list[float] = []
        self._kernels = SequenceKernels(space.depth, len(space.alphabet))
        self._hyperparameters = Hyperparameters.start(len(self._kernels.names))
        self._process: Process | None = None
        self._next_fit = 0
        self._niche_is_due = False

    def ask(self, n: int) -> list[str]:
        """Up to `n` patterns that were not tried; fewer where no more are left."""
        n = min(n, self._untried.num_left)
        asked: list[str] = []
        belief = self._believe() if len(self._patterns) >= self._num_startup and n else None
        for _ in range(n):
            pattern = self._choose(belief) if belief else None
            pattern = pattern or self._untried.draw(self._rng)
            assert pattern is not None, "as many are left"
            self._close(pattern)
            asked.append(pattern)
            if belief and len(asked) < n:
                belief = self._add(belief, pattern)
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            if trial.pattern in self._space:
                self._close(trial.pattern)
            if trial.score is not None and not trial.is_partial:
                self._patterns.append(trial.pattern)
                self._scores.append(trial.score)

    def recommend(self, k: int) -> list[str]:
        """The tried patterns of highest posterior mean."""
        if len(self._patterns) < 2:
            return self._patterns[:k]
        order = np.argsort(-self._believe().means_N, kind="stable")
        return list(dict.fromkeys(self._patterns[place] for place in order))[:k]

    def _close(self, pattern: str) -> None:
        self._untried.discard([pattern])
        self._closed.add(self._space.digits(pattern).tobytes())

    def _believe(self) -> _Belief:
        """The posterior given all scores; the weights are fitted anew where that is due."""
        digits_NT = np.stack([self._space.digits(pattern) for pattern in self._patterns])
        scores_N, num = _standardize(self._scores), len(self._scores)
        if self._process is None or num >= self._next_fit:
            encoded = self._kernels.encode(digits_NT)
            grams_KNN = self._kernels.grams(encoded, encoded)
            self._hyperparameters = fit(grams_KNN, scores_N, self._hyperparameters, self._fit_steps)
            self._next_fit = max(num + 1, round(self._growth * num))
            self._process = Process.of(self._kernels, self._hyperparameters, encoded)
        for place in range(len(self._process), num):
            one = self._kernels.encode(digits_NT[place : place + 1])
            self._process = self._process.extend(one)
        return _Belief.of(self._process, digits_NT, scores_N)

    def _add(self, belief: _Belief, pattern: str) -> _Belief:
        """As if `pattern` were scored with its posterior mean."""
        digits_1T = self._space.digits(pattern)[None]
        one = self._kernels.encode(digits_1T)
        mean_1, _ = belief.process.predict(one, belief.weights_N)
        return _Belief.of(
            belief.process.extend(one),
            np.concatenate([belief.digits_NT, digits_1T]),
            np.concatenate([belief.scores_N, mean_1]),
        )

    def _choose(self, belief: _Belief) -> str | None:
        """By expected improvement everywhere, or in a niche where that has collapsed."""
        best_T = belief.digits_NT[belief.means_N.argmax()]
        depth = self._space.depth
        found = self._climb_within(belief, best_T, 0, self._trust_radius or depth)
        collapsed = found is None or found[1] < self._niche_below
        if collapsed and self._niche_distance > 0 and self._trust_radius is None:
            self._niche_is_due = not self._niche_is_due
            if self._niche_is_due:
                least = max(1, round(self._niche_distance * depth))
                found = self._climb_within(belief, best_T, least, depth) or found
        return None if found is None else self._space.from_digits(found[0])

    def _climb_within(
        self, belief: _Belief, best_T: Digits, least: int, most: int
    ) -> tuple[Digits, float] | None:
        """Among patterns that differ from the best in `least` to `most` layers, over the best mean
        of those tried there. None where nothing was tried there, or no start is left.
        """

        def within(digits_NT: Digits) -> NDArray[np.bool_]:
            distances_N = (digits_NT != best_T).sum(axis=1)
            result: NDArray[np.bool_] = (distances_N >= least) & (distances_N <= most)
            return result

        rivals = np.flatnonzero(within(belief.digits_NT))
        if not len(rivals):
            return None
        return self._climb(belief, rivals, lambda digits: within(digits) & self._open(digits))

    def _climb(
        self, belief: _Belief, rivals: NDArray[np.intp], admits: Admits
    ) -> tuple[Digits, float] | None:
        """The admitted pattern of most log expected improvement over the best mean of `rivals`."""
        best = float(belief.means_N[rivals].max())

        def values(digits_MT: Digits) -> Floats:
            encoded = self._kernels.encode(digits_MT)
            mean_M, deviation_M = belief.process.predict(encoded, belief.weights_N)
            return log_expected_improvement(mean_M, self._deviation_scale * deviation_M, best)

        order = rivals[np.argsort(-belief.means_N[rivals], kind="stable")][:_NUM_BEST]
        starts = draw_starts(self._space, self._rng, belief.digits_NT[order], self._num_starts)
        return climb(starts, len(self._space.alphabet), values, admits, self._num_climbers)

    def _open(self, digits_MT: Digits) -> NDArray[np.bool_]:
        """Which were neither tried nor asked, shape `(M,)`."""
        raw, size = digits_MT.astype(np.int64).tobytes(), 8 * self._space.depth
        rows = range(0, len(raw), size)
        return np.array([raw[row : row + size] not in self._closed for row in rows], dtype=bool)


def _standardize(scores: list[float]) -> Floats:
    """Mean 0 and standard deviation 1, nothing below `_LOWEST_SCORE`; 0 where all are the same."""
    values = np.array(scores)
    values = (values - values.mean()) / (float(values.std()) or 1.0)
    clipped: Floats = np.maximum(values, _LOWEST_SCORE)
    return clipped
