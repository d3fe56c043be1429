"""Curves over a budget on one sheet: a small panel for each searcher, and all lines together.

Lines are steps, never straight connections, and carry their searcher's marker now and then. With
more than six searchers small panels lead, in each of which one line with its band stands before
all others in light grey; up to six stand together with their bands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import EngFormatter, MaxNLocator

from nasarena.figures.plots.style import (
    FAINT,
    INK,
    MUTED,
    Dash,
    EndLabel,
    Look,
    headline,
    house_style,
    label_ends,
    legend_beside,
    looks,
    new_figure,
    plain_log,
    shorten,
    width_for,
)
from nasarena.figures.stats.curves import Curve

_MAX_BANDS_TOGETHER = 6
_NUM_COLUMNS = 4
_PANEL_INCHES = 1.45
_NUM_MARKERS = 4  # on each line of the overview


@dataclass(frozen=True, slots=True)
class Level:
    """A thin horizontal line; drawn where the axis has room, which it makes if `is_limit`."""

    name: str
    y: float
    is_limit: bool = False


@dataclass(frozen=True, slots=True)
class CurveFigure:
    """What stands around the curves. `floor` shades everything below it; `names` replaces labels.

    `upside_down` puts small values on top (ranks); `full_range` shows whole bands, not their upper
    half, for curves that fall; `legend` replaces labels where all lines end at one place.
    """

    title: str
    detail: str
    x_label: str
    y_label: str
    panel_label: str
    ground: str = ""
    levels: Sequence[Level] = ()
    floor: Level | None = None
    names: Mapping[str, str] | None = None
    log: bool = False
    log_x: bool = False
    legend: bool = False
    upside_down: bool = False
    full_range: bool = False


# The curves by searcher with what stands around them; or the figure that says why there are none.
CurveData = tuple[Mapping[str, Curve], CurveFigure] | Figure


def draw_data(data: CurveData) -> Figure:
    """The figure of what was worked out."""
    return data if isinstance(data, Figure) else draw_curves(*data)


def draw_curves(found: Mapping[str, Curve], sheet: CurveFigure) -> Figure:
    """The figure; `found` holds the curves by searcher, all on one grid."""
    many = len(found) > _MAX_BANDS_TOGETHER
    with house_style():
        num_rows = -(-len(found) // _NUM_COLUMNS) if many else 0
        panel_height = _PANEL_INCHES * num_rows + 0.1
        figure = new_figure(width_for(list(found)), 4.6 + panel_height)
        parts: list[FigureBase] = [figure]
        if many:
            ratios = [panel_height, 4.1]
            parts = figure.subfigures(2, 1, squeeze=False, height_ratios=ratios).ravel().tolist()
        axes = parts[-1].subplots()
        style = looks(list(found))
        _draw_overview(axes, found, style, sheet, bands=not many)
        _scale_axes(axes, found, sheet, bands=not many)
        _name_limits(axes, sheet)
        axes.set_xlabel(sheet.x_label)
        axes.set_ylabel(sheet.y_label)
        if many:
            _draw_panels(parts[0], found, style, sheet)
        low, high = sorted(axes.get_ylim())
        headline(figure, sheet.title, sheet.detail + _outside(sheet, low, high), sheet.ground)
        if sheet.legend:
            legend_beside(axes, style, sheet.names or {})
        figure.draw_without_rendering()  # settles the layout, which the labels need to know
        label_ends(figure, axes, _labels(found, style, sheet, low, high))
    return figure


def _draw_overview(
    axes: Axes,
    found: Mapping[str, Curve],
    style: Mapping[str, Look],
    sheet: CurveFigure,
    bands: bool,
) -> None:
    axes.grid(axis="y")
    _draw_levels(axes, sheet.levels)
    if sheet.floor:
        axes.axhspan(min(0, sheet.floor.y), sheet.floor.y, color="#f1f1f1", lw=0, zorder=0)
    for name, curve in found.items():
        if bands:
            _draw_band(axes, curve, style[name])
        _draw_line(axes, curve, style[name].color, 1.6, style[name].dash)
        _draw_end(axes, curve, style[name].color)
    for number, (name, curve) in enumerate(found.items()):
        _draw_markers(axes, curve, style[name], number / len(found))


def _draw_levels(axes: Axes, levels: Sequence[Level]) -> None:
    for level in levels:
        color, width = (INK, 1.1) if level.is_limit else (MUTED, 0.6)
        axes.axhline(level.y, color=color, linewidth=width, linestyle=(0, (1, 2)), zorder=1)


def _name_limits(axes: Axes, sheet: CurveFigure) -> None:
    """The names of limits on their lines, where the curves are not yet."""
    for level in sheet.levels:
        if level.is_limit:
            axes.annotate(level.name, (0, level.y), (4, 2), xycoords=("axes fraction", "data"),
                          textcoords="offset points", fontsize=7.5, fontstyle="italic")  # fmt: skip


def _draw_panels(
    figure: FigureBase, found: Mapping[str, Curve], style: Mapping[str, Look], sheet: CurveFigure
) -> None:
    """One small panel per searcher: its line and band, all others in light grey."""
    num_rows = -(-len(found) // _NUM_COLUMNS)
    grid = figure.subplots(num_rows, _NUM_COLUMNS, sharex=True, sharey=True, squeeze=False)
    cells = grid.ravel()
    for name, axes in zip(found, cells, strict=False):
        for other, curve in found.items():
            if other != name:
                _draw_line(axes, curve, FAINT, 0.8)
        _draw_levels(axes, [level for level in sheet.levels if level.is_limit])
        _draw_band(axes, found[name], style[name])
        _draw_line(axes, found[name], style[name].color, 1.5)
        _draw_end(axes, found[name], style[name].color)
        axes.set_title(shorten(name, 24), fontsize=8, color=INK)
        last = found[name].last
        if last is not None and not sheet.legend:  # there all end at one value
            value = float(found[name].middle[last])
            axes.set_title(_short(value), fontsize=7.5, color=MUTED, loc="right")
    _scale_axes(grid[0, 0], found, sheet, bands=True)
    for axes in cells[len(found) :]:
        axes.set_axis_off()
    for axes in cells[max(0, len(found) - _NUM_COLUMNS) : len(found)]:
        axes.tick_params(labelbottom=True)  # above an empty cell too
    figure.supxlabel(sheet.x_label, fontsize=8)
    figure.supylabel(sheet.panel_label, fontsize=8)


def _draw_line(axes: Axes, curve: Curve, color: str, width: float, dash: Dash = "solid") -> None:
    """Steps; the last level is held a little beyond the end, so that a late rise can be seen."""
    known = ~np.isnan(curve.middle)
    changes = np.append(True, np.diff(curve.middle) != 0)  # a level needs its first point only
    changes &= known | np.append(True, known[:-1])
    grid = np.append(curve.grid[changes], curve.grid[-1] + _overhang(curve))
    middle = np.append(curve.middle[changes], curve.middle[-1])
    axes.step(grid, middle, where="post", color=color, lw=width, linestyle=dash)


def _draw_end(axes: Axes, curve: Curve, color: str) -> None:
    """A bar where a line ends before the axis does, and a thin line on to its label."""
    last = curve.last
    if last is None or last == len(curve.grid) - 1:
        return
    x, y = curve.grid[last], curve.middle[last]
    axes.plot([x], [y], marker="|", ms=9, mew=1.8, color=color, linestyle="none", zorder=3)
    axes.plot([x, curve.grid[-1] + _overhang(curve)], [y, y], color=color, lw=0.5, alpha=0.6,
              linestyle=(0, (1, 2)))  # fmt: skip


def _draw_markers(axes: Axes, curve: Curve, look: Look, shift: float) -> None:
    """A few points of the line; `shift`, a share of their distance, keeps searchers apart."""
    shares = (np.arange(_NUM_MARKERS) + shift + 0.5 / _NUM_MARKERS) / _NUM_MARKERS
    places = np.unique((shares * len(curve.grid)).astype(int).clip(0, len(curve.grid) - 1))
    places = places[~np.isnan(curve.middle[places])]
    axes.plot(
        curve.grid[places], curve.middle[places], linestyle="none", marker=look.marker, ms=4.8,
        color=look.color, mec="white", mew=0.6, zorder=3,
    )  # fmt: skip


def _draw_band(axes: Axes, curve: Curve, look: Look) -> None:
    grid = np.append(curve.grid, curve.grid[-1] + _overhang(curve))
    low, high = np.append(curve.low, curve.low[-1]), np.append(curve.high, curve.high[-1])
    axes.fill_between(grid, low, high, step="post", color=look.color, alpha=0.2, lw=0)


def _overhang(curve: Curve) -> float:
    return 0.02 * float(curve.grid[-1])


def _scale_axes(axes: Axes, found: Mapping[str, Curve], sheet: CurveFigure, bands: bool) -> None:
    curve = next(iter(found.values()))
    if sheet.log_x:
        axes.set_xscale("log")
    axes.set_xlim(_start(found), curve.grid[-1] + _overhang(curve))
    if sheet.log_x:
        plain_log(axes.xaxis)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=curve.grid[-1] > 10))
    if curve.grid[-1] >= 1e4:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    low, high = _limits(found, sheet, bands)
    if sheet.log:
        axes.set_yscale("log")
    axes.set_ylim((high, low) if sheet.upside_down else (low, high))
    if sheet.log:
        plain_log(axes.yaxis)  # which looks at the limits


def _start(found: Mapping[str, Curve]) -> float:
    """Where the first searcher has a value on every seed."""
    return min(
        float(curve.grid[~np.isnan(curve.middle)][0])
        for curve in found.values()
        if not np.isnan(curve.middle).all()
    )


def _limits(found: Mapping[str, Curve], sheet: CurveFigure, bands: bool) -> tuple[float, float]:
    """The range of all lines, and of the bands if they are drawn: rising ones from above."""
    shown = [curve.middle for curve in found.values()]
    if bands:
        shown += [curve.high for curve in found.values()]
        shown += [curve.low for curve in found.values()] if sheet.full_range else []
    shown += [np.array([level.y]) for level in sheet.levels if level.is_limit]
    values = np.concatenate(shown)
    if sheet.log:
        values = values[values > 0]
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        floor = sheet.floor.y if sheet.floor else low
        return (min(low, floor) if floor > low / 4 else low) / 1.15, high * 1.15
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _labels(
    found: Mapping[str, Curve],
    style: Mapping[str, Look],
    sheet: CurveFigure,
    low: float,
    high: float,
) -> list[EndLabel]:
    names = sheet.names or {}
    labels = [
        EndLabel(names.get(name, name), float(curve.middle[curve.last]), style[name].color)
        for name, curve in found.items()
        if curve.last is not None and not sheet.legend
    ]
    levels = [*sheet.levels, *([sheet.floor] if sheet.floor else [])]
    labels += [
        EndLabel(level.name, level.y, MUTED, style="italic")
        for level in levels
        if low <= level.y <= high and not level.is_limit
    ]
    return labels


def _outside(sheet: CurveFigure, low: float, high: float) -> str:
    """Levels that the axis has no room for, in words."""
    levels = [level for level in sheet.levels if not level.is_limit]
    outside = [f"{level.name} {_short(level.y)}" for level in levels if not low <= level.y <= high]
    words = "Dotted lines in italics: reference patterns. "
    return (words if len(outside) < len(levels) else "") + (
        f"Reference patterns outside the axis: {', '.join(outside)}. " if outside else ""
    )


def _short(value: float) -> str:
    return f"{value:.4g}" if value < 1e4 else EngFormatter(places=1, sep="")(value)
