"""The compute-optimal frontier: least loss at each budget by the law, and the slope of the fall.

Left the curves, and below them their differences to the reference, with bands over the budgets that
were trained; right the slope of each architecture, by which its loss above E falls.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    MUTED,
    Look,
    headline,
    house_style,
    looks,
    new_figure,
    nothing_to_show,
    shorten,
    width_for,
)
from nasarena.figures.results.scaling_study import ScalingStudy
from nasarena.figures.scaling.isoflop_figure import ground
from nasarena.figures.stats.intervals import Floats
from nasarena.figures.stats.scaling_intervals import LawStudy

TITLE = "Compute-optimal frontier"


def draw(study: ScalingStudy) -> Figure:
    """The figure; one that says why it is empty where no law was fitted."""
    laws = study.laws
    if laws is None:
        return nothing_to_show(TITLE, "No architecture has enough sizes and numbers of tokens.")
    names = laws.laws.names
    with house_style():
        figure = new_figure(width_for(names, 9.6), max(5.6, 2.6 + 0.3 * len(names)))
        headline(figure, TITLE, _detail(laws), ground(study))
        spaces = figure.add_gridspec(2, 2, width_ratios=[1.5, 1])
        above = figure.add_subplot(spaces[0, 0])
        below = figure.add_subplot(spaces[1, 0], sharex=above)
        right = figure.add_subplot(spaces[:, 1])
        style = looks(names)
        for number, name in enumerate(names):
            _draw_curves(above, below, study, number, style[name])
            _draw_slope(right, laws, number, style[name])
        above.set_xscale("log")
        above.tick_params(labelbottom=False)
        above.set_ylabel("least loss (nats a token)")
        below.set_xlabel("training FLOPs")
        below.set_ylabel(f"less that of\n{shorten(names[_reference(study)], 26)}")
        for axes in (above, below):
            axes.grid(axis="y")
        _scale_right(right, names)
    return figure


def _draw_curves(above: Axes, below: Axes, study: ScalingStudy, number: int, look: Look) -> None:
    laws, reference = study.laws, _reference(study)
    assert laws is not None
    flops = _flops(study, number)
    products = flops / study.flops_per_product(laws.laws.names[number])
    others = flops / study.flops_per_product(laws.laws.names[reference])
    _draw_band(above, flops, laws.frontier(number, products), look)
    if number == reference:
        below.axhline(0, color=MUTED, lw=0.8)
    else:
        found = laws.frontier_difference(number, reference, (products, others))
        _draw_band(below, flops, found, look)


def _draw_band(axes: Axes, flops: Floats, found: tuple[Floats, Floats, Floats], look: Look) -> None:
    middle, low, high = found
    axes.plot(flops, middle, color=look.color, ls=look.dash, lw=1.5, marker=look.marker, ms=5,
              markevery=13, mec="white", mew=0.6)  # fmt: skip
    axes.fill_between(flops, low, high, color=look.color, alpha=0.15, lw=0)


def _draw_slope(axes: Axes, laws: LawStudy, row: int, look: Look) -> None:
    found = laws.of("slope", row)
    axes.plot([found.low, found.high], [row, row], color=look.color, lw=2.2)
    axes.plot(found.estimate, row, look.marker, ms=7, color=look.color, mec="white", mew=0.8)


def _scale_right(axes: Axes, names: tuple[str, ...]) -> None:
    axes.set_yticks(range(len(names)), [shorten(name, 26) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel("slope a b / (a + b) (larger is steeper)")


def _flops(study: ScalingStudy, number: int) -> Floats:
    """The budgets that the architecture was trained on, from the least to the largest."""
    assert study.laws is not None
    own = study.table.rows[study.table.rows["label"] == study.laws.laws.names[number]]
    return np.geomspace(own["flops"].min(), own["flops"].max(), 40)


def _reference(study: ScalingStudy) -> int:
    """The reference where it has a law, else the first architecture."""
    return (study.law_number(study.reference) if study.reference else None) or 0


def _detail(laws: LawStudy) -> str:
    return (
        f"Curves and slopes from the law L = E + A / N^a + B / D^b; bands and bars: 95 % "
        f"intervals, {len(laws.repeats)} resamples of {laws.noise_from}. On the frontier the "
        f"loss above E falls as FLOPs^-slope, if FLOPs are proportional to N x D. Overlapping "
        f"bars do not show that two slopes are equal: scaling.md has intervals of differences."
    )
