"""How many seeds it takes: the power of the very test that the verdict uses.

Effects are in standard deviations of the paired differences, taken as normal. Up to 12 seeds the
power is found by running the exact test on 4,000 drawn samples: it is coarse there (6 seeds must
all agree), and the t-test's formula would promise up to 15 points more than it finds. From 13 on
the noncentral t distribution is as good and immediate. `measure.calibration` checks both.
"""

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as scipy_stats
from scipy.optimize import brentq

from nasarena.figures.stats.intervals import Floats
from nasarena.figures.stats.paired import ALPHA, cohen_dz, smallest_p
from nasarena.search.seeding import stream

POWER = 0.8
MAX_SEEDS_PLANNED = 1_000
_MAX_SIMULATED = 12
_NUM_SAMPLES = 4_000


def power(effect: float, num_seeds: int, alpha: float = ALPHA) -> float:
    """Probability that the exact paired test finds `effect` with `num_seeds` pairs at `alpha`."""
    if num_seeds < 2 or smallest_p(num_seeds) >= alpha:
        return 0.0
    if num_seeds <= _MAX_SIMULATED:
        return float((_p_values(abs(effect), num_seeds) < alpha).mean())
    return float(_t_power(abs(effect), np.array([num_seeds]), alpha)[0])


def seeds_for_differences(
    differences: ArrayLike, wanted: float = POWER, alpha: float = ALPHA
) -> int | None:
    """Seeds with which a gap like the one of `differences` `(n,)` is found with power `wanted`.

    A rough plan: from few seeds the effect itself is uncertain, and what looks largest is often
    luck. None where no number up to 1,000 would do, or nothing can be said.
    """
    effect = cohen_dz(differences)
    return None if np.isnan(effect) or effect == 0 else seeds_for(effect, wanted, alpha)


def seeds_for(effect: float, wanted: float = POWER, alpha: float = ALPHA) -> int | None:
    """The fewest seeds with which `effect` is found with power `wanted`; None above 1,000."""
    fewest = int(np.floor(1 - np.log2(alpha))) + 1
    for num_seeds in range(fewest, _MAX_SIMULATED + 1):
        found = 1.0 if np.isinf(effect) else power(effect, num_seeds, alpha)
        if found >= wanted:
            return num_seeds
    candidates = np.arange(max(fewest, _MAX_SIMULATED + 1), MAX_SEEDS_PLANNED + 1)
    reached = _t_power(abs(effect), candidates, alpha) >= wanted
    return int(candidates[np.argmax(reached)]) if reached.any() else None


def detectable_effect(num_seeds: int, wanted: float = POWER, alpha: float = ALPHA) -> float | None:
    """The smallest effect that `num_seeds` find with power `wanted`; None where they find none."""
    if smallest_p(num_seeds) >= alpha:
        return None
    return float(brentq(lambda e: power(e, num_seeds, alpha) - wanted, 1e-6, 10.0, xtol=1e-3))


def _t_power(effect: float, num_seeds: NDArray[np.int64], alpha: float) -> Floats:
    """Power of the two-sided paired t-test for each number of seeds."""
    critical, shift = scipy_stats.t.isf(alpha / 2, num_seeds - 1), effect * np.sqrt(num_seeds)
    above = scipy_stats.nct.sf(critical, num_seeds - 1, shift)
    below = scipy_stats.nct.cdf(-critical, num_seeds - 1, shift)
    # scipy has NaN for what is too small for it.
    return np.asarray(above + np.nan_to_num(below), dtype=np.float64)


@lru_cache(maxsize=64)
def _p_values(effect: float, num_seeds: int) -> Floats:
    """Exact p of the sign-flip test for samples of unit spread about `effect`, `(samples,)`."""
    samples = stream(0, "power", num_seeds).normal(effect, size=(_NUM_SAMPLES, num_seeds))
    flips = np.array([(1.0, *rest) for rest in product([1.0, -1.0], repeat=num_seeds - 1)])
    sums = np.abs(samples @ flips.T)  # the first flip is the sample as it is
    p_values: Floats = (sums >= sums[:, :1] * (1 - 1e-12)).mean(axis=1)
    return p_values
