"""How a searcher searches: what it repeats, how far it jumps, how much it has looked at.

A run's own proposals, without the initial design that all share, are cut into tenths, so that runs
of unequal length can be averaged. Distance is the number of letters in which a proposal differs
from the best pattern at that time. Coverage is the entropy of the letters at a position over all
distinct patterns proposed so far, the mean over positions: log2 of the alphabet for a sampler that
favours nothing, 0 for one that always writes the same letter there.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    MUTED,
    Look,
    headline,
    house_style,
    looks,
    new_figure,
    nothing_to_show,
    shorten,
)
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Floats

_NUM_PARTS = 10
MEASURES = {
    "repeated": "share of proposals that were\nduplicate or invalid",
    "distance": "letters changed against\nthe best so far",
    "coverage": "entropy of what was covered\n(bits per position)",
}


def behaviour(tables: Tables) -> pd.DataFrame:
    """Means over seeds by searcher and tenth of the run, with a column for each of `MEASURES`."""
    alphabet = str(tables.condition["space"]["alphabet"])
    rows = [
        {"searcher": searcher} | row
        for (searcher, _), run in tables.trials.groupby(["searcher", "seed"])
        for row in _of_run(run, alphabet)
    ]
    columns = ["searcher", "part", *MEASURES]
    return pd.DataFrame(rows, columns=columns).groupby(["searcher", "part"]).mean()


def _of_run(run: pd.DataFrame, alphabet: str) -> list[dict[str, float]]:
    patterns = [str(pattern) for pattern in run["pattern"]]
    distances = distances_to_incumbent(patterns, list(run["incumbent"]))
    own = np.flatnonzero((run["provenance"] != "initial_design").to_numpy())
    repeated = run["status"].isin(["duplicate", "invalid"]).to_numpy()
    legal = [
        pattern if status != "invalid" else ""
        for pattern, status in zip(patterns, run["status"], strict=True)
    ]
    return [
        {
            "part": number + 1,
            "repeated": float(repeated[part].mean()),
            "distance": float(np.nanmean(distances[part]))
            if np.isfinite(distances[part]).any()
            else float("nan"),
            "coverage": coverage([legal[k] for k in own if k <= part[-1]], alphabet),
        }
        for number, part in enumerate(np.array_split(own, _NUM_PARTS))
        if len(part)
    ]


def distances_to_incumbent(patterns: Sequence[str], incumbents: Sequence[object]) -> Floats:
    """Letters in which each pattern differs from the incumbent before it; NaN before the first.

    `incumbents` is the incumbent after each pattern, no string where there is none yet.
    """
    distances = [
        max(len(held), len(pattern)) - sum(a == b for a, b in zip(held, pattern, strict=False))
        if isinstance(held, str)
        else np.nan
        for pattern, held in zip(patterns, [None, *incumbents], strict=False)
    ]
    return np.array(distances, dtype=np.float64)


def coverage(patterns: Sequence[str], alphabet: str) -> float:
    """Entropy of the letters by position over the distinct patterns, the mean in bits."""
    distinct = sorted({pattern for pattern in patterns if pattern})
    if not distinct:
        return float("nan")
    letters = np.array([list(pattern) for pattern in distinct])
    shares = np.array([(letters == letter).mean(axis=0) for letter in alphabet])
    bits = -(shares * np.log2(np.where(shares > 0, shares, 1.0))).sum(axis=0)
    return float(bits.mean())


def draw(analysis: Analysis) -> Figure:
    """The figure: a panel for each measure, and the legend."""
    tables = analysis.tables
    title = "How they search"
    if tables.runs.empty:
        return nothing_to_show(title, "No finished run with a score: no search to describe.")
    table = behaviour(tables)
    if table.empty:
        return nothing_to_show(title, "No run went beyond its initial design.")
    names = [name for name in tables.searchers if name in table.index.get_level_values(0)]
    with house_style():
        figure = new_figure(8.6, 5.4)
        headline(figure, title, _detail(tables), tables.ground)
        cells = figure.subplots(2, 2).ravel()
        style = looks(tables.searchers)
        for axes, (measure, label) in zip(cells, MEASURES.items(), strict=False):
            for name in names:
                _draw_line(axes, table[measure].xs(name, level="searcher"), style[name], name)
            axes.set_ylabel(label, fontsize=8)
            axes.set_xlabel("part of the run's own proposals (%)", fontsize=8)
            axes.grid(axis="y")
        _draw_guides(cells, tables)
        cells[3].set_axis_off()
        lines, labels = cells[0].get_legend_handles_labels()
        cells[3].legend(
            lines, [shorten(label, 30) for label in labels], loc="center left",
            ncols=1 + len(names) // 9, handlelength=3.2,
        )  # fmt: skip
    return figure


def _draw_line(axes: Axes, values: pd.Series, look: Look, name: str) -> None:
    middle = (values.index.to_numpy() - 0.5) * 100 / _NUM_PARTS
    axes.plot(
        middle, values.to_numpy(), color=look.color, linestyle=look.dash, marker=look.marker, ms=4,
        lw=1.3, mec="white", mew=0.5, label=name,
    )  # fmt: skip
    axes.set_xlim(0, 100)


def _draw_guides(cells: Sequence[Axes], tables: Tables) -> None:
    """Where a sampler that favours nothing would be."""
    space = tables.condition["space"]
    size = len(space["alphabet"])
    cells[0].set_ylim(bottom=0)
    cells[1].set_ylim(bottom=0)
    guides = ((cells[1], space["depth"] * (1 - 1 / size)), (cells[2], np.log2(size)))
    for axes, level in guides:
        axes.axhline(level, color=MUTED, lw=0.6, linestyle=(0, (1, 2)), zorder=1)
        axes.annotate("uniform", (1, level), (3, 0), xycoords=("axes fraction", "data"),
                      textcoords="offset points", va="center", fontsize=7,
                      color=MUTED, fontstyle="italic")  # fmt: skip


def _detail(tables: Tables) -> str:
    return (
        f"Means over {tables.seeds_in_words}, each tenth of a run a point; the shared initial "
        f"design is left out. Dotted: patterns drawn uniformly."
    )
