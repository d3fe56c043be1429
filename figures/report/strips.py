"""Strips: an interval and one tick per seed on a common scale, drawn beside a row of a table.

Positions are percentages of the strip's width, so that the page scales them to any screen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from nasarena.figures.results.analysis import Analysis
from nasarena.figures.stats.intervals import Interval

_MARGIN = 0.03  # of the range, so that no tick sits on the edge


@dataclass(frozen=True, slots=True)
class Strip:
    """One row: where the estimate, the limits and the seeds lie, in percent; limits may be None."""

    estimate: float
    low: float | None
    high: float | None
    seeds: list[float]


@dataclass(frozen=True, slots=True)
class Strips:
    """The rows by name, the values at both ends, and where zero lies, if it is on the scale."""

    rows: Mapping[str, Strip]
    first: float
    last: float
    zero: float | None


def score_strips(analysis: Analysis) -> Strips:
    """The score that decides, for each searcher."""
    standing = analysis.standings
    return _strips(
        {
            place.searcher: (place.score, standing.scores[place.searcher])
            for place in standing.places
        }
    )


def curse_strips(analysis: Analysis) -> Strips:
    """The winner's curse: search score less re-trained score of the same patterns, by seed."""
    standing = analysis.standings
    if not standing.is_final:
        return _strips({})
    searched = analysis.tables.by_seed("search_of_finals")
    gaps = {
        name: [before - after for before, after in zip(searched[name], scores, strict=True)]
        for name, scores in standing.scores.items()
    }
    rows = {place.searcher: (place.gap, gaps[place.searcher]) for place in standing.places}
    return _strips(rows, with_zero=True)


def _strips(
    rows: Mapping[str, tuple[Interval, Sequence[float]]], with_zero: bool = False
) -> Strips:
    values = [
        value
        for interval, seeds in rows.values()
        for value in (interval.estimate, interval.low, interval.high, *seeds)
        if isfinite(value)
    ]
    values += [0.0] if with_zero or not values else []
    margin = _MARGIN * ((max(values) - min(values)) or 1.0)
    first, last = min(values) - margin, max(values) + margin

    def place(value: float) -> float:
        return round(100 * (value - first) / (last - first), 2)

    def limit(value: float) -> float | None:
        return place(value) if isfinite(value) else None

    return Strips(
        {
            name: Strip(
                place(interval.estimate),
                limit(interval.low),
                limit(interval.high),
                [place(value) for value in seeds if isfinite(value)],
            )
            for name, (interval, seeds) in rows.items()
        },
        first,
        last,
        place(0.0) if first <= 0 <= last else None,
    )
