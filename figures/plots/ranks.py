"""Rank over budget: who leads when, the mean rank over the paired seeds at each point.

Ranks say nothing of how large a lead is, and another searcher moves them all: read them beside the
regret. Searchers with the same best score share the mean of their ranks, so all begin level.
"""

import numpy as np
from matplotlib.figure import Figure

from nasarena.figures.plots.anytime import (
    aware_in_words,
    best_by_seed,
    meter_grid,
    meter_label,
    placeholder_figure,
    star_names,
)
from nasarena.figures.plots.panels import CurveData, CurveFigure, draw_data
from nasarena.figures.plots.style import nothing_to_show
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.curves import Curve, rank_band, ranks_over_budget
from nasarena.search.seeding import stream


def rank_curves(tables: Tables, meter: str) -> dict[str, Curve]:
    """Mean rank of each searcher over the budget; 1 is best."""
    grid = meter_grid(tables, meter)
    best = np.stack(list(best_by_seed(tables, meter, grid).values()))
    ranks = ranks_over_budget(best)
    low, high = rank_band(best, stream(0, "bootstrap", "ranks", meter))
    return {
        name: Curve(grid, ranks[number], low[number], high[number])
        for number, name in enumerate(tables.searchers)
    }


def draw(analysis: Analysis) -> Figure:
    """The figure, against the budget's own unit."""
    return draw_data(prepare(analysis))


def prepare(analysis: Analysis) -> CurveData:
    """The curves against the budget's own unit."""
    tables = analysis.tables
    title = "Rank over the budget, by best search score so far"
    empty = placeholder_figure(tables, title, tables.unit)
    if empty is not None:
        return empty
    if len(tables.searchers) < 2:
        return nothing_to_show(title, "One searcher has no rank among others.")
    found = rank_curves(tables, tables.unit)
    if all(np.isnan(curve.middle).all() for curve in found.values()):
        return nothing_to_show(title, "At no point had every run a score.")
    band = " with 95 % bootstrap band" if len(tables.seeds) > 1 else ""
    sheet = CurveFigure(
        title=title,
        detail=f"Mean rank by best search score over {tables.seeds_in_words}{band}; equal scores "
        f"share a rank. {aware_in_words(tables)}",
        x_label=meter_label(tables, tables.unit),
        y_label=f"mean rank of {len(found)}\n(1 is best)",
        panel_label="mean rank",
        ground=tables.ground,
        names=star_names(tables),
        upside_down=True,
        full_range=True,
    )
    return found, sheet
