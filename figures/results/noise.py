"""The noise floor: how much a score moves when the same pattern is merely trained again.

Taken from the reference patterns, which are scored on every seed: what is left of their scores
when pattern and seed are accounted for (a seed that is kind to all is no noise between searchers on
paired seeds). Without references, from patterns that a run trained more than once. It sets the
region of practical equivalence and the noise line of the regret figure.
"""

import numpy as np
import pandas as pd

from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.agreement import residual_noise

# Fewer degrees of freedom than this say nothing about a spread.
_MIN_DEGREES = 3


def noise_floor(tables: Tables, is_final: bool) -> float | None:
    """Standard deviation of one score; of re-trainings if `is_final`, else of search scores.

    None where too few patterns were trained more than once.
    """
    column = "final" if is_final else "score"
    table = tables.references.pivot_table(index="name", columns="seed", values=column).dropna()
    if min(table.shape) >= 2 and (table.shape[0] - 1) * (table.shape[1] - 1) >= _MIN_DEGREES:
        averaged = float(tables.references["trainings"].mean()) if is_final else 1.0
        return residual_noise(table.to_numpy()) * float(np.sqrt(averaged))
    scored = tables.finals if is_final else tables.trials
    return _within_pattern_spread(scored[scored["status"] == "ok"])


def _within_pattern_spread(scored: pd.DataFrame) -> float | None:
    """Spread within patterns that the same run trained more than once, pooled over all."""
    if "fidelity" in scored:
        scored = scored[scored["fidelity"] == 1]
    distinct = scored.drop_duplicates(["seed", "pattern", "replicate"])
    scores = distinct.groupby(["seed", "pattern"])["score"]
    degrees = int((scores.size() - 1).sum())
    if degrees < _MIN_DEGREES:
        return None
    squares = float((scores.var(ddof=0) * scores.size()).sum())
    return float(np.sqrt(squares / degrees))
