"""How soon scores are reached: targets between the frozen anchors, and when each run got there.

Targets are regrets between the anchors, from twice random search's down to the best known in 40
equal steps, so they never depend on the searchers at hand. On a benchmark a target is reached once
the best pattern so far truly has that score: what a run saw carries noise, and its best may lie
above the optimum.
"""

from collections.abc import Mapping

import numpy as np

from nasarena.figures.results.anchors import Anchors, Scale
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.curves import area_under_steps
from nasarena.figures.stats.intervals import Floats
from nasarena.figures.stats.runtime import RunningTime, expected_running_time, first_hits

# Normalized regrets: 1 is random search with the whole budget, 0 the best known.
TARGETS = np.arange(40, 0, -1) / 20


def target_scores(scale: Scale, regrets: Floats = TARGETS) -> Floats | None:
    """Search scores of these normalized regrets; None where random search gives no unit."""
    if scale.random is None or scale.random >= scale.best:
        return None
    return scale.best - regrets * (scale.best - scale.random)


def hits_by_seed(tables: Tables, targets: Floats) -> dict[str, Floats]:
    """Budget at which each target was first reached, `(num_seeds, num_targets)`; inf: never."""
    column, trials = tables.meter_column(tables.unit), tables.trials
    highest = trials.groupby(["searcher", "seed"])["worth"].cummax()
    trials = trials.assign(highest=highest)
    return {
        name: np.array(
            [
                first_hits(run[column].to_numpy(), run["highest"].ffill().to_numpy(), targets)
                for _, run in trials[trials["searcher"] == name].groupby("seed")
            ]
        )
        for name in tables.searchers
    }


def running_times(
    tables: Tables, anchors: Anchors | None, regret: float = 1.0
) -> Mapping[str, RunningTime]:
    """Expected budget until a normalized regret, by searcher; empty without a unit."""
    targets = target_scores(anchors.search, np.array([regret])) if anchors else None
    if targets is None:
        return {}
    spent = tables.by_seed("spent")
    return {
        name: expected_running_time(hits[:, 0], spent[name])
        for name, hits in hits_by_seed(tables, targets).items()
    }


def areas(tables: Tables, anchors: Anchors | None) -> Mapping[str, list[float]]:
    """Mean normalized regret over the budget, by searcher and seed; empty without a unit.

    From where the initial design ended, the first reading at which every run has a score, to the
    whole budget, on a linear scale.
    """
    if anchors is None or target_scores(anchors.search) is None:
        return {}
    column, end = tables.meter_column(tables.unit), tables.budget
    scored = tables.trials.dropna(subset="worth")
    start = float(scored.groupby(["searcher", "seed"])[column].min().max())
    if not start < end:
        return {}
    return {
        name: [
            area_under_steps(run[column], anchors.search.normalize(run["worth"]), start, end)
            for _, run in scored[scored["searcher"] == name].groupby("seed")
        ]
        for name in tables.searchers
    }
