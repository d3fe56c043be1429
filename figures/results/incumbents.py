"""The best pattern of a run so far, by its search scores, and what it is worth."""

import numpy as np
import pandas as pd

from nasarena.figures.results.tables import Tables


def incumbents(run: pd.DataFrame) -> list[str | None]:
    """The pattern of the best full search score up to each trial; None before the first."""
    best, held = -np.inf, None
    found: list[str | None] = []
    for pattern, so_far in zip(map(str, run["pattern"]), run["best_so_far"], strict=True):
        if so_far > best:  # false for NaN
            best, held = so_far, pattern
        found.append(held)
    return found


def worth_so_far(frames: Tables) -> "pd.Series[float]":
    """What a run holds after each trial, in the order of `frames.trials`: on a benchmark the true
    score of its incumbent, else its best search score."""
    if frames.benchmark is None:
        return frames.trials["best_so_far"]
    worth = pd.Series(np.nan, index=frames.trials.index)
    scores = frames.benchmark.scores
    for _, run in frames.trials.groupby(["searcher", "seed"]):
        worth.loc[run.index] = np.array([scores.get(str(held), np.nan) for held in incumbents(run)])
    return worth
