"""Performance profile: what share of the runs gets to each regret, or below.

The whole distribution of the deciding score, its tails too, where an average shows one number.
Regrets are normalized by the frozen anchors: 0 the best known, 1 random search.
"""

import numpy as np
from matplotlib.figure import Figure

from nasarena.figures.plots.anytime import star_names
from nasarena.figures.plots.panels import CurveData, CurveFigure, draw_data
from nasarena.figures.plots.style import nothing_to_show
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.anchors import Scale
from nasarena.figures.results.standings import Standings
from nasarena.figures.stats.curves import Curve
from nasarena.figures.stats.dominance import performance_profile, profile_band
from nasarena.figures.stats.intervals import Floats
from nasarena.search.seeding import stream

_NUM_POINTS = 240


def profiles(standing: Standings, scale: Scale) -> dict[str, Curve]:
    """Share of runs with at most each normalized regret, by searcher."""
    regrets = {name: scale.normalize(scores) for name, scores in standing.scores.items()}
    pooled = np.concatenate(list(regrets.values()))
    grid = np.linspace(min(0.0, float(pooled.min())), float(pooled.max()), _NUM_POINTS)
    thresholds = np.nextafter(-grid, -np.inf)  # as scores; one that is equal counts
    return {name: _curve(name, -values, thresholds, grid) for name, values in regrets.items()}


def _curve(name: str, scores: Floats, thresholds: Floats, grid: Floats) -> Curve:
    rng = stream(0, "bootstrap", name, "profile")
    low, high = profile_band(scores, thresholds, rng)
    return Curve(grid, performance_profile(scores, thresholds), low, high)


def draw(analysis: Analysis) -> Figure:
    """The figure, by the anchors of the score that decides."""
    return draw_data(prepare(analysis))


def prepare(analysis: Analysis) -> CurveData:
    """The curves by the anchors of the score that decides."""
    tables, standing, scale = analysis.tables, analysis.standings, analysis.scale
    title = f"What share of the runs is how good, by {standing.score_name}"
    if not standing.places:
        return nothing_to_show(title, "No finished run with a score: there is nothing to draw.")
    if scale is None or scale.random is None or scale.random >= scale.best:
        return nothing_to_show(title, "Regret is counted in random search's, which took no part.")
    sheet = CurveFigure(
        title=title,
        detail=f"Distribution over {tables.seeds_in_words} with 95 % bootstrap band. Regret of the "
        f"{standing.score_name}: 0 {scale.best_in_words}, 1 the median of random search; frozen.",
        x_label="normalized regret (lower is better)",
        y_label="share of runs with this regret or less\n(higher is better)",
        panel_label="share of runs",
        names=star_names(tables),
        ground=tables.ground,
        full_range=True,
        legend=True,
    )
    return profiles(standing, scale), sheet
