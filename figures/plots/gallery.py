"""Every figure of a comparison, in the order in which they are shown."""

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
from nasarena.figures.plots import exact_regret as exact
from nasarena.figures.results.anchors import Anchors
from nasarena.figures.results.standings import Standings, deciding_scale
from nasarena.figures.results.tables import METERS, Tables


@dataclass(frozen=True, slots=True)
class FigureSpec:
    """A figure to be drawn: its file name without ending, its title, and how."""

    name: str
    title: str
    draw: Callable[[], Figure]


def gallery(frames: Tables, standing: Standings, anchors: Anchors | None) -> list[FigureSpec]:
    """All figures; none is drawn yet."""
    scale = deciding_scale(frames, anchors)
    of_best_known = partial(regret.draw, frames, anchors)
    plates = [
        FigureSpec("ranking", "Final ranking", lambda: ranking.draw(frames, standing)),
        *(
            _exact_figures(frames)
            or [FigureSpec("regret", "Regret over the budget", of_best_known)]
        ),
        FigureSpec("anytime", "Best score found so far", lambda: anytime.draw(frames)),
        *_other_meters(frames),
        FigureSpec("ranks", "Rank over the budget", lambda: ranks.draw(frames)),
        FigureSpec("runtime", "How soon scores are reached", lambda: runtime.draw(frames, anchors)),
        FigureSpec(
            "improvement", "Probability of improvement", lambda: improvement.draw(frames, standing)
        ),
        FigureSpec(
            "profiles", "Performance profiles", lambda: profiles.draw(frames, standing, scale)
        ),
    ]
    if critical.is_shown(standing):
        title = "Critical difference of mean ranks"
        plates.append(FigureSpec("critical", title, lambda: critical.draw(frames, standing)))
    if not frames.controls.empty:
        plates.append(
            FigureSpec(
                "controls", letter_control.TITLE, lambda: letter_control.draw(frames, standing)
            )
        )
    best, all_ = "Layer kinds by position, among the best", "Layer kinds by position, all proposals"
    return plates + [
        FigureSpec(
            "cost", "Regret against total cost", lambda: cost.draw(frames, standing, anchors)
        ),
        FigureSpec("budget", "What the budget was spent on", lambda: budget.draw(frames)),
        FigureSpec("behaviour", "How they search", lambda: behaviour.draw(frames)),
        FigureSpec("heatmap", best, lambda: heatmap.draw(frames)),
        FigureSpec("letters", all_, lambda: heatmap.draw(frames, of_best=False)),
    ]


def _exact_figures(frames: Tables) -> list[FigureSpec]:
    """What only a benchmark can show: true regret, rank in the space, and its surrogate. There
    the regret of a noisy best score would say nothing: it may lie above the optimum."""
    known, plates = frames.benchmark, []
    if known is not None:
        plates.append(FigureSpec("exact", exact.REGRET, lambda: exact.draw_regret(frames)))
        if known.ranks:
            plates.append(FigureSpec("exact-rank", exact.RANK, lambda: exact.draw_rank(frames)))
        if known.surrogate is not None:
            plates.append(FigureSpec("surrogate", surrogate.TITLE, lambda: surrogate.draw(frames)))
    return plates


def _other_meters(frames: Tables) -> list[FigureSpec]:
    """The anytime curves against what the budget does not count, where anything was."""
    return [
        FigureSpec(
            f"anytime-{meter}",
            f"Best score found so far, against {METERS[meter].label}",
            partial(anytime.draw, frames, meter),
        )
        for meter in ("trials", "measured_seconds")
        if meter != frames.unit and frames.trials[meter].sum() > 0
    ]
