"""Exact regret and rank: how good the best pattern found so far really is, without its luck.

On a benchmark the true score of every pattern is known, so the incumbent (the pattern of the best
search score so far, chosen by the noisy score that the searcher saw) can be judged by the truth.
Its regret is then never below 0, and its rank counts the patterns of the whole space that are truly
better. A wrong choice of incumbent shows: the exact curve may rise again.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nasarena.figures.plots.anytime import (
    aware_in_words,
    band_in_words,
    meter_column,
    meter_grid,
    meter_label,
    placeholder_figure,
    star_names,
)
from nasarena.figures.plots.panels import Curve, CurveFigure, Level, draw_curves
from nasarena.figures.plots.style import nothing_to_show
from nasarena.figures.results.benchmark import Benchmark
from nasarena.figures.results.incumbents import incumbents
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.curves import step_fill
from nasarena.figures.stats.intervals import Floats, band
from nasarena.search.seeding import stream

REGRET, RANK = "Exact regret of the best pattern so far", "Rank of the best pattern so far"


def true_regrets(frames: Tables, known: Benchmark) -> dict[str, list[Floats]]:
    """By searcher and seed, the exact regret after each trial; NaN before the first score."""
    return _by_run(frames, {p: known.best - score for p, score in known.scores.items()})


def true_ranks(frames: Tables, known: Benchmark) -> dict[str, list[Floats]]:
    """By searcher and seed, the rank in the whole space after each trial, 1 the optimum."""
    return _by_run(frames, known.ranks)


def final_values(values: dict[str, list[Floats]]) -> dict[str, list[float]]:
    """What is left at the end of each run, by searcher in the order of the seeds."""
    return {name: [float(run[-1]) for run in runs] for name, runs in values.items()}


def curves(frames: Tables, values: dict[str, list[Floats]], what: str) -> dict[str, Curve]:
    """Interquartile means on the budget's own meter, as every anytime curve."""
    meter = frames.unit
    column, grid = meter_column(frames, meter), meter_grid(frames, meter)
    found = {}
    for name, runs in values.items():
        spent = [run[column].to_numpy() for run in _runs(frames, name)]
        filled = [step_fill(at, own, grid) for at, own in zip(spent, runs, strict=True)]
        found[name] = Curve(grid, *band(np.array(filled), stream(0, "bootstrap", name, what)))
    return found


def draw_regret(frames: Tables) -> Figure:
    """The figure of exact regret; logarithmic where none of them is 0."""
    known = frames.benchmark
    if known is None:
        return nothing_to_show(REGRET, "No benchmark: true scores are not known.")
    empty = _nothing(frames, known, REGRET)
    if empty is not None:
        return empty
    found = curves(frames, true_regrets(frames, known), "exact regret")
    sheet = CurveFigure(
        title=REGRET,
        detail=_detail(frames, known) + aware_in_words(frames),
        x_label=meter_label(frames, frames.unit),
        y_label="true score below the optimum\n(lower is better)",
        panel_label="exact regret",
        levels=[
            Level(name, known.best - known.scores[pattern])
            for name, pattern in _references(frames).items()
            if pattern in known.scores
        ],
        floor=_noise_of_a_training(known),
        names=star_names(frames),
        log=all(float(np.nanmin(curve.middle)) > 0 for curve in found.values()),
    )
    return draw_curves(found, sheet)


def _noise_of_a_training(known: Benchmark) -> Level | None:
    spread = known.surrogate.spread if known.surrogate else 0.0
    return Level(f"noise of one training {spread:.3g}", spread) if spread > 0 else None


def draw_rank(frames: Tables) -> Figure:
    """The figure of ranks in the whole space, averaged as logarithms, drawn as ranks."""
    known = frames.benchmark
    if known is None or not known.ranks:
        return nothing_to_show(RANK, "The whole space was not ranked.")
    empty = _nothing(frames, known, RANK)
    if empty is not None:
        return empty
    logs = {
        name: [np.log10(run) for run in runs] for name, runs in true_ranks(frames, known).items()
    }
    found = {
        name: Curve(curve.grid, 10**curve.middle, 10**curve.low, 10**curve.high)
        for name, curve in curves(frames, logs, "exact rank").items()
    }
    sheet = CurveFigure(
        title=RANK,
        detail=f"1 is the optimum of all {known.size:,} patterns; means of logarithms. "
        + _detail(frames, known)
        + aware_in_words(frames),
        x_label=meter_label(frames, frames.unit),
        y_label="rank in the whole space\n(lower is better)",
        panel_label="rank",
        levels=[
            Level(name, known.ranks[pattern])
            for name, pattern in _references(frames).items()
            if pattern in known.ranks
        ],
        names=star_names(frames),
        log=True,
    )
    return draw_curves(found, sheet)


def _by_run(frames: Tables, values: Mapping[str, float]) -> dict[str, list[Floats]]:
    return {
        name: [
            np.array([values.get(held or "", np.nan) for held in incumbents(run)], dtype=np.float64)
            for run in _runs(frames, name)
        ]
        for name in frames.searchers
    }


def _runs(frames: Tables, name: str) -> list[pd.DataFrame]:
    """The trials of each run of a searcher, in the order of the seeds."""
    own = frames.trials[frames.trials["searcher"] == name]
    return [run for _, run in own.groupby("seed")]


def _references(frames: Tables) -> dict[str, str]:
    named = frames.references.drop_duplicates("name")
    return dict(zip(named["name"].astype(str), named["pattern"].astype(str), strict=True))


def _nothing(frames: Tables, known: Benchmark, title: str) -> Figure | None:
    """The figure that says why there is none: no run, or runs that the benchmark does not cover."""
    lacking = {
        held
        for name in frames.searchers
        for run in _runs(frames, name)
        for held in incumbents(run)
        if held is not None and held not in known.scores
    }
    if lacking:
        words = f"true scores of {len(lacking)} patterns are not on record"
        remedy = "the command that made the comparison writes them"
        return nothing_to_show(title, f"{words}, such as {min(lacking)}: {remedy}.")
    return placeholder_figure(frames, title, frames.unit)


def _detail(frames: Tables, known: Benchmark) -> str:
    return (
        f"{band_in_words(frames)}The incumbent is chosen by its noisy search score and judged by "
        f"its true score in {known.proxy}. "
    )
