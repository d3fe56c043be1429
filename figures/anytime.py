"""Anytime curves: the best search score against what was spent, in steps.

One line per searcher: the interquartile mean over its seeds, with a bootstrap band. Between trials
a run keeps its last best score, nothing is interpolated, and a curve starts only where every seed
has a score. With more than six searchers the bands move into one small panel per searcher.
Reference patterns are thin lines at their mean search score over the same seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import EngFormatter, MaxNLocator

from nasarena.figures.frame import METERS, Frames
from nasarena.figures.stats.curves import step_fill
from nasarena.figures.stats.intervals import Floats, band
from nasarena.figures.style import (
    FAINT,
    INK,
    MUTED,
    Dash,
    EndLabel,
    Look,
    headline,
    house_style,
    label_ends,
    looks,
    new_figure,
    nothing_to_show,
    shorten,
    width_for,
)
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream

_NUM_POINTS = 160
_MAX_BANDS_TOGETHER = 6
_NUM_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """The best score of one searcher on a meter's grid; all of shape `(num_points,)`."""

    grid: Floats
    middle: Floats
    low: Floats
    high: Floats


def curves(frames: Frames, meter: str) -> dict[str, Curve]:
    """A curve for each searcher, all on one grid: whole trials, or 160 steps up to the largest.

    On the budget's own meter it is the ledger that counts, charged language models included.
    """
    column = "spent" if meter == frames.unit else meter
    most = float(frames.trials[column].max())
    if meter == "trials":
        grid = np.arange(1, int(most) + 1, dtype=np.float64)
    else:
        grid = np.linspace(0, most, _NUM_POINTS)
    found = {}
    for name in frames.searchers:
        own = frames.trials[frames.trials["searcher"] == name]
        filled = [
            step_fill(run[column].to_numpy(), run["best_so_far"].to_numpy(), grid)
            for _, run in own.groupby("seed")
        ]
        rng = stream(0, "bootstrap", name, "curve", meter)
        found[name] = Curve(grid, *band(np.array(filled), rng))
    return found


def reference_scores(frames: Frames, column: str = "score") -> dict[str, float]:
    """Mean over the paired seeds of each reference pattern that was scored on all of them."""
    scores = frames.references.pivot_table(index="name", columns="seed", values=column)
    complete = scores.dropna().mean(axis=1).sort_values(ascending=False)
    return {str(name): float(score) for name, score in complete.items()}


