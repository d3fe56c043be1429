"""What a comparison comes to: the record that report.md and report.html are written from."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nasarena.figures.plots.figure_files import Source
from nasarena.figures.report.fairness import Point
from nasarena.figures.results.analysis import Analysis


@dataclass(frozen=True, slots=True)
class Drawing:
    """A saved figure: its title, and the paths of its files."""

    title: str
    png: Path
    svg: Path
    pdf: Path


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The analysis, the verdict in sentences, and the figures in the order they are shown."""

    analysis: Analysis
    verdict: list[str]
    fairness: list[Point]
    table: pd.DataFrame
    drawings: list[Drawing]
    source: Source
