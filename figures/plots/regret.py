"""Anytime regret: how far the best so far is from the anchor, with the noise floor.

The regret is the frozen best score less the best search score so far, so it never depends on who
else takes part. Below the noise floor a difference is what a mere re-training moves: nothing that
happens in the shaded part can be told from luck. Reference patterns are thin lines at their regret.
"""

from matplotlib.figure import Figure

from nasarena.figures.plots.anytime import (
    aware_in_words,
    band_in_words,
    curves,
    meter_label,
    placeholder_figure,
    star_names,
)
from nasarena.figures.plots.panels import CurveData, CurveFigure, Level, draw_data
from nasarena.figures.plots.style import nothing_to_show
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.anchors import Anchors
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.curves import Curve


def regret_curves(tables: Tables, best: float, meter: str) -> dict[str, Curve]:
    """The anytime curves turned round: `best` less the score, its limits exchanged."""
    return {
        name: Curve(curve.grid, best - curve.middle, best - curve.high, best - curve.low)
        for name, curve in curves(tables, meter).items()
    }


def is_shown(analysis: Analysis) -> bool:
    """Not on a benchmark, where the regret of a noisy score would say nothing.

    It may lie above the optimum; `exact_regret.py` shows the true one.
    """
    return analysis.tables.benchmark is None


def draw(analysis: Analysis) -> Figure:
    """The figure, against the budget's own unit."""
    return draw_data(prepare(analysis))


def prepare(analysis: Analysis) -> CurveData:
    """The curves; logarithmic where no regret is 0 or less."""
    tables, anchors = analysis.tables, analysis.anchors
    best = anchors.search.best_in_words if anchors else "the best score known"
    title = f"Regret of the best search score so far: how far it is from {best}"
    empty = placeholder_figure(tables, title, tables.unit)
    if empty is not None:
        return empty
    if anchors is None:
        return nothing_to_show(title, "No anchors: no run could be compared.")
    scale = anchors.search
    found = regret_curves(tables, scale.best, tables.unit)
    floor = Level(f"noise floor {scale.noise:.3g}", scale.noise) if scale.noise else None
    sheet = CurveFigure(
        title=title,
        detail=band_in_words(tables) + _floor_in_words(anchors) + aware_in_words(tables),
        x_label=meter_label(tables, tables.unit),
        y_label=f"regret{tables.unit_in_brackets}: search score below\n{best} (lower is better)",
        panel_label=f"regret{tables.unit_in_brackets}",
        ground=tables.ground,
        levels=[
            Level(name, scale.best - score) for name, score in tables.reference_scores().items()
        ],
        floor=floor,
        names=star_names(tables),
        log=all(float(curve.middle[-1]) > 0 for curve in found.values()),
    )
    return found, sheet


def _floor_in_words(anchors: Anchors) -> str:
    words = f"Measured from {anchors.search.best_in_words}, {anchors.search.best:.4f}, frozen. "
    if anchors.search.noise is None:
        return words + "The noise floor is not known: no pattern was trained on several seeds. "
    return words + "Shaded: below the standard deviation of re-training one pattern. "
