"""Critical-difference diagram: mean ranks on a line, bars over what does not differ.

Only with ten blocks or more. In a comparison on one proxy the blocks are its seeds, and the figure
says so: it then speaks of this proxy alone. The paired differences are the sharper test.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import INK, MUTED, Look, headline, house_style, looks, new_figure
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.critical_difference import (
    MIN_BLOCKS,
    CriticalDifference,
    critical_difference,
)

TITLE = "Critical difference of mean ranks"


def is_shown(analysis: Analysis) -> bool:
    """Whether there are blocks and searchers enough."""
    standing = analysis.standings
    return standing.num_seeds >= MIN_BLOCKS and len(standing.places) >= 3


def draw(analysis: Analysis) -> Figure:
    """The figure; call it only where `is_shown`."""
    tables, standing = analysis.tables, analysis.standings
    names = list(standing.scores)
    found = critical_difference(np.array([standing.scores[name] for name in names]).T)
    order = np.argsort(found.mean_ranks, kind="stable")
    with house_style():
        figure = new_figure(8.6, 1.9 + 0.17 * len(names))
        title = f"Mean ranks by {standing.score_name} and their critical difference"
        headline(figure, title, _detail(tables, found), tables.ground)
        axes = figure.subplots()
        half = -(-len(names) // 2)
        style = looks(tables.searchers)
        for place, index in enumerate(order):
            name, rank = names[index], float(found.mean_ranks[index])
            is_left = place < half
            depth = place if is_left else len(names) - 1 - place
            _draw_name(axes, name, rank, 1.0 + depth, is_left, len(names), style[name])
        for level, (first, last) in enumerate(found.groups()):
            ends = found.mean_ranks[order[first]], found.mean_ranks[order[last]]
            y = 0.18 + 0.55 * level / max(1, len(found.groups()))
            axes.plot([ends[0] - 0.03, ends[1] + 0.03], [y, y], color=INK, lw=3)
        axes.plot([1, 1 + found.distance], [-0.8, -0.8], color=MUTED, lw=1.4, marker="|", ms=6)
        axes.text(1 + found.distance / 2, -0.95, f"critical difference {found.distance:.2f}",
                  ha="center", va="bottom", fontsize=7.5, color=MUTED)  # fmt: skip
        axes.set_xlim(0.2, len(names) + 0.8)
        axes.set_ylim(half + 0.9, -1.5)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.spines["top"].set_visible(False)
        axes.set_yticks([])
        axes.axhline(0, color=MUTED, lw=0.8)
        axes.set_xticks([])
        for rank in range(1, len(names) + 1):
            axes.plot([rank, rank], [0, -0.12], color=MUTED, lw=0.8)
            axes.text(rank, -0.2, str(rank), ha="center", va="bottom", fontsize=8)
        axes.set_xlabel("mean rank over seeds (1 is best)", fontsize=8)
    return figure


def _draw_name(
    axes: Axes, name: str, rank: float, y: float, is_left: bool, num_names: int, look: Look
) -> None:
    edge, color = 0.8 if is_left else num_names + 0.2, look.color
    axes.plot([rank, rank, edge], [0, y, y], color=color, lw=1.2, linestyle=look.dash)
    axes.plot(rank, y, look.marker, color=color, ms=5.5, mec="white", mew=0.6)
    text = f"{name}  {rank:.2f}" if is_left else f"{rank:.2f}  {name}"
    axes.text(edge + (-0.05 if is_left else 0.05), y, text, fontsize=8, va="center",
              ha="right" if is_left else "left", color=color)  # fmt: skip


def _detail(tables: Tables, found: CriticalDifference) -> str:
    return (
        f"Blocks are the {len(tables.seeds)} seeds of one proxy, not tasks: this holds for "
        f"this proxy alone. Bars join searchers that Nemenyi's test (0.05) does not separate; "
        f"Friedman's p = {found.friedman_p:.2g}."
    )
