"""Losses at equal tokens: every seed, the mean, and the difference to the best or the reference.

A panel for each size and number of tokens, the best architecture on top.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    MUTED,
    headline,
    house_style,
    looks,
    new_figure,
    nothing_to_show,
    shorten,
)
from nasarena.figures.results.scaling_study import EqualTokens, ScalingStudy
from nasarena.figures.scaling.isoflop_figure import ground
from nasarena.figures.stats.paired import smallest_p

TITLE = "Losses at equal tokens"
MOST_PANELS = 6
_ROW_INCHES = 0.24


def draw(study: ScalingStudy) -> Figure:
    """The figure; the largest sizes where there are many."""
    groups = study.equal_tokens[-MOST_PANELS:]
    if not groups:
        return nothing_to_show(TITLE, "No two architectures share a size and a number of tokens.")
    columns = 2 if len(groups) == 4 else min(3, len(groups))
    num_rows = -(-len(groups) // columns)
    most = max(len(group.losses) for group in groups)
    with house_style():
        height = 1.5 + num_rows * (0.9 + _ROW_INCHES * most)
        figure = new_figure(max(4.1 * columns, 7.0), height)
        headline(figure, TITLE, _detail(study), ground(study))
        engine: Any = figure.get_layout_engine()
        engine.set(
            w_pad=0.15
        )  # inches: the means of one panel stand apart from the next one's names
        style = looks(study.table.labels)
        grid = figure.subplots(num_rows, columns, squeeze=False)
        for axes, group in zip(grid.flat, groups, strict=False):
            _draw_group(axes, group, {name: style[name].color for name in group.losses})
        for axes in grid.flat[len(groups) :]:
            axes.set_axis_off()
    return figure


def _draw_group(axes: Axes, group: EqualTokens, colors: dict[str, str]) -> None:
    order = sorted(group.losses, key=group.mean)
    shown = {name for pair in group.comparisons if pair.is_significant
             for name in (pair.first, pair.second)}  # fmt: skip
    for row, name in enumerate(order):
        values = np.array(list(group.losses[name].values()))
        axes.plot([values.min(), values.max()], [row, row], color=colors[name], lw=1.2, alpha=0.6)
        axes.plot(values, np.full(len(values), row), ".", ms=6, color=colors[name], alpha=0.6)
        fill = colors[name] if name in shown else "white"
        axes.plot(values.mean(), row, "o", ms=7, mec=colors[name], mfc=fill, mew=1.4)
        axes.annotate(f"{values.mean():.3f}", (1.01, row), xycoords=("axes fraction", "data"),
                      va="center", fontsize=7, color=MUTED, annotation_clip=False)  # fmt: skip
    axes.set_yticks(range(len(order)), [shorten(name, 24) for name in order])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.set_xlabel("held-out loss (nats a token)")
    axes.set_title(f"{shorten(group.size, 20)}, {group.tokens:,.0f} tokens", fontweight="bold")


def _detail(study: ScalingStudy) -> str:
    fewest = min(len(group.seeds) for group in study.equal_tokens)
    words = (
        "Dots: seeds. Circles: their mean, filled where some difference is significant (exact "
        "paired test, Holm's correction, 0.05)."
    )
    if fewest and smallest_p(fewest) >= 0.05:
        words += (
            f" With {fewest} paired seed{'s' if fewest > 1 else ''} that test cannot reach 0.05, "
            f"whatever the losses are."
        )
    return words
