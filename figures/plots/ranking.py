"""Final ranking: the re-trained score of each searcher's best patterns, with its interval.

The filled mark decides: interquartile mean over seeds of the final score, trained again with fresh
seeds on held-out data. The open diamond is the search score of the same patterns; the line between
them is the winner's curse. Searchers that do not differ significantly share a rank. Reference
patterns stand below, unranked, and those far from all searchers at the edge of an axis that is
made for the searchers.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    FAINT,
    MUTED,
    Look,
    headline,
    house_style,
    looks,
    new_figure,
    nothing_to_show,
    width_for,
)
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.standings import Standing, Standings
from nasarena.figures.results.tables import Tables

_ROW_INCHES = 0.34
_REFERENCE_ROW = 0.6  # of a searcher's


def draw(analysis: Analysis) -> Figure:
    """The figure; rows in the order of the standings, then the reference patterns."""
    tables, standing = analysis.tables, analysis.standings
    title = (
        "Final ranking, by final score"
        if standing.is_final
        else "Ranking by search score (flattering)"
    )
    if not standing.places:
        return nothing_to_show("Ranking", "No finished run with a score: there is nothing to rank.")
    references = tables.reference_scores("final" if standing.is_final else "score")
    num_rows = len(standing.places) + _REFERENCE_ROW * len(references)
    with house_style():
        figure = new_figure(
            width_for([*tables.searchers, *references]), 1.7 + _ROW_INCHES * num_rows
        )
        headline(figure, title, _detail(tables, standing), tables.ground)
        axes = figure.subplots()
        style = looks(tables.searchers)
        for row, place in enumerate(standing.places):
            _draw_place(axes, row, place, style[place.searcher], standing)
        rows = [len(standing.places) + _REFERENCE_ROW * k for k in range(len(references))]
        axes.set_xlim(axes.get_xlim())  # that of the searchers
        _draw_references(axes, rows, references)
        _label_rows(axes, standing, rows, references)
        axes.set_ylim(num_rows - 0.4, -0.6)
        axes.grid(axis="x")
        axes.set_xlabel(_axis_label(tables, standing))
    return figure


def _axis_label(tables: Tables, standing: Standings) -> str:
    unit = tables.unit_in_brackets
    if not standing.is_final:
        return f"best search score{unit}, not re-trained (higher is better)"
    how = "scored again with fresh noise" if tables.is_synthetic else "re-trained on held-out data"
    judge = f" by {tables.final_proxy}" if tables.final_proxy else ""
    return f"final score{unit}: {how}{judge} (higher is better)"


def _draw_references(axes: Axes, rows: Sequence[float], references: Mapping[str, float]) -> None:
    """A mark each, an arrow at the edge for those beyond it."""
    low, high = axes.get_xlim()
    if rows:
        axes.axhline(rows[0] - 0.5, color=MUTED, lw=0.6)
    for row, score in zip(rows, references.values(), strict=True):
        marker = "<" if score < low else ">" if score > high else "|"
        size = 11 if marker == "|" else 5.5
        x = float(np.clip(score, low + 0.015 * (high - low), high - 0.015 * (high - low)))
        axes.plot(x if marker != "|" else score, row, marker, color=MUTED, ms=size, mew=1.6,
                  clip_on=False)  # fmt: skip
        _write_value(axes, row, f"{score:.4f}")


def _label_rows(
    axes: Axes, standing: Standings, rows: Sequence[float], references: Mapping[str, float]
) -> None:
    """Searchers with their rank, `=` where it is shared, then the reference patterns."""
    ranks = [place.rank for place in standing.places]
    names = [
        f"{place.searcher}   {place.rank}{'=' if ranks.count(place.rank) > 1 else ''}"
        for place in standing.places
    ]
    axes.set_yticks([*range(len(names)), *rows], [*names, *references])
    for tick in axes.get_yticklabels()[len(names) :]:
        tick.set_fontsize(7)
        tick.set_fontstyle("italic")
        tick.set_color(MUTED)
    axes.tick_params(axis="y", length=0)
    axes.set_ylabel("searcher and rank", rotation=0, ha="right", fontsize=8, color=MUTED)
    axes.yaxis.set_label_coords(-0.008, 1.0)


def _draw_place(axes: Axes, row: int, place: Standing, look: Look, standing: Standings) -> None:
    seeds = standing.scores[place.searcher]
    axes.plot(seeds, [row + 0.27] * len(seeds), "o", color=look.color, alpha=0.5, ms=3, mew=0)
    if standing.is_final:
        axes.plot(
            [place.score.estimate, place.search.estimate], [row, row], color=FAINT, lw=1, zorder=1
        )
        axes.plot(place.search.estimate, row, "D", mfc="white", mec=MUTED, ms=4.5, mew=1)
    axes.plot([place.score.low, place.score.high], [row, row], color=look.color, lw=2.4)
    axes.plot(place.score.estimate, row, look.marker, color=look.color, ms=7, mec="white", mew=0.8)
    interval = f"[{place.score.low:.4f}, {place.score.high:.4f}]" if len(seeds) > 1 else ""
    _write_value(axes, row, f"{place.score.estimate:.4f}  {interval}")


def _write_value(axes: Axes, row: float, text: str) -> None:
    axes.annotate(
        text,
        xy=(1.01, row),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=7.5,
        color=MUTED,
        annotation_clip=False,
    )


def _detail(tables: Tables, standing: Standings) -> str:
    diamond = "Diamond: search score of the same patterns. " if standing.is_final else ""
    if standing.num_seeds == 1:
        return f"{diamond}One seed: no interval, and no conclusion about searchers."
    return (
        f"Mark and bar: interquartile mean and 95 % interval over {tables.seeds_in_words}, the "
        f"dots below. {diamond}Rank: 1 + the number of searchers shown to be better (exact paired "
        f"test, Holm, 0.05); = marks a shared rank."
    )
