"""Controls of the harness: what permuted letters cost each searcher, what references give it.

`results/paired_controls.py` says what is compared, and what it means.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    FAINT,
    INK,
    MUTED,
    headline,
    house_style,
    looks,
    new_figure,
    nothing_to_show,
    shorten,
)
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.paired_controls import SEEDED, PairedControl, has_control, in_words
from nasarena.figures.results.standings import Standings
from nasarena.figures.results.tables import Tables

TITLE = "Letters permuted: what a searcher loses"
SEEDED_TITLE = "References told first: what a searcher gains"


def is_shown(analysis: Analysis) -> bool:
    """Whether any searcher was run behind permuted letters."""
    return has_control(analysis.tables, "permuted_letters")


def is_seeded_shown(analysis: Analysis) -> bool:
    """Whether any searcher was told the hand-made patterns first."""
    return has_control(analysis.tables, "seeded")


def draw(analysis: Analysis) -> Figure:
    """The figure: the paired difference of each searcher with its interval, and every seed."""
    found = analysis.letter_controls
    if not found:
        return nothing_to_show(TITLE, "No searcher was run behind permuted letters.")
    axis = "true letters less permuted (0: letters do not matter)"
    return _draw(analysis, found, TITLE, in_words(found), axis)


def draw_seeded(analysis: Analysis) -> Figure:
    """The same figure for searchers that were told the hand-made patterns first."""
    found = analysis.seeded_controls
    if not found:
        return nothing_to_show(SEEDED_TITLE, "No searcher was told the hand-made patterns.")
    axis = "as it is less seeded (below 0: the patterns helped)"
    return _draw(analysis, found, SEEDED_TITLE, in_words(found, SEEDED), axis)


def _draw(
    analysis: Analysis, found: Sequence[PairedControl], title: str, words: str, axis: str
) -> Figure:
    tables, standing = analysis.tables, analysis.standings
    with house_style():
        figure = new_figure(7.6, 1.5 + 0.34 * len(found))
        headline(figure, title, f"{words} {_detail(tables, standing)}", tables.ground)
        axes = figure.subplots()
        if standing.rope:
            axes.axvspan(-standing.rope, standing.rope, color="#f1f1f1", lw=0, zorder=0)
        axes.axvline(0, color=MUTED, lw=0.8, zorder=1)
        style = looks(tables.searchers)
        for row, each in enumerate(found):
            _draw_row(axes, row, each, style[each.real].color)
        axes.set_yticks(range(len(found)), [shorten(each.real, 30) for each in found])
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.set_xlabel(f"{standing.score_name}{tables.unit_in_brackets}, {axis}")
        axes.set_ylabel("searcher")
    return figure


def _draw_row(axes: Axes, row: int, each: PairedControl, color: str) -> None:
    differences = [real - blinded for _, real, blinded in each.seeds]
    axes.plot(differences, np.full(len(differences), row), "|", ms=9, color=FAINT, mew=1.2)
    difference = each.pair.difference
    if not np.isnan(difference.low):
        axes.plot([difference.low, difference.high], [row, row], color=color, lw=2.2)
    axes.plot(difference.estimate, row, "D", ms=5.5, color=color, mec="white", mew=0.6)
    if each.pair.is_significant:
        axes.annotate(f"p = {each.pair.p_holm:.2g}", (1, row), (4, 0), color=INK, fontsize=7,
                      xycoords=("axes fraction", "data"), textcoords="offset points",
                      va="center", annotation_clip=False)  # fmt: skip


def _detail(tables: Tables, standing: Standings) -> str:
    shaded = "Shaded: within the noise of a re-training. " if standing.rope else ""
    return (
        f"Diamonds: mean paired difference with the 95 % interval of the exact test; marks: "
        f"{tables.seeds_in_words}. {shaded}p where significant (Holm over these controls)."
    )
