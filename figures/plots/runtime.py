"""How soon scores are reached: runtime distribution over frozen targets, expected running time.

A curve at 0.6 says that 60 % of all (seed, target) pairs were reached by then; to its right the
budget was spent in vain. `results/running_times.py` says which targets there are.
"""

import numpy as np
from matplotlib.figure import Figure

from nasarena.figures.plots.anytime import (
    aware_in_words,
    meter_grid,
    meter_label,
    placeholder_figure,
    star_names,
)
from nasarena.figures.plots.panels import CurveData, CurveFigure, draw_data
from nasarena.figures.plots.style import nothing_to_show
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.running_times import hits_by_seed, target_scores
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.curves import Curve
from nasarena.figures.stats.intervals import Floats, widen_limits
from nasarena.figures.stats.runtime import runtime_ecdf
from nasarena.search.seeding import stream

_NUM_REPEATS = 1_000


def ecdf_curves(tables: Tables, targets: Floats) -> dict[str, Curve]:
    """Share of (seed, target) pairs reached, with bootstrap limits over the seeds."""
    grid = meter_grid(tables, tables.unit)
    return {
        name: _curve(hits, grid, stream(0, "bootstrap", name, "runtime"))
        for name, hits in hits_by_seed(tables, targets).items()
    }


def _curve(hits: Floats, grid: Floats, rng: np.random.Generator) -> Curve:
    by_seed = np.array([runtime_ecdf(run, grid) for run in hits])
    middle = by_seed.mean(axis=0)
    if len(by_seed) < 2:
        return Curve(grid, middle, np.full_like(middle, np.nan), np.full_like(middle, np.nan))
    drawn = rng.integers(len(by_seed), size=(_NUM_REPEATS, len(by_seed)))
    low, high = widen_limits(by_seed[drawn].mean(axis=1), middle, len(by_seed))
    return Curve(grid, middle, np.clip(low, 0, 1), np.clip(high, 0, 1))


def draw(analysis: Analysis) -> Figure:
    """The figure, against the budget's own unit."""
    return draw_data(prepare(analysis))


def prepare(analysis: Analysis) -> CurveData:
    """The curves against the budget's own unit."""
    tables, anchors = analysis.tables, analysis.anchors
    by = "search" if tables.benchmark is None else "true"
    title = f"How soon {by} scores are reached"
    empty = placeholder_figure(tables, title, tables.unit)
    if empty is not None:
        return empty
    targets = target_scores(anchors.search) if anchors else None
    if targets is None:
        return nothing_to_show(
            title, "Targets are measured from random search, which did not take part."
        )
    sheet = CurveFigure(
        title=title,
        detail=f"{len(targets)} frozen targets between twice random search's regret and the best "
        f"known, {tables.seeds_in_words}, 95 % bootstrap band. {aware_in_words(tables)}",
        x_label=meter_label(tables, tables.unit),
        y_label="share of (seed, target) pairs reached\n(higher is better)",
        panel_label="share reached",
        ground=tables.ground,
        names=star_names(tables),
        full_range=True,
    )
    return ecdf_curves(tables, targets), sheet
