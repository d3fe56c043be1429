"""Many comparisons at once: Holm's correction, ties, shared ranks.

The three answers to "is A better than B": yes (or the reverse), practically the same, not known.
A difference counts when the exact test finds it after Holm's correction, and not when its whole
interval lies within the region of practical equivalence: what a mere re-training moves is nothing
that a method should be praised for. Corrected p-values and ranks are about the searchers present,
so they are the only numbers that another searcher can move.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from nasarena.figures.stats.dominance import share_of_wins
from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.paired import ALPHA, cohen_dz, mean_difference, sign_flip_p
from nasarena.search.seeding import stream

Relation = Literal["better", "worse", "equivalent", "not known"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One searcher against another over the same seeds; positive differences favour `first`.

    `difference` is the mean with the interval of its exact test; `p_holm` is corrected over all
    comparisons made together; `effect` is Cohen's d of the paired differences; `wins` the share of
    seeds on which `first` is ahead, draws counted half. `rope` is the half width of the region of
    practical equivalence, in the unit of the scores; 0 where the noise floor is not known.
    """

    first: str
    second: str
    difference: Interval
    p: float
    p_holm: float
    effect: float
    wins: float
    rope: float = 0.0

    @property
    def relation(self) -> Relation:
        """Of `first` to `second`."""
        if self.is_equivalent:
            return "equivalent"
        if self.p_holm >= ALPHA:
            return "not known"
        return "better" if self.favours_first else "worse"

    @property
    def is_equivalent(self) -> bool:
        return self.difference.lies_within(self.rope)

    @property
    def is_significant(self) -> bool:
        return self.relation in ("better", "worse")

    @property
    def favours_first(self) -> bool:
        return self.difference.estimate > 0

    def swap(self) -> "Comparison":
        """The same comparison, seen from `second`."""
        return Comparison(
            first=self.second,
            second=self.first,
            difference=-self.difference,
            p=self.p,
            p_holm=self.p_holm,
            effect=-self.effect,
            wins=1 - self.wins,
            rope=self.rope,
        )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Holm 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for step, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - step) * p_values[index]))
        corrected[index] = highest
    return corrected


def compare_to(
    scores: Mapping[str, ArrayLike], reference: str, rope: float = 0.0, seed: int = 0
) -> list[Comparison]:
    """Every other searcher against `reference`; `scores[name]` are `(num_seeds,)`, same seeds.

    `p_holm` pays for these comparisons alone: they were planned, whoever leads.
    """
    pairs = [(name, reference) for name in scores if name != reference]
    return _compare(pairs, scores, rope, seed)


def compare_all(
    scores: Mapping[str, ArrayLike], rope: float = 0.0, seed: int = 0
) -> list[Comparison]:
    """Every pair of searchers; `scores[name]` are `(num_seeds,)`, same seeds in the same order.

    Each pair draws from a stream of its own, so that its interval stays what it was when another
    searcher joins. `p_holm` pays for every pair that is looked at.
    """
    return _compare(list(combinations(scores, 2)), scores, rope, seed)


def compare_pairs(
    pairs: Sequence[tuple[str, str]],
    scores: Mapping[str, ArrayLike],
    rope: float = 0.0,
    seed: int = 0,
) -> list[Comparison]:
    """These pairs alone, in this order; `p_holm` pays for them and no others."""
    return _compare(pairs, scores, rope, seed)


def rank_with_ties(names: Sequence[str], comparisons: Sequence[Comparison]) -> dict[str, int]:
    """Rank of each name: 1 + the number of searchers that were shown to be better.

    Searchers that do not differ significantly share a rank, so with too few seeds all are first.
    """
    ranks = dict.fromkeys(names, 1)
    for pair in comparisons:
        if pair.is_significant:
            ranks[pair.second if pair.favours_first else pair.first] += 1
    return ranks


def _compare(
    pairs: Sequence[tuple[str, str]], scores: Mapping[str, ArrayLike], rope: float, seed: int
) -> list[Comparison]:
    values = {name: np.asarray(scores[name], dtype=np.float64) for name in scores}
    differences = [values[first] - values[second] for first, second in pairs]
    streams = [stream(seed, "flips", *sorted(pair)) for pair in pairs]
    p_values = [sign_flip_p(*each) for each in zip(differences, streams, strict=True)]
    corrected = holm(p_values)
    return [
        Comparison(
            first=first,
            second=second,
            difference=mean_difference(differences[number], streams[number]),
            p=p_values[number],
            p_holm=corrected[number],
            effect=cohen_dz(differences[number]),
            wins=share_of_wins(differences[number]),
            rope=rope,
        )
        for number, (first, second) in enumerate(pairs)
    ]
