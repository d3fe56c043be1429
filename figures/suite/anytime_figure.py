"""Normalized regret of the best pattern so far, over the budget and all landscapes.

The incumbent is chosen by its noisy search score and judged by its true one, so a curve may rise
where the choice was wrong. Blocks are averaged at equal shares of their budgets.
"""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from nasarena.figures.plots.panels import CurveData, CurveFigure, draw_data
from nasarena.figures.stats.curves import Curve, step_fill
from nasarena.figures.stats.intervals import Floats, band
from nasarena.figures.suite.ranking_figure import ground
from nasarena.figures.suite.results import Landscape, SuiteResults
from nasarena.search.seeding import stream

TITLE = "Normalized regret of the best pattern so far"
_NUM_POINTS = 160


def draw(results: SuiteResults) -> Figure:
    """The figure."""
    return draw_data(prepare(results))


def prepare(results: SuiteResults) -> CurveData:
    """The curves over the share of the budget, by searcher."""
    grid = np.linspace(0, 1, _NUM_POINTS)
    found = {}
    for name in results.searchers:
        filled = np.concatenate([_regrets(each, name, grid) for each in results.landscapes])
        curve = Curve(grid, *band(filled, stream(0, "bootstrap", name, "suite anytime")))
        found[name] = replace(curve, low=np.maximum(curve.low, 0.0))
    sheet = CurveFigure(
        title=TITLE,
        detail=(
            f"Interquartile mean over {results.num_blocks} blocks with a 95 % band. The incumbent "
            f"is chosen by its noisy search score and judged by its true one."
        ),
        x_label="share of the budget spent",
        y_label="normalized regret\n(lower is better)",
        panel_label="normalized regret",
        ground=ground(results),
        log=all(float(np.nanmin(curve.middle)) > 0 for curve in found.values()),
    )
    return found, sheet


def _regrets(landscape: Landscape, searcher: str, grid: Floats) -> Floats:
    """Of each run of a searcher on a landscape, `(seeds, points)`."""
    tables, exact = landscape.analysis.tables, landscape.analysis.exact
    assert exact is not None
    unit = landscape.difficulty.random_regret
    runs = zip(tables.trials_by_seed(searcher), exact.regrets[searcher], strict=True)
    return np.array(
        [
            step_fill(run["spent"].to_numpy() / tables.budget, regrets / unit, grid)
            for run, regrets in runs
        ]
    )
