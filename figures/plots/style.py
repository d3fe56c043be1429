"""The house style: one set of fonts, lines and colours for every figure.

Twelve colours stay apart for colour-blind eyes too; no meaning hangs on colour alone. Every
searcher also has a dash and a marker, and among 48 any two of the three tell it apart; curves carry
their markers and are labelled where they end, and bars carry hatches, so that a figure printed in
grey still reads.
Figures are made without pyplot: no backend, no global state.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator, StrMethodFormatter
from scipy.optimize import isotonic_regression

from nasarena.figures.fonts.families import font_families
from nasarena.figures.stats.intervals import Floats
from nasarena.search.run_config import BASELINE

Dash = str | tuple[int, tuple[float, ...]]  # as matplotlib's `linestyle`: on and off in points

INK, MUTED, FAINT = "#222222", "#6b6b6b", "#d9d9d9"
# Six of seaborn's "colorblind" palette, then those farthest from all before, for a usual eye and
# for two kinds of colour-blind ones (tests/figures/test_grey.py).
_COLORS = (
    "#0173b2 #de8f05 #029e73 #d55e00 #cc78bc #56b4e9 #223399 #994400 #885577 #66bb88 #881111 "
    "#4488ee"
).split()
_DASHES: tuple[Dash, ...] = (
    "solid",
    (0, (4, 1.5)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
)
_MARKERS = "os^Dv<>phd*P"
# Which dash each colour begins with: those that share one then are apart in lightness and for
# colour-blind eyes, and no marker comes twice among the first twelve searchers.
_FIRST_DASHES = (0, 2, 0, 1, 1, 3, 0, 0, 1, 1, 1, 2)


@dataclass(frozen=True, slots=True)
class Look:
    """How one searcher is drawn in every figure of a comparison."""

    color: str
    dash: Dash
    marker: str


def looks(searchers: Sequence[str]) -> dict[str, Look]:
    """A distinct look for each searcher, up to 48 of them; random search is always dark grey."""
    others = [name for name in searchers if name != BASELINE]
    assigned = {name: _look(number) for number, name in enumerate(others)}
    if BASELINE in searchers:
        assigned[BASELINE] = Look("#444444", (0, (5, 1, 1, 1, 1, 1)), "X")
    return assigned


def _look(number: int) -> Look:
    """The next dash each time the colours come round, and the marker at the sum of both.

    So two searchers with the same colour differ in dash, thus in the sum; and with the same sum
    they differ in both.
    """
    lap, color = divmod(number, len(_COLORS))
    dash = (_FIRST_DASHES[color] + lap) % len(_DASHES)
    return Look(_COLORS[color], _DASHES[dash], _MARKERS[(color + dash) % len(_MARKERS)])


@contextmanager
def house_style() -> Iterator[None]:
    """Settings that hold while a figure is drawn; labels stay text-sized whatever the figure."""
    settings: Any = {
        **seaborn.axes_style("ticks"),
        "font.family": font_families(),  # they come with us: the same glyphs everywhere
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.titlelocation": "left",
        "axes.labelsize": 9,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.unicode_minus": False,  # numbers in words are written with the same sign
        "grid.color": "#ececec",
        "grid.linewidth": 0.8,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "hatch.linewidth": 0.6,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "text.color": INK,
        "text.parse_math": False,  # a name with a dollar sign is a name
    }
    with matplotlib.rc_context(settings):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches."""
    return Figure(figsize=(width, height), dpi=150, facecolor="white", layout="constrained")


def width_for(names: Sequence[str], base: float = 8.6) -> float:
    """Width of a figure that writes these names beside its axes, inches."""
    return base + 0.065 * max(0, max(map(len, names), default=0) - 16)


def shorten(name: str, limit: int) -> str:
    """A name that fits above a small panel; both ends stay, variants often differ at the end."""
    return name if len(name) <= limit else f"{name[: limit - 12]}...{name[-9:]}"


