"""Figures in grey and for colour-blind eyes: dash, marker and lightness tell searchers apart."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import seaborn
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from nasarena.figures.plots import anytime
from nasarena.figures.plots.budget import PARTS, WASTE
from nasarena.figures.plots.heatmap import COLORS
from nasarena.figures.plots.panels import CurveFigure, draw_curves
from nasarena.figures.plots.style import looks
from nasarena.figures.results.analysis import analyze
from nasarena.figures.stats.curves import Curve
from nasarena.figures.stats.intervals import Floats
from nasarena.search.run_config import BASELINE

NAMES = [f"searcher {number:02d}" for number in range(48)]
# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
SIGHTS = {
    "usual": np.eye(3),
    "deuteranopia": np.array(
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    ),
    "protanopia": np.array(
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    ),
}


def linear_rgb(color: object) -> Floats:
    channels = np.array(to_rgb(color))  # type: ignore[arg-type]
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(linear: Floats) -> Floats:
    """Ottosson 2020: a space in which distances are about as large as they look."""
    cones = [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]
    axes = [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    seen: Floats = np.array(axes) @ np.cbrt(np.array(cones) @ linear)
    return seen


def lightness(color: object) -> float:
    """CIE L* of a colour, 0 black to 100 white: what is left of it in grey."""
    luminance = float(linear_rgb(color) @ [0.2126, 0.7152, 0.0722])
    return 116 * np.cbrt(luminance) - 16 if luminance > 0.008856 else 903.3 * luminance


def test_lightness_of_known_colours() -> None:
    assert lightness("white") == pytest.approx(100, abs=0.01) and lightness("black") == 0
    assert lightness("#777777") == pytest.approx(50.03, abs=0.1)


def test_oklab_of_known_colours() -> None:
    assert oklab(linear_rgb("white")) == pytest.approx([1, 0, 0], abs=0.002)
    assert oklab(linear_rgb("#ff0000")) == pytest.approx([0.628, 0.225, 0.126], abs=0.002)


@pytest.mark.parametrize("sight", SIGHTS)
def test_twelve_searchers_have_colours_that_any_eye_tells_apart(sight: str) -> None:
    colors = [look.color for look in looks([*NAMES[:12], BASELINE]).values()]
    seen = [oklab(np.clip(SIGHTS[sight] @ linear_rgb(color), 0, 1)) for color in colors]
    distances = [np.linalg.norm(a - b) for a, b in combinations(seen, 2)]
    assert len(set(colors)) == 13 and min(distances) > 0.06


@pytest.mark.parametrize("sight", SIGHTS)
def test_who_shares_a_dash_has_a_colour_of_another_look(sight: str) -> None:
    for one, other in combinations(looks(NAMES[:12]).values(), 2):
        first, second = (
            oklab(np.clip(SIGHTS[sight] @ linear_rgb(look.color), 0, 1)) for look in (one, other)
        )
        assert one.dash != other.dash or np.linalg.norm(first - second) > 0.09


def test_the_first_twelve_have_a_marker_each() -> None:
    assert len({look.marker for look in looks([*NAMES[:12], BASELINE]).values()}) == 13


def test_random_search_has_a_dash_of_its_own() -> None:
    found = looks([*NAMES, BASELINE])
    assert found[BASELINE].dash not in {found[name].dash for name in NAMES}


def test_searchers_that_share_a_dash_differ_in_marker_and_lightness() -> None:
    """The first twelve beside random search, which is more than most comparisons have."""
    found = list(looks([*NAMES[:12], BASELINE]).values())
    for number, look in enumerate(found):
        for other in found[number + 1 :]:
            if look.dash == other.dash:
                assert look.marker != other.marker
                assert abs(lightness(look.color) - lightness(other.color)) > 3.5


def test_every_colour_stands_out_from_white() -> None:
    assert all(lightness(look.color) < 72 for look in looks([*NAMES, BASELINE]).values())


def test_curves_carry_markers_that_tell_them_apart() -> None:
    names = [*NAMES[:12], BASELINE]
    grid = np.arange(1, 31, dtype=float)
    found = {name: Curve(grid, *[np.sqrt(grid) + number] * 3) for number, name in enumerate(names)}
    found[names[0]].middle[:10] = np.nan  # begins late: no marker where there is no line
    axes = draw_curves(found, CurveFigure("title", "detail", "x", "y", "panel")).axes[0]
    marked = [line for line in axes.lines if line.get_marker() not in ("None", None, "")]
    looks_of = [(line.get_marker(), line.get_color()) for line in marked]
    assert len(marked) == len(names) == len(set(looks_of))
    assert all(2 <= len(np.asarray(line.get_xdata())) <= 4 for line in marked)
    late = marked[0]
    assert np.asarray(late.get_xdata()).min() > 10
    assert len({float(np.asarray(line.get_xdata())[-1]) for line in marked}) > 5  # spread out
    for line in marked:  # on the line of its searcher
        number = names.index(next(n for n in names if looks(names)[n].marker == line.get_marker()
                                  and looks(names)[n].color == line.get_color()))  # fmt: skip
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        assert y == pytest.approx(np.sqrt(x) + number)


def test_a_drawn_comparison_reads_in_grey(comparison: Path) -> None:
    figure = anytime.draw(analyze(comparison))
    lines = [line for line in figure.axes[0].lines if isinstance(line, Line2D)]
    dashes = {line.get_linestyle() for line in lines if line.get_marker() in ("None", "")}
    markers = {line.get_marker() for line in lines} - {"None", ""}
    assert len(markers) == 3 and len(dashes) >= 2


def test_stacked_bars_differ_in_lightness_or_hatch() -> None:
    parts = [*PARTS.values()]
    waste = [(color, hatch) for _, color, hatch in WASTE.values()]
    for stack in (parts, waste):
        for (color, hatch), (other, other_hatch) in zip(stack, stack[1:], strict=False):
            assert hatch != other_hatch or abs(lightness(color) - lightness(other)) > 20


def test_shares_get_darker_on_both_sides_of_chance() -> None:
    steps = [lightness(color) for color in seaborn.color_palette(COLORS, 13)]
    assert all(np.diff(steps[:7]) > 2) and all(np.diff(steps[6:]) < -2)
