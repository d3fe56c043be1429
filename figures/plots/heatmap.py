"""Which layer kind stands where among each searcher's best patterns.

One panel per searcher: letters as rows, positions from the input (1) to the output as columns, the
cell is the share of the searcher's best patterns, over all seeds, that have this letter there. The
best are those that were re-trained; without re-training, the best of each seed. The same panels
of all that a searcher proposed by itself show where it looked.
"""

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import headline, house_style, new_figure, nothing_to_show, shorten
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Floats
from nasarena.search.notation import layer_name

_NUM_COLUMNS = 3


def best_patterns(tables: Tables, searcher: str) -> list[str]:
    """The best patterns of all seeds, a pattern once for each seed that found it."""
    finals = tables.finals[tables.finals["searcher"] == searcher]
    if not finals.empty:
        unique = finals.drop_duplicates(["seed", "pattern"])
        return [str(pattern) for pattern in unique["pattern"]]
    return [str(run["incumbent"].iloc[-1]) for run in tables.trials_by_seed(searcher)]


def own_proposals(tables: Tables, searcher: str) -> list[str]:
    """Distinct patterns that a searcher proposed by itself, once for each seed that did."""
    own = tables.trials[
        (tables.trials["searcher"] == searcher)
        & (tables.trials["provenance"] != "initial_design")
        & (tables.trials["status"] != "invalid")
    ]
    return [str(pattern) for pattern in own.drop_duplicates(["seed", "pattern"])["pattern"]]


def letter_shares(patterns: list[str], alphabet: str) -> Floats:
    """Share of `patterns` with each letter at each position, `(num_letters, depth)`."""
    if not patterns:
        return np.full((len(alphabet), 1), np.nan)
    letters = np.array([list(pattern) for pattern in patterns])
    return np.array([(letters == letter).mean(axis=0) for letter in alphabet])


def draw(analysis: Analysis) -> Figure:
    """The figure of the best patterns; panels in order of the name."""
    return _draw_shares(analysis.tables, of_best=True)


def draw_proposals(analysis: Analysis) -> Figure:
    """The figure of all that was proposed."""
    return _draw_shares(analysis.tables, of_best=False)


def _draw_shares(tables: Tables, of_best: bool) -> Figure:
    what = "the best patterns" if of_best else "all that was proposed"
    title = f"Which layer kind stands where among {what}"
    if tables.runs.empty:
        return nothing_to_show(title, "No finished run with a score: there are no best patterns.")
    alphabet = str(tables.condition["space"]["alphabet"])
    names = tables.searchers
    num_columns = min(_NUM_COLUMNS, len(names))
    num_rows = -(-len(names) // num_columns)
    with house_style():
        figure = new_figure(
            max(5.0, 3.0 * num_columns), 1.3 + (0.58 + 0.2 * len(alphabet)) * num_rows
        )
        headline(figure, title, _detail(tables, alphabet, of_best))
        cells = figure.subplots(num_rows, num_columns, sharex=True, sharey=True, squeeze=False)
        for axes in cells.ravel()[len(names) :]:
            axes.set_axis_off()
        for name, axes in zip(names, cells.ravel(), strict=False):
            patterns = (best_patterns if of_best else own_proposals)(tables, name)
            _draw_panel(axes, name, patterns, alphabet)
        for axes in cells[:, 0]:
            axes.set_ylabel("layer kind", fontsize=8)
        for axes in cells.ravel()[(num_rows - 1) * num_columns : len(names)]:
            axes.set_xlabel("position (1 = next to the input)", fontsize=8)
        bar = figure.colorbar(
            cells[0, 0].collections[0], ax=cells, shrink=0.8, aspect=30, pad=0.015
        )
        bar.set_label(f"share of {what}")
        bar.outline.set_visible(False)
    return figure


def _draw_panel(axes: Axes, name: str, patterns: list[str], alphabet: str) -> None:
    shares = letter_shares(patterns, alphabet)
    seaborn.heatmap(
        shares, ax=axes, vmin=0, vmax=1, cmap="mako_r", cbar=False, linewidths=0.6,
        linecolor="white",
    )  # fmt: skip
    axes.set_title(f"{shorten(name, 30)} ({len(patterns)})", fontsize=8)
    axes.set_yticks(np.arange(len(alphabet)) + 0.5, list(alphabet), rotation=0)
    ticks = [p for p in range(1, shares.shape[1] + 1) if p == 1 or p % 4 == 0]
    axes.set_xticks([p - 0.5 for p in ticks], [str(p) for p in ticks], rotation=0)
    axes.tick_params(length=0, labelbottom=True)


def _detail(tables: Tables, alphabet: str, of_best: bool) -> str:
    legend = ", ".join(f"{letter} {layer_name(letter)}" for letter in alphabet)
    which = "re-trained" if not tables.finals.empty else "best of each seed"
    if not of_best:
        which = "distinct, without the initial design"
    return f"{legend}. In brackets: number of patterns ({which}), {tables.seeds_in_words}."