def headline(figure: Figure, title: str, detail: str, ground: str = "") -> None:
    """What the figure shows, where it comes from, and what must be known to read it.

    `ground` stands below the title, `detail` in small print below the figure.
    """
    lines = f"{title}\n " if ground else title  # the second line leaves the room
    written = figure.suptitle(lines, x=0.01, ha="left", fontsize=11, fontweight="bold")
    if ground:
        place: Any = written
        figure.add_artist(Annotation(ground, (0, 0), xycoords=place, va="bottom", fontsize=8,
                                     color=MUTED))  # fmt: skip
    letters_per_line = int(figure.get_figwidth() * 17)
    figure.supxlabel(fill(detail, letters_per_line), x=0.01, ha="left", fontsize=7.5, color=MUTED)


def plain_log(axis: Axis) -> None:
    """Ticks of a log axis as plain numbers, large ones as 1k or 1M; more where it spans little."""
    low, high = sorted(axis.get_view_interval())
    subs = (1.0, 2.0, 3.0, 5.0) if high < 100 * low else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(EngFormatter(sep="") if high > 1e4 else StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def nothing_to_show(title: str, reason: str) -> Figure:
    """A figure that says why it is empty."""
    with house_style():
        figure = new_figure(7, 2)
        axes = figure.subplots()
        axes.set_axis_off()
        text = axes.text(0, 0.5, fill(reason, 90), va="center", color=MUTED)
        text.set_in_layout(False)
        headline(figure, title, "")
    return figure


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> Floats:
    """Positions nearest to `wanted` (least squares) at least `gap` apart, within `low..high`.

    Order is kept. Where there is no room for all, they are spaced evenly, closer than `gap`.
    """
    count = len(wanted)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(count)
    free = isotonic_regression(np.asarray(wanted, dtype=np.float64)[order] - steps).x
    positions = np.empty(count)
    positions[order] = np.clip(free, low, high - steps[-1] if count else high) + steps
    return positions


@dataclass(frozen=True, slots=True)
class EndLabel:
    """A label for the right end of a line, or for a mark at `x`, to which its connector leads."""

    text: str
    y: float
    color: str
    x: float | None = None
    weight: str = "normal"
    style: str = "normal"


def label_ends(figure: Figure, axes: Axes, labels: Sequence[EndLabel], size: float = 8) -> None:
    """Write labels to the right of the axes, moved apart where they would touch.

    Call it last: it needs the final limits and height of the axes.
    """
    if not labels:
        return
    height_points = axes.get_window_extent().height / figure.dpi * 72
    gap = (size * 1.25) / height_points
    to_axes = axes.transData + axes.transAxes.inverted()  # whatever the scale and its direction
    middle = sum(axes.get_xlim()) / 2
    wanted = [float(to_axes.transform((middle, label.y))[1]) for label in labels]
    for label, at, position in zip(labels, wanted, spread(wanted, gap, 0.0, 1.0), strict=True):
        axes.annotate(
            label.text,
            xy=(1.0, at) if label.x is None else (label.x, label.y),
            xytext=(1.035, position),
            xycoords="axes fraction" if label.x is None else "data",
            textcoords="axes fraction",
            va="center",
            fontsize=size,
            color=label.color,
            fontweight=label.weight,
            fontstyle=label.style,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": label.color,
                "lw": 0.6,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),  # the connector meets the text at its left end
            },
        )


def legend_beside(axes: Axes, style: Mapping[str, Look], names: Mapping[str, str]) -> None:
    """A legend of searchers to the right of the axes; `names` are shown in place of their own."""
    lines = [
        axes.plot([], [], color=look.color, linestyle=look.dash, marker=look.marker, ms=4.8,
                  mec="white", mew=0.6, label=shorten(names.get(name, name), 30))[0]
        for name, look in style.items()
    ]  # fmt: skip
    axes.legend(handles=lines, loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=3.2)
