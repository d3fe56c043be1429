"""Who wins where: mean normalized regret of each searcher on each landscape.

A triangle marks a significant difference from random search on that landscape alone, up for better
and down for worse.
"""

import numpy as np
import seaborn
from matplotlib.figure import Figure

from nasarena.figures.plots.style import headline, house_style, new_figure, shorten
from nasarena.figures.stats.multiple import Comparison
from nasarena.figures.suite.ranking_figure import ground
from nasarena.figures.suite.results import SuiteResults
from nasarena.search.run_config import BASELINE

TITLE = "Normalized regret by landscape"


def draw(results: SuiteResults) -> Figure:
    """The figure; searchers as rows in the order of the places."""
    names = [place.searcher for place in results.places]
    means = np.array([results.regrets[name].mean(axis=0) for name in names])
    marks = [
        [
            f"{mean:.2f}{arrow(against.get(name))}"
            for mean, against in zip(own, results.against_random, strict=True)
        ]
        for name, own in zip(names, means, strict=True)
    ]
    columns = range(len(results.landscapes))
    with house_style():
        width = max(5.0, 2.6 + 0.95 * len(results.landscapes))
        figure = new_figure(width, 1.9 + 0.32 * len(names))
        headline(figure, TITLE, _detail(results), ground(results))
        axes = figure.subplots()
        seaborn.heatmap(
            means, ax=axes, annot=np.array(marks), fmt="", cmap="viridis_r", linewidths=0.6,
            linecolor="white", annot_kws={"fontsize": 8},
            cbar_kws={"label": "normalized regret (lower is better)", "shrink": 0.8},
        )  # fmt: skip
        axes.set_xticks(
            [column + 0.5 for column in columns],
            [shorten(each.name, 14) for each in results.landscapes],
            rotation=0,
        )
        axes.set_yticks([row + 0.5 for row in range(len(names))], names, rotation=0)
        axes.tick_params(length=0)
    return figure


def arrow(pair: Comparison | None) -> str:
    """Up where the first of a pair is significantly better, down where it is worse."""
    if pair is None or not pair.is_significant:
        return ""
    return " ▲" if pair.favours_first else " ▼"


def _detail(results: SuiteResults) -> str:
    if BASELINE not in results.searchers:
        return "Means over seeds."
    return (
        f"Means over {len(results.seeds)} seeds. ▲ and ▼: significantly better or worse than "
        f"random search on this landscape alone (exact paired test, Holm over the searchers, "
        f"0.05)."
    )
