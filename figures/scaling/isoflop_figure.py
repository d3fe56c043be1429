"""Loss against size at each budget: trained models, the parabola of each budget and its optimum.

A panel for each architecture. Small dots are seeds; the dashed line is the law, where it was
fitted: what it predicts at the same FLOPs.
"""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nasarena.figures.plots.style import (
    INK,
    MUTED,
    headline,
    house_style,
    new_figure,
    nothing_to_show,
    plain_log,
    shorten,
)
from nasarena.figures.results.scaling import IN_WORDS
from nasarena.figures.results.scaling_study import ScalingStudy

TITLE = "Loss against size at equal FLOPs"
_NUM_COLUMNS = 3
_PANEL = (3.3, 2.5)  # inches


def draw(study: ScalingStudy) -> Figure:
    """The figure; one that says why it is empty where no budget has three sizes."""
    labels = list(study.parabolas)
    if not labels:
        return nothing_to_show(TITLE, "No architecture has three sizes at each of two budgets.")
    budgets = sorted({each.budget for label in labels for each in study.parabolas[label].parabolas})
    shades = colormaps["viridis_r"](np.linspace(0.12, 0.95, len(budgets)))
    colors = {budget: to_hex(shade) for budget, shade in zip(budgets, shades, strict=True)}
    columns = 2 if len(labels) == 4 else min(_NUM_COLUMNS, len(labels))
    num_rows = -(-len(labels) // columns)
    with house_style():
        width = max(_PANEL[0] * columns, 6.0) + 1.2
        figure = new_figure(width, 1.7 + _PANEL[1] * num_rows)
        headline(figure, TITLE, _detail(study), ground(study))
        grid = figure.subplots(num_rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes, label in zip(grid.flat, labels, strict=False):
            _draw_panel(axes, study, label, colors)
        for axes in grid.flat[len(labels) :]:
            axes.set_axis_off()
        for axes in grid[:, 0]:
            axes.set_ylabel("held-out loss (nats a token)")
        for column in range(columns):
            lowest = grid[(len(labels) - 1 - column) // columns, column]
            lowest.set_xlabel("parameters")
            lowest.tick_params(labelbottom=True)
        plain_log(grid[0, 0].xaxis)
        figure.legend(handles=_legend(colors), loc="outside right upper", title="FLOPs")
    return figure


def ground(study: ScalingStudy) -> str:
    """Where the numbers come from."""
    rows = study.table.rows
    seeds = rows["seed"].nunique()
    counted = IN_WORDS[study.table.counted]
    return (
        f"{study.table.name}: {len(rows)} trained models, {seeds} seed{'s' if seeds > 1 else ''}; "
        f"parameters are those of {counted}"
    )


def _draw_panel(axes: Axes, study: ScalingStudy, label: str, colors: dict[float, str]) -> None:
    rows = study.table.rows[study.table.rows["label"] == label]
    number = study.law_number(label)
    for each in study.parabolas[label].parabolas:
        color, own = colors[each.budget], rows[rows["budget"] == each.budget]
        params = np.geomspace(own["params"].min(), own["params"].max(), 60)
        axes.plot(own["params"], own["loss"], ".", ms=3, color=color, alpha=0.7)
        means = own.groupby("params")["loss"].mean()
        axes.plot(means.index, means, "o", ms=4.5, color=color, mec="white", mew=0.6)
        axes.plot(params, each.losses(params), color=color, lw=1.3)
        if number is not None and study.laws is not None:
            tokens = each.budget / study.flops_per_product(label) / params
            law = study.laws.laws.losses(number, params, tokens)
            axes.plot(params, law, color=color, lw=1.0, ls=(0, (3, 2)))
        if each.is_inside:
            axes.plot(each.optimum, each.bottom, "D", ms=6, mfc="white", mec=INK, mew=1.2, zorder=5)
    axes.set_xscale("log")
    axes.set_title(shorten(label, 34))
    axes.grid(axis="y")


def _legend(colors: dict[float, str]) -> list[Line2D]:
    lines = [
        Line2D([], [], color=color, marker="o", ms=4.5, mec="white", label=f"{budget:.2g}")
        for budget, color in colors.items()
    ]
    lines += [
        Line2D([], [], ls="none", marker="D", mfc="white", mec=INK, mew=1.2, label="optimum"),
        Line2D([], [], color=MUTED, lw=1.0, ls=(0, (3, 2)), label="law"),
    ]
    return lines


def _detail(study: ScalingStudy) -> str:
    outside = sum(
        not each.is_inside for found in study.parabolas.values() for each in found.parabolas
    )
    words = (
        "Lines: a parabola in log N for each budget, least squares through the means of seeds. "
        "Diamonds: its optimum. Parabolas are biased even without noise (arXiv 2603.22339); dashed "
        "lines are the law L = E + A / N^a + B / D^b, fitted to all models together."
    )
    if outside:
        words += f" {outside} optima lie beyond the sizes that were trained and are not drawn."
    return words
