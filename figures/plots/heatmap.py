"""Which layer kind stands where among each searcher's best patterns.

One panel per searcher: letters as rows, positions from the input (1) to the output as columns, the
cell is the share of the searcher's best patterns, over all seeds, that have this letter there.
Colours part at the share that a letter has by chance, and a dot marks what chance hardly shows. The
best are those that were re-trained; without re-training, the best of each seed. The same panels
of all that a searcher proposed by itself show where it looked.
"""

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    INK,
    headline,
    house_style,
    new_figure,
    nothing_to_show,
    shorten,
)
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.rows import FINALISTS
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Floats
from nasarena.search.notation import layer_name

COLORS = "PuOr"  # white in the middle, both ends dark
_NUM_COLUMNS = 3


def best_patterns(tables: Tables, searcher: str) -> list[str]:
    """The best patterns of all seeds, a pattern once for each seed that found it."""
    finals = tables.finals_named_by(FINALISTS)
    finals = finals[finals["searcher"] == searcher]
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
    title = f"Which {_noun(tables)} stands where among {what}"
    if tables.runs.empty:
        return nothing_to_show(title, "No finished run with a score: there are no best patterns.")
    alphabet = str(tables.condition["space"]["alphabet"])
    names = tables.searchers
    num_columns = min(_NUM_COLUMNS, len(names))
    num_rows = -(-len(names) // num_columns)
    with house_style():
        figure = new_figure(
            max(5.0, 3.0 * num_columns), 1.5 + (0.58 + 0.2 * len(alphabet)) * num_rows
        )
        headline(figure, title, _detail(tables, alphabet, of_best), tables.ground)
        cells = figure.subplots(num_rows, num_columns, sharex=True, sharey=True, squeeze=False)
        for axes in cells.ravel()[len(names) :]:
            axes.set_axis_off()
        shown = {
            name: (best_patterns if of_best else own_proposals)(tables, name) for name in names
        }
        shares = {name: letter_shares(patterns, alphabet) for name, patterns in shown.items()}
        norm = _norm(list(shares.values()), len(alphabet))
        for name, axes in zip(names, cells.ravel(), strict=False):
            _draw_panel(axes, shares[name], alphabet, norm)
            _mark_unlikely(axes, shares[name], len(shown[name]))
            axes.set_title(f"{shorten(name, 30)} ({len(shown[name])})", fontsize=8)
        for axes in cells[:, 0]:
            axes.set_ylabel(_noun(tables), fontsize=8)
        for axes in cells.ravel()[(num_rows - 1) * num_columns : len(names)]:
            axes.set_xlabel("position (1 = next to the input)", fontsize=8)
        bar = figure.colorbar(
            cells[0, 0].collections[0], ax=cells, shrink=0.8, aspect=30, pad=0.015
        )
        bar.set_label(f"share of {what} (white: by chance)")
        bar.ax.set_ylim(max(0.0, float(norm.vmin or 0)), min(1.0, float(norm.vmax or 1)))
        bar.outline.set_visible(False)
    return figure


def _norm(shares: list[Floats], num_letters: int) -> CenteredNorm:
    """Colours about the share that a letter has by chance, as far as any share goes from it."""
    neutral = 1 / num_letters
    widest = max(
        (float(np.nanmax(np.abs(each - neutral))) for each in shares if not np.isnan(each).all()),
        default=0.0,
    )
    return CenteredNorm(vcenter=neutral, halfrange=max(widest, 0.05))


def _mark_unlikely(axes: Axes, shares: Floats, num_patterns: int) -> None:
    """A dot where a share lies more than three standard errors above chance; seen in grey too."""
    neutral = 1 / len(shares)
    error = np.sqrt(neutral * (1 - neutral) / max(num_patterns, 1))
    rows, columns = np.nonzero(shares > neutral + 3 * error)
    axes.plot(columns + 0.5, rows + 0.5, "o", ms=2.6, color="white", mec=INK, mew=0.6)


def _draw_panel(axes: Axes, shares: Floats, alphabet: str, norm: CenteredNorm) -> None:
    seaborn.heatmap(
        shares, ax=axes, norm=norm, cmap=COLORS, cbar=False, linewidths=0.6, linecolor="white"
    )
    axes.set_yticks(np.arange(len(alphabet)) + 0.5, list(alphabet), rotation=0)
    ticks = [p for p in range(1, shares.shape[1] + 1) if p == 1 or p % 4 == 0]
    axes.set_xticks([p - 0.5 for p in ticks], [str(p) for p in ticks], rotation=0)
    axes.tick_params(length=0, labelbottom=True)


def _noun(tables: Tables) -> str:
    """What a letter is: on a synthetic landscape no layer stands behind it."""
    return "letter" if tables.is_synthetic else "layer kind"


def _detail(tables: Tables, alphabet: str, of_best: bool) -> str:
    kinds = ", ".join(f"{letter} {layer_name(letter)}" for letter in alphabet)
    legend = "" if tables.is_synthetic else f"{kinds}. "
    which = "re-trained" if not tables.finals.empty else "best of each seed"
    if not of_best:
        which = "distinct, without the initial design"
    return (
        f"{legend}In brackets: number of patterns ({which}), {tables.seeds_in_words}. "
        f"Dot: more than three standard errors above {1 / len(alphabet):.2f}, a letter's share by "
        f"chance."
    )
