"""Final ranking over all landscapes: normalized regret of what each run handed in.

The mark and its bar decide: interquartile mean over all blocks with its interval, seeds drawn anew
within each landscape. The faint marks below are the landscapes' own means.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    MUTED,
    Look,
    headline,
    house_style,
    looks,
    new_figure,
    width_for,
)
from nasarena.figures.suite.results import Place, SuiteResults

TITLE = "Final ranking over all landscapes"
_ROW_INCHES = 0.36


def draw(results: SuiteResults) -> Figure:
    """The figure; rows in the order of the places."""
    with house_style():
        height = 1.9 + _ROW_INCHES * len(results.places)
        figure = new_figure(width_for(list(results.searchers)), height)
        headline(figure, TITLE, _detail(results), ground(results))
        axes = figure.subplots()
        style = looks(results.searchers)
        for row, place in enumerate(results.places):
            _draw_place(axes, row, place, style[place.searcher], results)
        ranks = [place.rank for place in results.places]
        axes.set_yticks(
            range(len(ranks)),
            [
                f"{place.searcher}   {place.rank}{'=' if ranks.count(place.rank) > 1 else ''}"
                for place in results.places
            ],
        )
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(ranks) - 0.4, -0.6)
        axes.set_xlim(left=0)
        axes.grid(axis="x")
        axes.set_xlabel("normalized regret of the finalists (lower is better)")
    return figure


def ground(results: SuiteResults) -> str:
    """Where the numbers of a figure come from, for its small print."""
    names = ", ".join(each.name for each in results.landscapes)
    return f"{len(results.landscapes)} landscapes ({names}), {len(results.seeds)} seeds on each"


def _draw_place(axes: Axes, row: int, place: Place, look: Look, results: SuiteResults) -> None:
    means = results.regrets[place.searcher].mean(axis=0)
    axes.plot(means, [row + 0.27] * len(means), "o", color=look.color, alpha=0.5, ms=3, mew=0)
    regret = place.regret
    if not np.isnan(regret.low):
        axes.plot([regret.low, regret.high], [row, row], color=look.color, lw=2.4)
    axes.plot(regret.estimate, row, look.marker, color=look.color, ms=7, mec="white", mew=0.8)
    interval = "" if np.isnan(regret.low) else f"  [{regret.low:.3f}, {regret.high:.3f}]"
    axes.annotate(
        f"{regret.estimate:.3f}{interval}",
        xy=(1.01, row),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=7.5,
        color=MUTED,
        annotation_clip=False,
    )


def _detail(results: SuiteResults) -> str:
    return (
        f"Mark and bar: interquartile mean and 95 % interval over {results.num_blocks} blocks (a "
        f"landscape and a seed), seeds resampled within each landscape. Dots below: the mean on "
        f"each landscape. 0 is the optimum, 1 what the best of as many uniform patterns as a run "
        f"has trials would have. Rank: 1 + the number of searchers shown to be better (exact "
        f"paired test, Holm, 0.05); = marks a shared rank."
    )
