"""`laws.csv`: every number of the laws, their differences and the parabolas, with its interval."""

import pandas as pd

from nasarena.figures.results.scaling_study import ScalingStudy, pairs_of, parabola_interval
from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.scaling_intervals import DIFFERENCES, QUANTITIES

COLUMNS = ("fit", "label", "less", "quantity", "estimate", "low", "high")


def laws_table(study: ScalingStudy) -> pd.DataFrame:
    """A row for each number; `less` names the architecture that is subtracted, empty for none."""
    rows: list[tuple[object, ...]] = []
    if study.laws is not None:
        laws, names = study.laws, study.laws.laws.names
        for number, name in enumerate(names):
            for quantity in QUANTITIES:
                rows.append(("law", name, "", quantity, *_cells(laws.of(quantity, number))))
        for first, second in pairs_of(laws):
            for quantity in DIFFERENCES:
                found = laws.difference(quantity, first, second)
                rows.append(("law", names[first], names[second], quantity, *_cells(found)))
    for label, frontier in study.parabolas.items():
        for place, quantity in enumerate(("allocation", "slope")):
            rows.append(
                ("parabolas", label, "", quantity, *_cells(parabola_interval(frontier, place)))
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _cells(found: Interval) -> tuple[float, float, float]:
    return found.estimate, found.low, found.high
