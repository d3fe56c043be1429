"""k-means of numbers, exactly: the clusters of least squared distance to their means.

In one dimension clusters are ranges of the sorted values, so dynamic programming over where a
range begins finds the best of all (Wang & Song 2011, "Ckmeans.1d.dp", The R Journal 3(2)). It needs
no start and no random numbers, unlike the k-means of scipy and scikit-learn.
"""

import numpy as np

from nasarena.figures.stats.intervals import Floats


def top_cluster_size(falling_N: Floats, num_clusters: int) -> int:
    """How many of N scores, sorted from the highest down, are in the highest of k clusters.

    Equal scores share a cluster; of fewer different scores than clusters each is one. Of equally
    good partitions the one with the smallest top cluster counts.
    """
    values_M, counts_M = np.unique(-falling_N, return_counts=True)
    k = min(num_clusters, len(values_M))
    costs_MM = _range_costs(values_M, counts_M.astype(np.float64))
    # best_M[i]: the least cost of the values from i on, in as many clusters as there are so far.
    best_M = costs_MM[:, -1]
    for _ in range(k - 2):
        best_M = np.min(costs_MM[:, :-1] + best_M[1:], axis=1)
    if k == 1:
        return int(counts_M.sum())
    totals = costs_MM[0, :-1] + best_M[1:]
    return int(counts_M[: int(np.argmin(totals)) + 1].sum())


def _range_costs(values_M: Floats, counts_M: Floats) -> Floats:
    """Weighted squared distances to the mean of the values i to j, `(M, M)`; infinite for j < i."""
    centred_M = values_M - np.average(values_M, weights=counts_M)
    sums = [np.concatenate([[0.0], np.cumsum(counts_M * centred_M**power)]) for power in (0, 1, 2)]
    weight, first, second = (total[None, 1:] - total[:-1, None] for total in sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        costs_MM: Floats = np.maximum(second - first**2 / weight, 0.0)
    return np.where(np.tri(len(values_M), k=-1, dtype=bool), np.inf, costs_MM)
