"""Every figure of a comparison, in the order in which they are shown: a line each.

A figure of your own is a file with `draw(analysis) -> Figure` beside the others, and a line here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from nasarena.figures.plots import (
    anytime,
    behaviour,
    budget,
    cost,
    critical,
    exact_regret,
    heatmap,
    improvement,
    letter_control,
    profiles,
    ranking,
    ranks,
    regret,
    runtime,
    surrogate,
)
from nasarena.figures.plots.panels import CurveData, draw_data
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.rows import METERS


def _always(analysis: Analysis) -> bool:
    return True


def _has_letters(analysis: Analysis) -> bool:
    return analysis.tables.has_letters


@dataclass(frozen=True, slots=True)
class FigureSpec:
    """A figure: its file name without ending, its title, what draws it, and when it is shown.

    `prepare` gives the curves of a figure that is made of them, None for others.
    """

    name: str
    title: str
    draw: Callable[[Analysis], Figure]
    is_shown: Callable[[Analysis], bool] = _always
    prepare: Callable[[Analysis], CurveData] | None = None


def _curves(
    name: str,
    title: str,
    prepare: Callable[[Analysis], CurveData],
    is_shown: Callable[[Analysis], bool] = _always,
) -> FigureSpec:
    """A figure made of curves."""

    def draw(analysis: Analysis) -> Figure:
        return draw_data(prepare(analysis))

    return FigureSpec(name, title, draw, is_shown, prepare)


def _anytime_against(meter: str) -> FigureSpec:
    """The anytime curves against what the budget does not count, where anything was."""
    return _curves(
        f"anytime-{meter}",
        f"Best search score so far, against {METERS[meter].label}",
        partial(anytime.prepare_against, meter),
        partial(anytime.was_counted, meter),
    )


FIGURES = (
    FigureSpec("ranking", "Final ranking", ranking.draw),
    _curves("exact", exact_regret.REGRET, exact_regret.prepare_regret, exact_regret.is_shown),
    _curves("exact-rank", exact_regret.RANK, exact_regret.prepare_rank, exact_regret.has_ranks),
    FigureSpec("surrogate", surrogate.TITLE, surrogate.draw, surrogate.is_shown),
    _curves("regret", "Regret of the search score", regret.prepare, regret.is_shown),
    _curves("anytime", "Best search score so far", anytime.prepare),
    _anytime_against("trials"),
    _anytime_against("measured_seconds"),
    _curves("ranks", "Rank over the budget, by search score", ranks.prepare),
    _curves("runtime", "How soon scores are reached", runtime.prepare),
    FigureSpec("improvement", "Probability of improvement", improvement.draw),
    _curves("profiles", "Performance profiles", profiles.prepare),
    FigureSpec("critical", critical.TITLE, critical.draw, critical.is_shown),
    FigureSpec("controls", letter_control.TITLE, letter_control.draw, letter_control.is_shown),
    FigureSpec(
        "seeded",
        letter_control.SEEDED_TITLE,
        letter_control.draw_seeded,
        letter_control.is_seeded_shown,
    ),
    FigureSpec("cost", "Regret against total cost", cost.draw),
    FigureSpec("budget", "What the budget was spent on", budget.draw),
    FigureSpec("behaviour", "How they search", behaviour.draw, _has_letters),
    FigureSpec("heatmap", "Layer kinds by position, among the best", heatmap.draw, _has_letters),
    FigureSpec(
        "letters", "Layer kinds by position, all proposals", heatmap.draw_proposals, _has_letters
    ),
)


def gallery(analysis: Analysis) -> list[FigureSpec]:
    """The figures that are shown of this comparison; none is drawn yet."""
    return [figure for figure in FIGURES if figure.is_shown(analysis)]
