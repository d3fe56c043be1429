"""Searchers that proposed what random search proposed: their random fill was their whole search.

All searchers of a seed draw from the same stream, so one that has not begun to search by itself
asks for the very patterns of random search, in the same order.
"""

from dataclasses import dataclass

import numpy as np

from nasarena.figures.results.tables import Tables
from nasarena.search.run_config import BASELINE

_MOST = 0.5  # of its trials, in the median run; beyond it a searcher is named


@dataclass(frozen=True, slots=True)
class RandomBeginning:
    """How many trials a searcher and random search have in common from the first on, and how many
    it has in all; medians over the paired seeds."""

    searcher: str
    num_common: float
    num_trials: float

    @property
    def is_whole(self) -> bool:
        """Whether it is random search throughout."""
        return self.num_common >= self.num_trials


def random_beginnings(tables: Tables) -> list[RandomBeginning]:
    """The searchers that were random search for more than half of their trials, by name."""
    if BASELINE not in tables.searchers:
        return []
    random = _patterns(tables, BASELINE)
    found = []
    for name in tables.searchers:
        if name == BASELINE:
            continue
        runs = _patterns(tables, name)
        common = [_num_common(own, other) for own, other in zip(runs, random, strict=True)]
        one = RandomBeginning(
            name, float(np.median(common)), float(np.median([len(run) for run in runs]))
        )
        if one.num_common > _MOST * one.num_trials:
            found.append(one)
    return found


def _patterns(tables: Tables, searcher: str) -> list[list[str]]:
    return [run["pattern"].tolist() for run in tables.trials_by_seed(searcher)]


def _num_common(first: list[str], second: list[str]) -> int:
    """The length of the beginning that both lists share."""
    length = min(len(first), len(second))
    return next((place for place in range(length) if first[place] != second[place]), length)
