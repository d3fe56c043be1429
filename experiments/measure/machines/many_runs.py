"""2,000 runs in one comparison: how large its report is, and how long it takes to write and open.

The runs are real ones of a short search on a landscape that is a formula: ten searchers' worth of
labels, 200 seeds each. `write_s` is table, report and figures together; `ready_s`, `filter_ms` and
`sort_ms` are those of `measure.report`.

    python -m nasarena.experiments.measure.machines.many_runs [--save] [--runs=2000]
"""

import tempfile
import time
from pathlib import Path

from rich.console import Console

from nasarena.experiments.commands.one_comparison import run_missing, write_conclusion
from nasarena.experiments.comparison.plan import Comparison, plan_comparison
from nasarena.experiments.measure.record import read_option, record
from nasarena.experiments.measure.report import time_page
from nasarena.experiments.settings.commands import compare_settings

_LABELS = 10
_POPULATIONS = range(3, 3 + _LABELS)


def measure() -> None:
    """Measure, print, and keep if asked to."""
    num_runs = read_option("runs", 2000)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        comparison = run_all(Path(folder), num_runs // _LABELS)
        run_s = time.perf_counter() - start
        start = time.perf_counter()
        write_conclusion(comparison, "measure", draws=True)
        write_s = time.perf_counter() - start
        report = comparison.folder / "report.html"
        row = {
            "runs": len(comparison.cells),
            "run_s": run_s,
            "write_s": write_s,
            "report_mb": report.stat().st_size / 1e6,
            **time_page(report),
        }
    record(
        "many_runs",
        [row],
        {key: row[key] for key in row if key != "run_s"},
        module="machines.many_runs",
    )


def run_all(folder: Path, seeds: int) -> Comparison:
    """Short runs of evolution with ten sizes of population, `seeds` each."""
    searchers = ",".join(
        f"{{name:evolution,options:{{population:{n},tournament:2}},label:evolution-{n}}}"
        for n in _POPULATIONS
    )
    config = compare_settings(
        [
            f"searchers=[{searchers}]", f"seeds={seeds}", "proxy=additive", "budget=trials",
            "budget.amount=24", "references=false", "name=many", f"folder={folder}",
        ]
    )  # fmt: skip
    comparison = plan_comparison(config, "measure")
    troubles = run_missing(comparison, "measure", Console(quiet=True), None, False)
    assert troubles == [], troubles[:3]
    return comparison


if __name__ == "__main__":
    measure()
