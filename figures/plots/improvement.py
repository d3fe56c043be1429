"""Probability of improvement: how often a run of one searcher beats a run of another.

Every run of the row's searcher against every run of the column's, by the deciding score, draws
half; 0.5 is a coin. A frame marks pairs that differ significantly in the paired test: a number
alone, however far from 0.5, is no proof.
"""

import numpy as np
import seaborn
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nasarena.figures.plots.style import (
    INK,
    headline,
    house_style,
    new_figure,
    nothing_to_show,
    shorten,
)
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.standings import Standings
from nasarena.figures.stats.dominance import improvement_matrix


def draw(analysis: Analysis) -> Figure:
    """The figure; searchers in the order of the standings."""
    standing = analysis.standings
    title = f"How often a run of one searcher beats another's, by {standing.score_name}"
    names = [place.searcher for place in standing.places]
    if len(names) < 2:
        return nothing_to_show(title, "There are no two searchers to compare.")
    matrix = improvement_matrix({name: standing.scores[name] for name in names})
    shown = [shorten(name, 26) for name in names]
    with house_style():
        longest = max(map(len, shown))
        side = 0.52 * len(names)
        figure = new_figure(max(6.0, side + 2.2 + 0.075 * longest), side + 1.6 + 0.05 * longest)
        headline(figure, title, _detail(standing), analysis.tables.ground)
        axes = figure.subplots()
        seaborn.heatmap(
            matrix, ax=axes, vmin=0, vmax=1, cmap="PuOr", annot=True, fmt=".2f", square=True,
            linewidths=0.8, linecolor="white", annot_kws={"fontsize": 7.5},
            mask=np.eye(len(names), dtype=bool), cbar_kws={"shrink": 0.7, "pad": 0.02},
        )  # fmt: skip
        for row, first in enumerate(names):
            for column, second in enumerate(names):
                if first != second and standing.pair(first, second).is_significant:
                    axes.add_patch(
                        Rectangle((column + 0.06, row + 0.06), 0.88, 0.88, fill=False, ec=INK)
                    )
        axes.set_xticks(np.arange(len(names)) + 0.5, shown, rotation=40, ha="right")
        axes.set_yticks(np.arange(len(names)) + 0.5, shown, rotation=0)
        axes.tick_params(length=0)
        axes.set_ylabel("a run of this searcher ...")
        axes.set_xlabel("... beats a run of this one")
        bar = axes.collections[0].colorbar
        assert bar is not None
        bar.outline.set_visible(False)
        bar.set_label("probability of improvement")
    return figure


def _detail(standing: Standings) -> str:
    return (
        f"By {standing.score_name}, {standing.num_seeds} runs each, draws half. Framed: "
        f"significant in the exact paired test (Holm, 0.05)."
    )
