"""The same comparison run by this machine, by Ray and by Slurm: are the events the same?

40 runs: four searchers with ten seeds each, on a landscape with noise. Each launcher writes a
folder of its own; every event is compared, times aside. `different` counts the runs that are not
those of this machine. What is not there is left out: `ray`, and Slurm where `sinfo` does not
answer. A Slurm for the time of the measurement is started, as root, by

    PYTHONPATH=tests python -m one_node_slurm \
      python -m nasarena.experiments.measure.machines.launchers [--save] [--seeds=10]
"""

import importlib.util
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from nasarena.experiments.commands.one_comparison import run_missing
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.measure.machines.same_events import events_below
from nasarena.experiments.measure.record import read_option, record
from nasarena.experiments.settings.commands import compare_settings

_SETTINGS = (
    "searchers=[random,evolution,genetic,local-search]", "proxy=additive", "budget=trials",
    "budget.amount=40", "references=false", "name=same", "report=false",
)  # fmt: skip
_WORKERS = 2


def measure() -> None:
    """Measure, print, and keep if asked to."""
    seeds = read_option("seeds", 10)
    rows = []
    events: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for launcher in launchers_here():
            start = time.perf_counter()
            events[launcher] = run_by(launcher, seeds, Path(folder) / launcher)
            differ = sum(
                found != events["local"].get(run) for run, found in events[launcher].items()
            )
            rows.append(
                {
                    "launcher": launcher,
                    "runs": len(events[launcher]),
                    "events": sum(map(len, events[launcher].values())),
                    "different": differ,
                    "wall_s": time.perf_counter() - start,
                }
            )
    record(
        "launchers",
        rows,
        {"runs": min(row["runs"] for row in rows)}
        | {f"{row['launcher']}_different": row["different"] for row in rows},
        module="machines.launchers",
    )


def launchers_here() -> list[str]:
    """This machine, then what else is installed."""
    found = ["local"]
    if importlib.util.find_spec("ray"):
        found.append("ray")
    if importlib.util.find_spec("submitit") and shutil.which("sinfo"):
        asked = subprocess.run(["sinfo"], capture_output=True)
        found += ["slurm"] if asked.returncode == 0 else []
    return found


def run_by(launcher: str, seeds: int, folder: Path) -> dict[str, Any]:
    """The events of every run, times aside, by its path below the comparison."""
    config = compare_settings(
        [*_SETTINGS, f"seeds={seeds}", f"folder={folder}", f"launcher={launcher}"]
    )
    comparison = plan_comparison(config, "measure")
    console = Console(quiet=True)
    troubles = run_missing(
        comparison, "measure", console, _WORKERS, False, launcher=config.launcher
    )
    assert troubles == [], troubles
    return events_below(folder)


if __name__ == "__main__":
    measure()
