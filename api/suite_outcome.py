"""A comparison over several landscapes, as `import nasarena` returns it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nasarena.figures.suite.report import FIGURES, write_suite
from nasarena.figures.suite.results import Landscape, SuiteResults, read_manifest, read_suite
from nasarena.figures.suite.table import ALL, suite_table
from nasarena.figures.suite.verdict import verdict
from nasarena.outcome import Comparison, show_figures_in_notebooks
from nasarena.search.errors import InvalidSetting, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Columns of the table that a person looks at first.
_SHOWN = {
    "rank": "rank",
    "name": "searcher",
    "regret": "normalized regret",
    "regret_low": "from",
    "regret_high": "to",
    "p_vs_random": "p vs random",
}


class Suite:
    """The comparisons on several landscapes in a folder, and one verdict over all of them.

    `failures` are the runs of this call that did not finish; `known` landscapes are not read again.
    Raises NasArenaError for a folder that
    is no suite, or where no searcher finished on every landscape.
    """

    def __init__(
        self,
        folder: str | Path,
        command: str | None = None,
        failures: Sequence[str] = (),
        known: Sequence[Landscape] = (),
    ) -> None:
        self.folder = Path(folder).absolute()
        self.failures = list(failures)
        self._results: SuiteResults = read_suite(self.folder, known)
        self._command = command or read_manifest(self.folder).command

    @property
    def table(self) -> pd.DataFrame:
        """A row per searcher over all landscapes (`landscape` is "all"), then on each of them."""
        return suite_table(self._results)

    @property
    def verdict(self) -> list[str]:
        """What is concluded, in sentences, the most important first."""
        return verdict(self._results)

    @cached_property
    def landscapes(self) -> Mapping[str, Comparison]:
        """The comparison on each landscape, with its runs and trials."""
        names = [each.name for each in self._results.landscapes]
        return {name: Comparison(self.folder / name) for name in names}

    @property
    def plots(self) -> list[str]:
        """The names that `plot` knows here."""
        return [name for name, _, _ in FIGURES]

    def plot(self, name: str = "ranking") -> "Figure":
        """A figure by its name. Raises InvalidSetting for one that is not there."""
        for known, _, draw in FIGURES:
            if known == name:
                show_figures_in_notebooks()
                return draw(self._results)
        raise InvalidSetting(f"no figure is called {name!r}; {nearest(name, self.plots)}")

    def report(self) -> Path:
        """Draw all figures, write report.html, and say where it is."""
        self.write(figures=True)
        return self.folder / "report.html"

    def write(self, figures: bool = False) -> None:
        """Write `table.csv` and `report.md` into the folder, with `figures` all of it."""
        write_suite(self.folder, self._results, self._command, figures)

    def _standings(self) -> pd.DataFrame:
        table = self.table
        return table.loc[table["landscape"] == ALL, list(_SHOWN)].rename(columns=_SHOWN)

    def __repr__(self) -> str:
        table = self._standings().to_string(index=False, float_format="{:.3g}".format)
        return f"Suite in {self.folder}\n{table}\n{self.verdict[0]}"

    def _repr_html_(self) -> str:
        table = self._standings().to_html(index=False, border=0, float_format="{:.3g}".format)
        sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.verdict)
        return f"{table}<ul>{sentences}</ul>"
