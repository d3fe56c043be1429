"""What the functions of `import nasarena` return: results that a notebook shows as they are.

A comparison is read once, and what is dear is worked out or drawn when it is asked for.
"""

import sys
from collections.abc import Sequence
from functools import cached_property
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from nasarena.experiments.commands.conformance import Finding
from nasarena.experiments.comparison.plan import read_plan
from nasarena.experiments.execution.parallel_drawing import draw_by_all_cores
from nasarena.figures.comparison import write_all
from nasarena.figures.plots.gallery import gallery
from nasarena.figures.report.table import standings_table
from nasarena.figures.report.verdict import verdict
from nasarena.figures.results.analysis import Analysis, analyze
from nasarena.figures.results.tables import Tables, read_tables
from nasarena.search.errors import InvalidSetting
from nasarena.search.fidelity import comparable
from nasarena.search.incumbent import best_first
from nasarena.search.run_folder import read_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Columns of the standings that a person looks at first.
_SHOWN = {
    "rank": "rank",
    "name": "searcher",
    "score": "final score",
    "score_low": "from",
    "score_high": "to",
    "search_score": "search score",
    "trials": "trials",
    "failed": "failed",
}


class Comparison:
    """A comparison in a folder. `failures` are the runs of this call that did not finish.

    Raises NasArenaError for a folder without runs, or with runs that cannot be compared.
    """

    def __init__(
        self, folder: str | Path, command: str | None = None, failures: Sequence[str] = ()
    ) -> None:
        self.folder = Path(folder).absolute()
        self.failures = list(failures)
        self._analysis: Analysis = analyze(self.folder)
        self._command = command or read_plan(self.folder)["command"] or "nasarena.load"

    @property
    def table(self) -> pd.DataFrame:
        """The standings: a row per searcher by rank, per reference pattern, per excluded run."""
        return self._table.copy()

    @property
    def runs(self) -> pd.DataFrame:
        """One row per searcher and seed: scores, counts, seconds, why it ended."""
        return self._analysis.tables.runs.copy()

    @property
    def trials(self) -> pd.DataFrame:
        """One row per trial, with what was spent and the best score so far."""
        return self._analysis.tables.trials.copy()

    @property
    def finals(self) -> pd.DataFrame:
        """One row per re-training of a run's best patterns."""
        return self._analysis.tables.finals.copy()

    @property
    def verdict(self) -> list[str]:
        """What is concluded, in sentences, the most important first."""
        return list(self._verdict)

    @property
    def plots(self) -> list[str]:
        """The names that `plot` knows here."""
        return [spec.name for spec in gallery(self._analysis)]

    def plot(self, name: str = "ranking") -> "Figure":
        """A figure by its name. Raises InvalidSetting for one that is not there."""
        from nasarena.search.errors import nearest

        for spec in gallery(self._analysis):
            if spec.name == name:
                show_figures_in_notebooks()
                return spec.draw(self._analysis)
        raise InvalidSetting(f"no figure is called {name!r}; {nearest(name, self.plots)}")

    def report(self) -> Path:
        """Draw all figures, write report.html, and say where it is."""
        self.write(figures=True)
        return self.folder / "report.html"

    def write(self, figures: bool = False) -> None:
        """Write `table.csv` and `report.md` into the folder, with `figures` all of it."""
        write_all(
            self.folder,
            self._command,
            draws=figures,
            drawer=draw_by_all_cores,
            analysis=self._analysis,
        )

    @cached_property
    def _table(self) -> pd.DataFrame:
        return standings_table(self._analysis)

    @cached_property
    def _verdict(self) -> list[str]:
        return verdict(self._analysis)

    def _standings(self) -> pd.DataFrame:
        table = self.table
        ranked = table.loc[table["kind"] == "searcher", list(_SHOWN)].astype({"rank": int})
        for name in ("trials", "failed"):
            ranked[name] = ranked[name].map("{:.1f}".format)  # means over the runs
        return ranked.rename(columns=_SHOWN)

    def __repr__(self) -> str:
        table = self._standings().to_string(index=False, float_format="{:.4f}".format)
        return f"Comparison in {self.folder}\n{table}\n{self.verdict[0]}"

    def _repr_html_(self) -> str:
        table = self._standings().to_html(index=False, border=0, float_format="{:.4f}".format)
        first, *others = map(escape, self.verdict)
        more = "".join(f"<li>{sentence}</li>" for sentence in others)
        return (
            f"{table}<p><b>{first}</b></p><details><summary>{len(others)} more sentences, "
            f"in <code>{escape(str(self.folder))}</code></summary><ul>{more}</ul></details>"
        )


class Best(NamedTuple):
    """A pattern and its score."""

    pattern: str
    score: float


class Run:
    """One run in its folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()

    @cached_property
    def best(self) -> Best | None:
        """The pattern with the best search score; None where nothing was scored."""
        for trial in best_first(comparable(read_run(self.folder).trials())):
            assert trial.score is not None
            return Best(trial.pattern, trial.score)
        return None

    @property
    def trials(self) -> pd.DataFrame:
        """One row per trial, with what was spent and the best score so far."""
        return self._tables.trials.copy()

    @property
    def finals(self) -> pd.DataFrame:
        """One row per re-training of the best patterns, on held-out data."""
        return self._tables.finals.copy()

    @cached_property
    def _tables(self) -> Tables:
        return read_tables(self.folder)

    def __repr__(self) -> str:
        best = f"best {self.best.score:.4f}: {self.best.pattern}" if self.best else "no score"
        return f"Run in {self.folder}: {len(self.trials)} trials, {best}"


class Check:
    """What the conformance kit found about a searcher; `folder` holds its runs beside others'."""

    def __init__(self, searcher: str, points: Sequence[Finding], folder: Path | None) -> None:
        self.searcher, self.points, self.folder = searcher, list(points), folder

    @property
    def passed(self) -> bool:
        """Whether every question was answered well."""
        return all(point.passed for point in self.points)

    @property
    def table(self) -> pd.DataFrame:
        """One row per question."""
        rows = [(point.question, point.passed, point.words) for point in self.points]
        return pd.DataFrame(rows, columns=["question", "passed", "words"])

    def __repr__(self) -> str:
        lines = [
            f"{'ok  ' if point.passed else 'FAIL'} {point.question:26}{point.words}"
            for point in self.points
        ]
        return "\n".join([f"Check of {self.searcher}", *lines])

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, border=0))


def show_figures_in_notebooks() -> None:
    """Have IPython show a figure that is the value of a cell; only pyplot would ask for it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        import_module("IPython.core.pylabtools").select_figure_formats(shell, {"png"})
