"""Regret against everything it cost: training, thinking, and the tokens of language models.

Left: measured seconds of a run, training and searcher together, so a slow thinker stands to the
right. Right, where a language model took part: its tokens. Lower left is better. The bars are 95 %
intervals of the regret; those whose bars overlap much should not be ordered.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from nasarena.figures.plots.style import (
    MUTED,
    EndLabel,
    headline,
    house_style,
    label_ends,
    looks,
    new_figure,
    nothing_to_show,
    plain_log,
    width_for,
)
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.standings import Standings
from nasarena.figures.results.tables import Tables


def total_costs(tables: Tables) -> pd.DataFrame:
    """Means per run: `seconds` of training and searcher, `tokens` of language models."""
    runs = tables.runs.assign(
        seconds=tables.runs["searcher_seconds"] + tables.runs["training_seconds"],
        tokens=tables.runs["llm_tokens"],
    )
    return runs.groupby("searcher")[["seconds", "tokens"]].mean().astype(float)


def draw(analysis: Analysis) -> Figure:
    """The figure; the regret is that of the score that decides."""
    tables, standing = analysis.tables, analysis.standings
    title = f"Regret of the {standing.score_name} against total cost"
    if not standing.places:
        return nothing_to_show(title, "No finished run with a score: there is nothing to draw.")
    if np.isnan(standing.places[0].normalized.estimate):
        return nothing_to_show(title, "Regret is counted in random search's, which took no part.")
    costs = total_costs(tables)
    with_llm = bool((costs["tokens"] > 0).any())
    with house_style():
        figure = new_figure(width_for(tables.searchers) + (3.4 if with_llm else 0), 4.4)
        axes = figure.subplots(1, 1 + with_llm, squeeze=False, sharey=True)[0]
        shown = [costs["seconds"]]
        axes[0].set_xlabel("measured seconds per run, training and searcher")
        axes[0].set_ylabel("normalized regret\n(lower is better)")
        if with_llm:
            shown.append(costs["tokens"][costs["tokens"] > 0])  # others used none
            axes[1].set_xlabel("tokens of language models per run")
        for panel, values in zip(axes, shown, strict=True):
            _draw_points(panel, values, standing)
            _scale(panel, values)
        headline(figure, title, _detail(analysis), tables.ground)
        figure.draw_without_rendering()
        for panel, values in zip(axes, shown, strict=True):
            label_ends(figure, panel, _labels(values, standing))
    return figure


def _scale(axes: Axes, costs: pd.Series) -> None:
    """Whole marks at both ends; logarithmic where costs differ much."""
    low, high = float(costs.min()), float(costs.max())
    if high > 5 * low > 0:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.5, high * 1.5)
        plain_log(axes.xaxis)
    else:
        axes.set_xlim(0, (high or 1.0) * 1.15)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def _labels(costs: pd.Series, standing: Standings) -> list[EndLabel]:
    style = looks(sorted(standing.scores))
    return [
        EndLabel(place.searcher, place.normalized.estimate, style[place.searcher].color,
                 x=float(costs[place.searcher]))
        for place in standing.places
        if place.searcher in costs
    ]  # fmt: skip


def _draw_points(axes: Axes, costs: pd.Series, standing: Standings) -> None:
    style = looks(sorted(standing.scores))
    axes.grid(True)
    for place in standing.places:
        if place.searcher not in costs:
            continue
        look, x, regret = style[place.searcher], costs[place.searcher], place.normalized
        axes.plot([x, x], [regret.low, regret.high], color=look.color, lw=1.6, alpha=0.7)
        axes.plot(x, regret.estimate, look.marker, color=look.color, ms=8, mec="white", mew=0.8)
    for level in (0, 1):
        axes.axhline(level, color=MUTED, lw=0.8, linestyle=(0, (1, 2)), zorder=1)


def _detail(analysis: Analysis) -> str:
    scale = analysis.scale
    best = scale.best_in_words if scale else "the best score known"
    seeds, score = analysis.tables.seeds_in_words, analysis.standings.score_name
    return (
        f"Interquartile mean of the {score}'s regret over {seeds} with 95 % "
        f"interval; 0 is {best}, 1 the median of random search, frozen. Costs are means; answers "
        f"from a cache count what the training cost when it was done."
    )
