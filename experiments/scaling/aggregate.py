"""One pattern of many finalists: the rule that was published, and its rivals.

Composer (arXiv 2510.00379, its aggregator): k-means on the score with
5 clusters names the candidates, the top cluster; then layer by layer the most frequent letter among
the candidates that agree with the last c letters chosen: N0 looks at none, N_all at all of them.

Every finalist has one vote, however many runs named it. Of letters with equally many votes, and of
patterns that a rule puts level, the one of the best finalist is taken.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby

import numpy as np

from nasarena.experiments.scaling.clusters import top_cluster_size
from nasarena.experiments.scaling.winners import Pool, ScoredTrials
from nasarena.figures.stats.intervals import Floats
from nasarena.search.models.linear_model import fit
from nasarena.search.models.pattern_features import Block, Features
from nasarena.search.space import PatternSpace

_BLOCKS: tuple[Block, ...] = ("counts", "bigrams", "trigrams", "smooth")  # as score_model.py
BEST = "best single"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What a rule makes of a pool; `num_voters`: how many patterns it is made of."""

    pattern: str
    num_voters: int


Rule = Callable[[Pool], Aggregate]


def make_rules(num_clusters: int, num_top: int) -> dict[str, Rule]:
    """All rules by name; `num_top` are the finalists that majority and medoid look at."""
    contexts: dict[str, int | None] = {"N0": 0, "N1": 1, "N2": 2, "N_all": None}
    composers: dict[str, Rule] = {
        f"Composer {name}": partial(composer, num_clusters=num_clusters, context=context)
        for name, context in contexts.items()
    }
    return {
        BEST: best_single,
        **composers,
        f"majority of {num_top}": partial(majority, num_top=num_top),
        f"medoid of {num_top}": partial(medoid, num_top=num_top),
        "model optimum": model_optimum,
        "frequent skeleton": skeleton,
    }


def best_single(pool: Pool) -> Aggregate:
    """The finalist of highest score."""
    return Aggregate(pool.patterns[0], 1)


def composer(pool: Pool, num_clusters: int, context: int | None) -> Aggregate:
    """Composer's rule over the top cluster; `context` None looks at all letters chosen so far."""
    voters = pool.patterns[: top_cluster_size(pool.scores_N, num_clusters)]
    return Aggregate(_vote(voters, context), len(voters))


def majority(pool: Pool, num_top: int) -> Aggregate:
    """Layer by layer the most frequent letter among the best finalists."""
    voters = pool.patterns[:num_top]
    return Aggregate(_vote(voters, 0), len(voters))


def _vote(voters: Sequence[str], context: int | None) -> str:
    chosen = ""
    for layer in range(len(voters[0])):
        start = 0 if context is None else max(0, layer - context)
        # Never empty: whoever the last letter came from agrees with the letters before it.
        agreeing = [one for one in voters if one[start:layer] == chosen[start:layer]]
        # `most_common` keeps the order of first appearance, and the best voter comes first.
        chosen += Counter(one[layer] for one in agreeing).most_common(1)[0][0]
    return chosen


def medoid(pool: Pool, num_top: int) -> Aggregate:
    """Of the best finalists the one of least summed edit distance to the others."""
    voters = pool.patterns[:num_top]
    sums = [sum(edit_distance(one, other) for other in voters) for one in voters]
    return Aggregate(voters[int(np.argmin(sums))], len(voters))


@cache
def edit_distance(first: str, second: str) -> int:
    """Fewest insertions, deletions and replacements of a letter between two patterns."""
    above = list(range(len(second) + 1))
    for i, letter in enumerate(first, start=1):
        row = [i]
        for j, other in enumerate(second, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (letter != other)))
        above = row
    return above[-1]


def model_optimum(pool: Pool) -> Aggregate:
    """The best of all patterns by one linear model of every trial's search score.

    The model is the linear part of the one that names finalists (search/models/score_model.py);
    its optimum over the whole space is found by dynamic programming.
    """
    features = _features(pool.space)
    rows_NF = np.concatenate([_rows(pool.space, trials) for trials in pool.trials])
    posterior = fit(features, rows_NF, np.concatenate([one.scores_N for one in pool.trials]))
    num_patterns = len({pattern for trials in pool.trials for pattern in trials.patterns})
    return Aggregate(features.optimum(posterior.mean_F), num_patterns)


@cache
def _features(space: PatternSpace) -> Features:
    return Features(space, _BLOCKS)


@cache  # resamples come back to the same runs
def _rows(space: PatternSpace, trials: ScoredTrials) -> Floats:
    return _features(space)(trials.patterns)


def skeleton(pool: Pool) -> Aggregate:
    """The most frequent order of runs, each run as long as on average there.

    `AAMAAM` and `AMMAAM` have the skeleton AMAM. Average lengths are rounded such that they add up
    to the depth.
    """
    skeletons = ["".join(letter for letter, _ in groupby(one)) for one in pool.patterns]
    common = Counter(skeletons).most_common(1)[0][0]
    voters = [one for one, its in zip(pool.patterns, skeletons, strict=True) if its == common]
    lengths = np.mean([[len(list(run)) for _, run in groupby(one)] for one in voters], axis=0)
    counts = round_to_sum(lengths.tolist(), pool.space.depth)
    pattern = "".join(letter * count for letter, count in zip(common, counts, strict=True))
    return Aggregate(pattern, len(voters))


def round_to_sum(values: Sequence[float], total: int) -> list[int]:
    """Whole numbers that add up to `total`: each rounded down, the largest remainders up.

    Of equal remainders the first goes up. `values` add up to `total` already.
    """
    counts = [int(value) for value in values]
    remainders = [round(value - count, 9) for value, count in zip(values, counts, strict=True)]
    order = sorted(range(len(values)), key=lambda place: -remainders[place])
    for place in order[: total - sum(counts)]:
        counts[place] += 1
    return counts
