"""Does the small ranking hold? Agreement of cheap scores with the losses of every rung."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    FAINT,
    MUTED,
    Look,
    headline,
    house_style,
    legend_beside,
    looks,
    new_figure,
    nothing_to_show,
    width_for,
)
from nasarena.figures.results.ladder import Ladder, RungAgreement
from nasarena.figures.stats.intervals import Interval

TITLE = "Does the small ranking hold at scale?"
Measure = Callable[[RungAgreement], Interval]
# Title, what is drawn, where chance lies.
_PANELS: tuple[tuple[str, Measure, float], ...] = (
    ("Spearman's rho, all", lambda each: each.whole.spearman, 0.0),
    ("Spearman's rho among the best", lambda each: each.best.spearman, 0.0),
    ("Kendall's tau, all", lambda each: each.whole.kendall, 0.0),
    ("share of pairs decided rightly, all", lambda each: each.right, 0.5),
)

_MOST_LEVEL = 5  # rungs whose names fit beside each other


def draw(ladder: Ladder, ground: str = "") -> Figure:
    """The figure; one that says why it is empty where nothing can be ranked."""
    if not ladder.found:
        words = "A rung needs five architectures that a scorer ranks too."
        return nothing_to_show(TITLE, words)
    with house_style():
        figure = new_figure(width_for(ladder.scorers, 9.4), 6.6)
        headline(figure, TITLE, _detail(ladder), ground)
        style = looks(ladder.scorers)
        grid = figure.subplots(2, 2, sharex=True)
        for axes, (title, measure, chance) in zip(grid.flat, _PANELS, strict=True):
            _draw_panel(axes, ladder, measure, style)
            axes.axhline(chance, color=MUTED, lw=0.8)
            axes.set_ylim(min(axes.get_ylim()[0], chance - 0.15), 1.03)
            axes.set_title(title)
            axes.grid(axis="y")
            _name_rungs(axes, ladder)
        _draw_ceiling(grid[1, 0], ladder)
        for axes in grid[1]:
            axes.set_xlabel("rung, from the least FLOPs to the most")
        legend_beside(grid[0, 1], style, {})
    return figure


def _draw_panel(axes: Axes, ladder: Ladder, measure: Measure, style: dict[str, Look]) -> None:
    places = {rung.name: place for place, rung in enumerate(ladder.rungs)}
    for number, scorer in enumerate(ladder.scorers):
        shift = 0.5 * ((number + 0.5) / len(ladder.scorers) - 0.5)
        own, look = ladder.found[scorer], style[scorer]
        found = [measure(each) for each in own.values()]
        at = np.array([places[name] + shift for name in own])
        axes.vlines(at, [each.low for each in found], [each.high for each in found],
                    color=look.color, lw=1.1, alpha=0.7)  # fmt: skip
        axes.plot(at, [each.estimate for each in found], color=look.color, ls=look.dash, lw=1.2,
                  marker=look.marker, ms=5, mec="white", mew=0.6)  # fmt: skip


def _draw_ceiling(axes: Axes, ladder: Ladder) -> None:
    for place, rung in enumerate(ladder.rungs):
        if not np.isnan(rung.between_seeds):
            axes.plot([place - 0.35, place + 0.35], [rung.between_seeds] * 2, color=FAINT, lw=5,
                      solid_capstyle="butt", zorder=0)  # fmt: skip


def _name_rungs(axes: Axes, ladder: Ladder) -> None:
    """Names below each other's places; many of them upright, on one line each."""
    names, is_crowded = [rung.name for rung in ladder.rungs], len(ladder.rungs) > _MOST_LEVEL
    shown = names if is_crowded else [name.replace(", ", "\n") for name in names]
    axes.set_xticks(range(len(names)), shown, rotation=90 if is_crowded else 0)
    if is_crowded:
        axes.tick_params(axis="x", labelsize=6)


def _detail(ladder: Ladder) -> str:
    counts = sorted({len(rung.losses) for rung in ladder.rungs})
    of = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    sizes = {each.best.num_patterns for own in ladder.found.values() for each in own.values()}
    best = f"{min(sizes)}" if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"
    return (
        f"{of} architectures a rung, mean loss over seeds; bars: 95 % bootstrap intervals over "
        f"architectures. Thin line: chance. Grey bars: Kendall's tau between two seeds of the "
        f"rung. The best are the rung's best tenth, but never fewer than ten (here {best})."
    )
