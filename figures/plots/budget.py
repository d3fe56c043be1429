"""Where the budget went: what was charged, what was proposed in vain, and whose seconds they were.

Left: shares of the budget by what it paid for. Middle: proposals per run that led to no score, the
free ones too. Right: measured seconds of the searcher (its thinking, language models included)
against seconds of training; these are clock times and the one figure that a faster machine changes.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from nasarena.figures.plots.style import (
    FAINT,
    INK,
    MUTED,
    headline,
    house_style,
    new_figure,
    nothing_to_show,
    plain_log,
    width_for,
)
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.rows import METERS
from nasarena.figures.results.tables import Tables

# part -> colour, hatch; lightness and hatch both tell them apart in grey
PARTS = {
    "initial design": ("#9ecae1", ""),
    "searcher's trials": ("#2b6ca3", ""),
    "failed trials": ("#d55e00", "////"),
    "language model": ("#6a51a3", "...."),
    "not spent": ("#f2f2f2", ""),
}
WASTE = {
    "num_failed": ("failed", "#d55e00", "////"),
    "num_duplicates": ("duplicate", "#8c8c8c", ""),
    "num_invalid": ("invalid", "#222222", ""),
}


def composition(tables: Tables) -> pd.DataFrame:
    """Share of the budget by part, the mean over seeds: searchers as rows, `PARTS` as columns."""
    trials = tables.trials
    price = _proxy_price(tables)
    failed = trials["status"] == "failed"
    initial = trials["provenance"] == "initial_design"
    parts = pd.DataFrame(
        {
            "searcher": trials["searcher"],
            "initial design": price.where(initial & ~failed, 0.0),
            "searcher's trials": price.where(~initial & ~failed, 0.0),
            "failed trials": price.where(failed, 0.0),
        }
    )
    num_seeds = len(tables.seeds)
    total = parts.groupby("searcher").sum() / (num_seeds * tables.budget)
    spent = tables.runs.groupby("searcher")["spent"].mean() / tables.budget
    total["language model"] = (spent - total.sum(axis=1)).clip(lower=0)
    total["not spent"] = (1 - spent).clip(lower=0)
    return total[list(PARTS)]


def _proxy_price(tables: Tables) -> pd.Series:
    """What each trial took from the budget on the proxy's axis, in the budget's unit."""
    running = tables.trials.groupby(["searcher", "seed"])[tables.unit]
    return running.diff().fillna(tables.trials[tables.unit]).astype(float)


def draw(analysis: Analysis) -> Figure:
    """The figure; searchers from top to bottom in order of their name."""
    tables = analysis.tables
    title = "What the budget was spent on"
    if tables.runs.empty:
        return nothing_to_show(title, "No finished run with a score: nothing can be accounted for.")
    names = tables.searchers
    with house_style():
        figure = new_figure(width_for(names), 2.1 + 0.3 * len(names))
        detail = f"Means per run over {tables.seeds_in_words}."
        headline(figure, title, detail, tables.ground)
        left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=[1.25, 1, 1])
        _draw_shares(left, tables, names)
        _draw_waste(middle, tables, names)
        _draw_seconds(right, tables, names)
        left.set_yticks(range(len(names)), names)
        left.set_ylim(len(names) - 0.4, -0.6)
        left.set_ylabel("searcher")
        for axes in (left, middle, right):
            axes.tick_params(axis="y", length=0)
            axes.xaxis.label.set_fontsize(8)
            axes.spines["left"].set_visible(False)
    return figure


def _draw_shares(axes: Axes, tables: Tables, names: list[str]) -> None:
    shares = composition(tables).loc[names]
    left = np.zeros(len(names))
    for part, (color, hatch) in PARTS.items():
        widths = shares[part].to_numpy()
        if not (widths > 0.0005).any():
            continue
        axes.barh(
            range(len(names)), widths, left=left, color=color, hatch=hatch, height=0.62, label=part,
            edgecolor="white", linewidth=0.6,
        )  # fmt: skip
        left += widths
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel(f"share of the budget\n({METERS[tables.unit].amount(tables.budget)})")
    _legend(axes)


def _draw_waste(axes: Axes, tables: Tables, names: list[str]) -> None:
    means = tables.runs.groupby("searcher")[list(WASTE)].mean().loc[names]
    left = np.zeros(len(names))
    for column, (label, color, hatch) in WASTE.items():
        widths = means[column].to_numpy()
        axes.barh(
            range(len(names)), widths, left=left, color=color, hatch=hatch, height=0.62,
            label=label, edgecolor="white", linewidth=0.6,
        )  # fmt: skip
        left += widths
    for row, total in enumerate(left):
        axes.annotate(
            f"{total:.3g}", (total, row), (3, 0), textcoords="offset points", va="center",
            fontsize=7.5, color=INK if total else MUTED,
        )  # fmt: skip
    axes.set_xlim(0, max(1.0, left.max() * 1.15))
    axes.set_xlabel("proposals without a new score\n(number per run)")
    _legend(axes)


def _draw_seconds(axes: Axes, tables: Tables, names: list[str]) -> None:
    seconds = tables.runs.groupby("searcher")[["searcher_seconds", "training_seconds"]].mean()
    shown = seconds.loc[names].clip(lower=1e-3)  # a log axis has no zero
    rows = range(len(names))
    axes.hlines(rows, shown.min(axis=1), shown.max(axis=1), color=FAINT, lw=1.2, zorder=1)
    axes.plot(shown["training_seconds"], rows, "o", color="#2b6ca3", ms=6, label="training")
    axes.plot(
        shown["searcher_seconds"], rows, "D", mfc="white", mec="#d55e00", ms=5.5, mew=1.4,
        label="searcher",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(float(shown.min().min()) / 1.6, float(shown.max().max()) * 1.6)  # whole marks
    plain_log(axes.xaxis)
    axes.set_xlabel("measured seconds per run\n(log scale)")
    axes.grid(axis="x")
    _legend(axes)


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderpad=0, handlelength=1.2,
        columnspacing=1.0, fontsize=7.5,
    )  # fmt: skip
