"""Final ranking: the re-trained score of each searcher's best patterns, with its interval.

The filled mark decides: interquartile mean over seeds of the final score, trained again with fresh
seeds on held-out data. The open diamond is the search score of the same patterns; the line between
them is the winner's curse. Searchers that do not differ significantly share a rank. Reference
patterns stand below, unranked.
"""

from collections.abc import Mapping

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


def draw(analysis: Analysis) -> Figure:
    """The figure; rows in the order of the standings, then the reference patterns."""
    tables, standing = analysis.tables, analysis.standings
    title = "Final ranking" if standing.is_final else "Ranking by search score (flattering)"
    if not standing.places:
        return nothing_to_show("Ranking", "No finished run with a score: there is nothing to rank.")
    references = tables.reference_scores("final" if standing.is_final else "score")
    num_rows = len(standing.places) + len(references)
    with house_style():
        figure = new_figure(
            width_for([*tables.searchers, *references]), 1.5 + _ROW_INCHES * num_rows
        )
        headline(figure, title, _detail(tables, standing))
        axes = figure.subplots()
        style = looks(tables.searchers)
        for row, place in enumerate(standing.places):
            _draw_place(axes, row, place, style[place.searcher], standing)
        _draw_references(axes, len(standing.places), references)
        _label_rows(axes, standing, references)
        axes.set_ylim(num_rows - 0.4, -0.6)
        axes.grid(axis="x")
        axes.set_xlabel(
            "final score: re-trained on held-out data (higher is better)"
            if standing.is_final
            else "best search score, not re-trained (higher is better)"
        )
    return figure


def _draw_references(axes: Axes, first_row: int, references: Mapping[str, float]) -> None:
    if references:
        axes.axhline(first_row - 0.5, color=MUTED, lw=0.6)
    for row, score in enumerate(references.values(), start=first_row):
        axes.plot(score, row, "|", color=MUTED, ms=11, mew=1.6)
        _write_value(axes, row, f"{score:.4f}")


def _label_rows(axes: Axes, standing: Standings, references: Mapping[str, float]) -> None:
    """Searchers with their rank, `=` where it is shared, then the reference patterns."""
    ranks = [place.rank for place in standing.places]
    names = [
        f"{place.searcher}   {place.rank}{'=' if ranks.count(place.rank) > 1 else ''}"
        for place in standing.places
    ]
    axes.set_yticks(range(len(names) + len(references)), [*names, *references])
    for tick in axes.get_yticklabels()[len(names) :]:
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


def _write_value(axes: Axes, row: int, text: str) -> None:
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
