"""Which searchers can be told apart: paired tests, Holm's correction, shared ranks, seeds needed.

Seed k is the same frozen landscape for every searcher, so scores are compared seed by seed. The
test flips the signs of the differences: under "no difference" each sign is a fair coin, and all
2^n flips are counted, so the p-value is exact. Its smallest value is 2^(1 - n): fewer than 6 seeds
cannot reach 0.05, whatever the scores are, and a verdict has to say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as scipy_stats

from nasarena.figures.stats import Interval, interval
from nasarena.search.seeding import stream

ALPHA = 0.05
# Up to here all sign flips are counted (2^21 sums for 22 pairs); above, 100,000 are drawn.
_MAX_EXACT_PAIRS = 22
_NUM_DRAWN = 100_000
MAX_SEEDS_PLANNED = 1_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """One searcher against another over the same seeds; positive differences favour `first`.

    `difference` is the interquartile mean; `favours_first` is the side of the plain mean, which is
    what the test is about. `p` is exact and two-sided; `p_holm` is corrected over all comparisons
    made together.
    """

    first: str
    second: str
    difference: Interval
    favours_first: bool
    p: float
    p_holm: float

    @property
    def is_told_apart(self) -> bool:
        return self.p_holm < ALPHA


def sign_flip_p(differences: ArrayLike, rng: np.random.Generator | None = None) -> float:
    """Two-sided p of the paired permutation test on the sum of `differences`, shape `(n,)`.

    Exact up to 22 pairs; above, 100,000 flips are drawn from `rng` (Phipson & Smyth 2010 count the
    observed one in, so p is never 0). Raises ValueError for more than 22 pairs without `rng`.
    """
    values = np.asarray(differences, dtype=np.float64)
    observed = abs(values.sum())
    rounding = 1e-12 * np.abs(values).sum()
    if len(values) <= _MAX_EXACT_PAIRS:
        sums = values[:1]  # the other sign of the first gives the mirrored half
        for value in values[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return float(np.mean(np.abs(sums) >= observed - rounding))
    if rng is None:
        raise ValueError(f"more than {_MAX_EXACT_PAIRS} pairs need a generator, got {len(values)}")
    signs = rng.choice([-1.0, 1.0], size=(_NUM_DRAWN, len(values)))
    count = int(np.sum(np.abs(signs @ values) >= observed - rounding))
    return (count + 1) / (_NUM_DRAWN + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Holm 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for step, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - step) * p_values[index]))
        corrected[index] = highest
    return corrected


def compare_to(scores: Mapping[str, ArrayLike], reference: str, seed: int = 0) -> list[Comparison]:
    """Every other searcher against `reference`; `scores[name]` are `(num_seeds,)`, same seeds."""
    return _compare([(name, reference) for name in scores if name != reference], scores, seed)


def compare_all(scores: Mapping[str, ArrayLike], seed: int = 0) -> list[Comparison]:
    """Every pair of searchers; `scores[name]` are `(num_seeds,)`, same seeds in the same order.

    Each pair draws its bootstrap from a stream of its own, so that the interval of a pair stays
    what it was when another searcher joins. `p_holm` pays for every pair that is looked at.
    """
    return _compare(list(combinations(scores, 2)), scores, seed)


def shared_ranks(names: Sequence[str], comparisons: Sequence[Comparison]) -> dict[str, int]:
    """Rank of each name: 1 + the number of searchers that were shown to be better.

    Searchers that cannot be told apart share a rank, so with too few seeds all are first.
    """
    ranks = dict.fromkeys(names, 1)
    for pair in comparisons:
        if pair.is_told_apart:
            ranks[pair.second if pair.favours_first else pair.first] += 1
    return ranks


def smallest_p(num_seeds: int) -> float:
    """The smallest two-sided p that `num_seeds` pairs can give: 2^(1 - n)."""
    return 2.0 ** (1 - num_seeds)


def seeds_needed(differences: ArrayLike, power: float = 0.8, alpha: float = ALPHA) -> int | None:
    """Seeds with which a gap like this one would be found with probability `power`.

    Power of the paired t-test (noncentral t) at the observed effect size, and never fewer than the
    exact test needs to reach `alpha` at all. A rough plan: from few seeds the effect size itself is
    uncertain. None where no number up to 1,000 would do, or nothing can be said.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or values.mean() == 0:
        return None
    fewest = max(2, int(np.ceil(1 - np.log2(alpha))))
    spread = values.std(ddof=1)
    if spread == 0:
        return fewest
    effect = abs(values.mean()) / spread
    candidates = np.arange(fewest, MAX_SEEDS_PLANNED + 1)
    critical = scipy_stats.t.ppf(1 - alpha / 2, candidates - 1)
    found = scipy_stats.nct.sf(critical, candidates - 1, effect * np.sqrt(candidates))
    reached = np.asarray(found) >= power
    return int(candidates[np.argmax(reached)]) if reached.any() else None


def _compare(
    pairs: Sequence[tuple[str, str]], scores: Mapping[str, ArrayLike], seed: int
) -> list[Comparison]:
    values = {name: np.asarray(scores[name], dtype=np.float64) for name in scores}
    differences = [values[first] - values[second] for first, second in pairs]
    streams = [stream(seed, "bootstrap", first, second) for first, second in pairs]
    p_values = [sign_flip_p(*each) for each in zip(differences, streams, strict=True)]
    corrected = holm(p_values)
    return [
        Comparison(
            first=first,
            second=second,
            difference=interval(differences[number], streams[number]),
            favours_first=bool(differences[number].sum() > 0),
            p=p_values[number],
            p_holm=corrected[number],
        )
        for number, (first, second) in enumerate(pairs)
    ]
