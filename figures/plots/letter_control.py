"""The letter control: every searcher beside itself behind permuted letters, seed by seed.

The proxy saw true patterns, the searcher saw each letter under the name of another. For one that
knows letters only by their place in the alphabet nothing has changed, so the paired difference
should be nothing but noise; a language model that knows what the letters stand for is misled. Each
difference has the exact paired test of the ranking, corrected over the letter controls alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
from nasarena.figures.results.standings import Standings
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Interval, interval
from nasarena.figures.stats.multiple import Comparison, compare_pairs
from nasarena.search.seeding import stream

TITLE = "Letters permuted: what a searcher loses"


@dataclass(frozen=True, slots=True)
class LetterControl:
    """A searcher `real` and its `control`; `pair` is real less control on the deciding score.

    `seeds` holds (seed, score of the real thing, score of the control); `score` is the control's.
    """

    control: str
    real: str
    score: Interval
    pair: Comparison
    seeds: tuple[tuple[int, float, float], ...]


def letter_controls(frames: Tables, standing: Standings) -> list[LetterControl]:
    """Every control that has its real thing on all seeds, in order of the standings."""
    if frames.controls.empty:
        return []
    column = "final" if standing.is_final else "best_search"
    blinded = frames.controls.pivot(index="seed", columns="searcher", values=column)
    real_of = frames.controls.drop_duplicates("searcher").set_index("searcher")["real"]
    place = {each.searcher: number for number, each in enumerate(standing.places)}
    names = sorted(map(str, blinded.columns), key=lambda name: (place[real_of[name]], name))
    own = {name: blinded[name].astype(float).tolist() for name in names}
    pairs = [(str(real_of[name]), name) for name in names]
    found = compare_pairs(pairs, {**standing.scores, **own}, standing.rope)
    return [
        LetterControl(
            control=pair.second,
            real=pair.first,
            score=interval(own[pair.second], stream(0, "bootstrap", pair.second, "score")),
            pair=pair,
            seeds=tuple(
                zip(frames.seeds, standing.scores[pair.first], own[pair.second], strict=True)
            ),
        )
        for pair in found
    ]


def in_words(controls: Sequence[LetterControl]) -> str:
    """How many searchers lost, gained, or were shown to lose nothing that counts."""
    lost = [each.real for each in controls if each.pair.is_told_apart and each.pair.favours_first]
    gained = [
        each.real for each in controls if each.pair.is_told_apart and not each.pair.favours_first
    ]
    same = sum(each.pair.is_equivalent for each in controls)
    words = [
        f"{len(lost)} of {len(controls)} searchers did worse behind permuted letters"
        + (f" ({', '.join(lost)})" if lost else "")
    ]
    if gained:
        words.append(f"{len(gained)} did better ({', '.join(gained)})")
    if same:
        words.append(f"for {same} the difference was shown to be within the noise of a re-training")
    return "; ".join(words) + "."


def draw(frames: Tables, standing: Standings) -> Figure:
    """The figure: the paired difference of each searcher with its interval, and every seed."""
    found = letter_controls(frames, standing)
    if not found:
        return nothing_to_show(TITLE, "No searcher was run behind permuted letters.")
    with house_style():
        figure = new_figure(7.6, 1.5 + 0.34 * len(found))
        headline(figure, TITLE, f"{in_words(found)} {_detail(frames, standing)}")
        axes = figure.subplots()
        if standing.rope:
            axes.axvspan(-standing.rope, standing.rope, color="#f1f1f1", lw=0, zorder=0)
        axes.axvline(0, color=MUTED, lw=0.8, zorder=1)
        style = looks(frames.searchers)
        for row, each in enumerate(found):
            _draw_row(axes, row, each, style[each.real].color)
        axes.set_yticks(range(len(found)), [shorten(each.real, 30) for each in found])
        axes.set_ylim(len(found) - 0.4, -0.6)
        kind = "final" if standing.is_final else "search"
        axes.set_xlabel(f"{kind} score, true letters less permuted (0: letters do not matter)")
        axes.set_ylabel("searcher")
    return figure


def _draw_row(axes: Axes, row: int, each: LetterControl, color: str) -> None:
    differences = [real - blinded for _, real, blinded in each.seeds]
    axes.plot(differences, np.full(len(differences), row), "|", ms=9, color=FAINT, mew=1.2)
    difference = each.pair.difference
    if not np.isnan(difference.low):
        axes.plot([difference.low, difference.high], [row, row], color=color, lw=2.2)
    axes.plot(difference.estimate, row, "D", ms=5.5, color=color, mec="white", mew=0.6)
    if each.pair.is_told_apart:
        axes.annotate(f"p = {each.pair.p_holm:.2g}", (1, row), (4, 0), color=INK, fontsize=7,
                      xycoords=("axes fraction", "data"), textcoords="offset points",
                      va="center", annotation_clip=False)  # fmt: skip


def _detail(frames: Tables, standing: Standings) -> str:
    shaded = "Shaded: within the noise of a re-training. " if standing.rope else ""
    return (
        f"Diamonds: mean paired difference with the 95 % interval of the exact test; marks: "
        f"{frames.seeds_in_words}. {shaded}p where told apart (Holm over these controls)."
    )