def draw(frames: Frames, meter: str | None = None) -> Figure:
    """The figure, against the budget's own unit unless `meter` names another of `METERS`."""
    meter = meter or frames.unit
    if meter not in METERS:
        raise InvalidSetting(f"meter must be one of {', '.join(METERS)}, got {meter!r}")
    title = "Best score found so far"
    if frames.runs.empty:
        return nothing_to_show(title, "No finished run with a score: there is nothing to draw.")
    label = METERS[meter].label
    if frames.trials[meter].max() <= 0:
        return nothing_to_show(title, f"Nothing was counted: {label}.")
    if meter == frames.unit and frames.condition["budget"].get("charge_llm"):
        label += ", language model included"
    found = curves(frames, meter)
    many = len(found) > _MAX_BANDS_TOGETHER
    with house_style():
        num_rows = -(-len(found) // _NUM_COLUMNS) if many else 0
        figure = new_figure(width_for(list(found)), 4.6 + 1.35 * num_rows)
        parts = [figure]
        if many:
            ratios = [4.3, 1.35 * num_rows + 0.1]
            parts = figure.subfigures(2, 1, squeeze=False, height_ratios=ratios).ravel().tolist()
        axes = parts[0].subplots()
        style = looks(list(found))
        _draw_overview(axes, found, style, frames, bands=not many)
        _label_axis(axes, found)
        axes.set_xlabel(label)
        axes.set_ylabel("best search score so far\n(higher is better)")
        if many:
            _draw_panels(parts[1], found, style)
            parts[1].supxlabel(label, fontsize=8)
            parts[1].supylabel("best search score", fontsize=8)
        headline(figure, title, _detail(frames, axes.get_ylim()))
        figure.draw_without_rendering()  # settles the layout, which the labels need to know
        label_ends(figure, axes, _labels(axes, found, style, frames))
    return figure


def _draw_overview(
    axes: Axes, found: Mapping[str, Curve], style: Mapping[str, Look], frames: Frames, bands: bool
) -> None:
    axes.grid(axis="y")
    for score in reference_scores(frames).values():
        axes.axhline(score, color=MUTED, linewidth=0.6, linestyle=(0, (1, 2)), zorder=1)
    for name, curve in found.items():
        if bands:
            _draw_band(axes, curve, style[name])
        _draw_line(axes, curve, style[name].color, 1.6, style[name].dash)
    axes.set_ylim(_limits(found, bands))


def _draw_panels(figure: FigureBase, found: Mapping[str, Curve], style: Mapping[str, Look]) -> None:
    """One small panel per searcher: its line and band, all others in light grey."""
    num_rows = -(-len(found) // _NUM_COLUMNS)
    grid = figure.subplots(num_rows, _NUM_COLUMNS, sharex=True, sharey=True, squeeze=False)
    grid[0, 0].set_ylim(_limits(found, bands=True))
    cells = grid.ravel()
    for name, axes in zip(found, cells, strict=False):
        for other, curve in found.items():
            if other != name:
                _draw_line(axes, curve, FAINT, 0.8)
        _draw_band(axes, found[name], style[name])
        _draw_line(axes, found[name], style[name].color, 1.5)
        axes.set_title(shorten(name, 24), fontsize=8, color=INK)
        _label_axis(axes, found)
    for axes in cells[len(found) :]:
        axes.set_axis_off()
    for axes in cells[max(0, len(found) - _NUM_COLUMNS) : len(found)]:
        axes.tick_params(labelbottom=True)  # above an empty cell too


def _draw_line(axes: Axes, curve: Curve, color: str, width: float, dash: Dash = "solid") -> None:
    """Steps; the last level is held a little beyond the end, so that a late rise can be seen."""
    changes = np.append(True, np.diff(curve.middle) != 0)  # a level needs its first point only
    grid = np.append(curve.grid[changes], curve.grid[-1] + _overhang(curve))
    middle = np.append(curve.middle[changes], curve.middle[-1])
    axes.step(grid, middle, where="post", color=color, lw=width, linestyle=dash)


def _draw_band(axes: Axes, curve: Curve, look: Look) -> None:
    grid = np.append(curve.grid, curve.grid[-1] + _overhang(curve))
    low, high = np.append(curve.low, curve.low[-1]), np.append(curve.high, curve.high[-1])
    axes.fill_between(grid, low, high, step="post", color=look.color, alpha=0.2, lw=0)


def _overhang(curve: Curve) -> float:
    return 0.02 * float(curve.grid[-1])


def _label_axis(axes: Axes, found: Mapping[str, Curve]) -> None:
    curve = next(iter(found.values()))
    axes.set_xlim(_start(found), curve.grid[-1] + _overhang(curve))
    axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=curve.grid[-1] > 10))
    if curve.grid[-1] >= 1e4:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def _start(found: Mapping[str, Curve]) -> float:
    """Where the first searcher has a score on every seed."""
    return min(
        float(curve.grid[~np.isnan(curve.middle)][0])
        for curve in found.values()
        if not np.isnan(curve.middle).all()
    )


def _limits(found: Mapping[str, Curve], bands: bool) -> tuple[float, float]:
    """The range of all lines, and of the upper half of the bands if they are drawn."""
    shown = [curve.middle for curve in found.values()]
    shown += [curve.high for curve in found.values()] if bands else []
    low, high = float(np.nanmin(np.concatenate(shown))), float(np.nanmax(np.concatenate(shown)))
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _labels(
    axes: Axes, found: Mapping[str, Curve], style: Mapping[str, Look], frames: Frames
) -> list[EndLabel]:
    low, high = axes.get_ylim()
    aware = frames.runs.groupby("searcher")["budget_aware"].any()
    labels = [
        EndLabel(name + ("*" if aware[name] else ""), float(curve.middle[-1]), style[name].color)
        for name, curve in found.items()
    ]
    labels += [
        EndLabel(name, score, MUTED, style="italic")
        for name, score in reference_scores(frames).items()
        if low <= score <= high
    ]
    return labels


def _detail(frames: Frames, limits: tuple[float, float]) -> str:
    detail = (
        f"Interquartile mean over {frames.seeds_in_words} with 95 % bootstrap band. "
        if len(frames.seeds) > 1
        else "One seed: no band, and no conclusion about searchers. "
    )
    references = reference_scores(frames)
    outside = [
        f"{name} {score:.3f}"
        for name, score in references.items()
        if not limits[0] <= score <= limits[1]
    ]
    if len(outside) < len(references):
        detail += "Dotted lines in italics: reference patterns. "
    if outside:
        detail += f"Reference patterns outside the axis: {', '.join(outside)}. "
    if frames.runs["budget_aware"].any():
        detail += "* knows the budget: its curve holds for this budget alone."
    return detail
