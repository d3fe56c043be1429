"""The rows as arrays for fitting: scores freed of what belongs to their run seed.

All patterns of one run seed see the same training data, so a seed shifts them all alike. The
offsets are fitted together with a ridge model of the patterns, since every seed saw others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.patternbench.features import digits_of, pair_features
from nasarena.proxies.patternbench.rows import Row

_RIDGE = 3.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Trainings that did not fail: `members[i]` is the place of row i in `patterns`.

    `scores` are centred for their seed. `is_test` marks patterns whose scores no surrogate is
    fitted to; `is_selected` those that were trained again because of the scores they had.
    `is_elite` marks rows of the elite round: they were decided on before any of them was trained.
    """

    patterns: tuple[str, ...]
    digits: NDArray[np.int64]
    members: NDArray[np.int64]
    scores: NDArray[np.float64]
    is_test: NDArray[np.bool_]
    is_selected: NDArray[np.bool_]
    is_elite: NDArray[np.bool_]
    offsets: NDArray[np.float64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Trainings of each pattern."""
        return np.bincount(self.members, minlength=len(self.patterns))

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean score of each pattern."""
        sums = np.bincount(self.members, self.scores, minlength=len(self.patterns))
        return np.asarray(sums / self.counts)

    @property
    def variances(self) -> NDArray[np.float64]:
        """Unbiased variance between the trainings of each pattern; nan for a single one."""
        return self._variances(np.full(len(self.members), True))[0]

    def elite_variances(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Of patterns with two or more trainings in the elite round: places, variances, counts.

        The elite were chosen for scores that lie before that round, so it has no luck to give back.
        """
        variances, counts = self._variances(self.is_elite & self.is_selected[self.members])
        places = np.flatnonzero(counts > 1)
        return places, variances[places], counts[places]

    def _variances(self, rows: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Variance and number of the chosen trainings of each pattern."""
        members, scores = self.members[rows], self.scores[rows]
        counts = np.bincount(members, minlength=len(self.patterns))
        sums = np.bincount(members, scores, minlength=len(self.patterns))
        squares = (scores - (sums / np.maximum(counts, 1))[members]) ** 2
        sums = np.bincount(members, squares, minlength=len(self.patterns))
        return np.where(counts > 1, sums / np.maximum(counts - 1, 1), np.nan), counts

    @property
    def repeats(self) -> NDArray[np.int64]:
        """Places of patterns that were meant to be trained more than once, whatever they scored.

        The first trainings of all others were chosen for luck: their spread says nothing.
        """
        return np.flatnonzero((self.counts > 1) & ~self.is_selected)

    def rows_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Places of the rows of chosen patterns."""
        return np.flatnonzero(chosen[self.members])


def sample_of(rows: Sequence[Row]) -> Sample:
    """The sample of a file of rows; it does not depend on their order."""
    usable = sorted((r for r in rows if r.score is not None), key=lambda r: (r.pattern, r.seed))
    patterns = tuple(dict.fromkeys(row.pattern for row in usable))
    place = {pattern: i for i, pattern in enumerate(patterns)}
    members = np.array([place[row.pattern] for row in usable])
    scores = np.array([row.score for row in usable], dtype=np.float64)
    seeds = np.array([row.seed for row in usable])
    tests = {row.pattern for row in usable if row.role == "test"}
    selected = {row.pattern for row in usable if row.role == "again"}
    digits = digits_of(patterns)
    fitted = np.array([pattern not in tests for pattern in patterns])[members]
    offsets = _offsets(pair_features(digits)[members], scores, seeds, fitted)
    is_test = np.array([pattern in tests for pattern in patterns])
    is_selected = np.array([pattern in selected for pattern in patterns])
    last = max(1, *(row.round for row in usable))
    is_elite = np.array([row.role == "again" and row.round == last for row in usable])
    centred = scores - offsets[seeds]
    return Sample(patterns, digits, members, centred, is_test, is_selected, is_elite, offsets)


def _offsets(
    features: NDArray[np.float64],
    scores: NDArray[np.float64],
    seeds: NDArray[np.int64],
    fitted: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Offset of each run seed, with mean 0 over the seeds."""
    one_hot = np.eye(int(seeds.max()) + 1)[seeds]
    both = np.hstack([features, one_hot])[fitted]
    targets = scores[fitted] - scores[fitted].mean()
    gram = both.T @ both + _RIDGE * np.eye(both.shape[1])
    weights = np.linalg.solve(gram, both.T @ targets)[features.shape[1] :]
    return np.asarray(weights - weights.mean())
