"""From a pattern found on small models to one as deep or as large as wanted.

Composer (arXiv 2510.00379, section 3.4): `stretch` makes every run s times longer, rounded up,
(p, h) to (p, ceil(s h)); `stack` repeats the whole pattern floor(s) times and ends with one more
copy, stretched by the remainder s - floor(s). With s = M / m, both sizes in parameters of layers at
the target's widths, that gives the 27 and 29 layers that were printed (tests/experiments/
test_extrapolate.py). As every run is rounded up, the result is rather above the size asked for.

A depth is reached exactly or refused, by the factor that gives so many layers.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby
from math import ceil
from typing import Literal

from nasarena.experiments.scaling.sizes import count_parameters
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.search.errors import InvalidSetting
from nasarena.search.notation import run_lengths

Extrapolation = Literal["stretch", "stack"]


def stretch(pattern: str, factor: Fraction) -> str:
    """Every run `factor` times as long, rounded up; below 1 no run goes."""
    return "".join(letter * ceil(factor * length) for letter, length in _runs(pattern))


def stack(pattern: str, factor: Fraction) -> str:
    """As many whole copies as `factor` has, and a copy stretched by what is left of it."""
    copies = int(factor)
    rest = factor - copies
    return pattern * copies + (stretch(pattern, rest) if rest else "")


def extrapolate_to_parameters(
    pattern: str, rule: Extrapolation, shape: ScaledShape, parameters: int
) -> str:
    """The pattern at `parameters` in the projections of its layers, or somewhat more.

    Raises InvalidSetting for fewer than it has at these widths as it is, and for a letter without a
    layer at scale.
    """
    own = count_parameters(pattern, shape, "layers")
    if parameters < own:
        raise InvalidSetting(
            f"{run_lengths(pattern)} has {own / 1e6:,.1f} million parameters in its layers at "
            f"width {shape.width}, so no {rule} reaches {parameters / 1e6:,.1f} million; ask for "
            f"a larger size, or take smaller widths"
        )
    return (stretch if rule == "stretch" else stack)(pattern, Fraction(parameters, own))


def extrapolate_to_depth(pattern: str, rule: Extrapolation, depth: int) -> str:
    """The pattern with exactly `depth` layers.

    Raises InvalidSetting where it has more, or where runs would have to grow unequally.
    """
    if depth < len(pattern):
        raise InvalidSetting(
            f"{run_lengths(pattern)} has {len(pattern)} layers, so no {rule} has {depth}"
        )
    copies, rest = (0, depth) if rule == "stretch" else divmod(depth, len(pattern))
    if not rest:
        return pattern * copies
    lengths = [length for _, length in _runs(pattern)]
    factors = _factors(lengths, ceil(Fraction(depth, len(pattern))))
    reached = {_depth(lengths, factor): factor for factor in factors}
    if rest not in reached:
        below = max((found for found in reached if found < rest), default=0)
        above = min(found for found in reached if found > rest)
        near = [found + copies * len(pattern) for found in (below, above)]
        raise InvalidSetting(
            f"no {rule} of {run_lengths(pattern)} has {depth} layers, for every run grows by the "
            f"same factor; the nearest are {near[0]} and {near[1]}"
        )
    return pattern * copies + stretch(pattern, reached[rest])


def _factors(lengths: Sequence[int], highest: int) -> list[Fraction]:
    """All factors up to `highest` at which some run becomes a layer longer, rising."""
    return sorted(
        {Fraction(i, length) for length in lengths for i in range(1, highest * length + 1)}
    )


def _depth(lengths: Sequence[int], factor: Fraction) -> int:
    return sum(ceil(factor * length) for length in lengths)


def _runs(pattern: str) -> list[tuple[str, int]]:
    return [(letter, len(list(run))) for letter, run in groupby(pattern)]
