"""A small comparison as a launcher runs it, and the events that it leaves, times aside."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasarena.experiments.commands.one_comparison import run_missing
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.run_spec import RunSpec
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.pool import Report
from nasarena.experiments.measure.machines.same_events import events_below
from nasarena.experiments.settings.commands import compare_settings

Events = dict[str, list[dict[str, Any]]]


def small_cells(folder: Path, seeds: int = 1) -> list[RunSpec]:
    """Runs of a few trials each on a landscape that is a formula."""
    return plan_comparison(compare_settings(_settings(folder, seeds)), "test").cells


def _settings(folder: Path, seeds: int) -> list[str]:
    return [
        "proxy=additive", "searchers=[evolution]", f"seeds={seeds}", "budget=trials",
        "budget.amount=8", "references=false", "name=small", f"folder={folder}",
    ]  # fmt: skip


def launch(folder: Path, launcher: str, seeds: int = 1) -> Events:
    """Run them; the events by the folder of each run. Raises AssertionError if one did not end."""
    config = compare_settings([*_settings(folder, seeds), f"launcher={launcher}"])
    comparison = plan_comparison(config, "test")
    troubles = run_missing(comparison, "test", make_console(), 2, False, launcher=config.launcher)
    assert troubles == []
    return events_below(folder)


@dataclass(frozen=True)
class Die:
    """The process of its task, or with `is_job` the job around it too."""

    is_job: bool

    def __call__(self, report: Report) -> None:
        if self.is_job:  # grandparent: the server that forked this process stands between
            status = Path(f"/proc/{os.getppid()}/status").read_text()
            parent = next(line for line in status.splitlines() if line.startswith("PPid"))
            os.kill(int(parent.split()[1]), signal.SIGKILL)
            signal.pause()
        os.kill(os.getpid(), signal.SIGKILL)
