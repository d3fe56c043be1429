"""Critical differences of mean ranks (Demsar 2006): Friedman's test, then Nemenyi's distance.

Only with ten blocks or more: with 6 searchers and 5 blocks two mean ranks would have to differ by
3.4 of at most 5. A block is a task, or, where there is one task, a seed of it; a figure says which.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as scipy_stats

from nasarena.figures.stats.intervals import Floats
from nasarena.figures.stats.paired import ALPHA
from nasarena.search.errors import InvalidSetting

MIN_BLOCKS = 10


@dataclass(frozen=True, slots=True)
class CriticalDifference:
    """Mean ranks `(num_searchers,)`, 1 is best, and the distance at which two differ."""

    mean_ranks: Floats
    distance: float
    friedman_p: float

    def groups(self) -> list[tuple[int, int]]:
        """Maximal stretches of searchers, in order of rank, that no distance separates.

        Each is (first, last) position in the order of mean ranks; stretches of one are left out.
        """
        ordered = np.sort(self.mean_ranks)
        ends = np.searchsorted(ordered, ordered + self.distance, side="right") - 1
        stretches = [(first, int(last)) for first, last in enumerate(ends) if last > first]
        return [
            (first, last)
            for number, (first, last) in enumerate(stretches)
            if number == 0 or last > stretches[number - 1][1]
        ]


def critical_difference(scores_BS: ArrayLike, alpha: float = ALPHA) -> CriticalDifference:
    """From `(num_blocks, num_searchers)` scores, higher is better.

    Raises InvalidSetting for fewer than ten blocks or fewer than three searchers.
    """
    scores = np.asarray(scores_BS, dtype=np.float64)
    num_blocks, num_searchers = scores.shape
    if num_blocks < MIN_BLOCKS or num_searchers < 3:
        raise InvalidSetting(
            f"a critical difference needs {MIN_BLOCKS} blocks and 3 searchers, got {num_blocks} "
            f"and {num_searchers}; read the paired differences instead"
        )
    ranks = scipy_stats.rankdata(-scores, axis=1)
    spread = np.sqrt(num_searchers * (num_searchers + 1) / (6 * num_blocks))
    quantile = scipy_stats.studentized_range.isf(alpha, num_searchers, np.inf) / np.sqrt(2)
    differs = bool((ranks != ranks[:, :1]).any())
    p = float(scipy_stats.friedmanchisquare(*scores.T).pvalue) if differs else 1.0
    return CriticalDifference(ranks.mean(axis=0), float(quantile * spread), p)
