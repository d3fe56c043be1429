"""Whether a score means the same under another Python: `quick`, and the bare comparison's searches.

It runs under the interpreter in question, and its results are compared digit for digit with those
of `--reference`, another interpreter with the same versions of all packages. Ends with status 1
where anything differs.

    make test-python OTHER=python3.13
"""

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasarena.experiments.measure.environments.torch_version import (
    THIS as TORCH_VERSION,
)
from nasarena.experiments.measure.environments.torch_version import (
    largest_moves,
)
from nasarena.experiments.measure.faults.victim import timeless_events
from nasarena.experiments.measure.record import record
from nasarena.search.run_folder import Event, find_runs

# The bare comparison, all its searchers and references, on the first of its seeds.
COMPARE = ("compare", "seeds=2", "report=false", "name=bare")
Runs = Mapping[str, Sequence[Event]]  # what happened, by the run's folder


def measure() -> int:
    """Score and compare under both interpreters, print and keep what differs; the exit status."""
    reference = next(
        (text.partition("=")[2] for text in sys.argv[1:] if text.startswith("--reference=")), ""
    )
    if not reference:
        print("give --reference=PYTHON, an interpreter that has nasarena", file=sys.stderr)
        return 2
    moved = largest_moves(scores(sys.executable), scores(reference))
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (
            compare(one, Path(folder) / name)
            for one, name in ((sys.executable, "ours"), (reference, "theirs"))
        )
    rows = differences(ours, theirs)
    summary = {
        "python": platform.python_version(),
        "reference": version(reference),
        **moved,
        "runs": len(rows),
        "runs_identical": sum(row["identical"] for row in rows),
    }
    name = f"python-{platform.python_version()}"
    record(name, rows, summary, module="environments.python_version")
    return int(any(moved.values()) or summary["runs"] != summary["runs_identical"])


def differences(ours: Runs, theirs: Runs) -> list[dict[str, Any]]:
    """A row for each run of either: its trials, and whether all its events are the same."""
    return [
        {
            "run": run,
            "trials": sum(event["event"] == "settled" for event in ours.get(run, ())),
            "identical": ours.get(run) == theirs.get(run),
        }
        for run in sorted({*ours, *theirs})
    ]


def compare(interpreter: str, folder: Path) -> dict[str, list[Event]]:
    """The events of the bare comparison under an interpreter, with a cache of its own."""
    code = "from nasarena.experiments.commands.cli import main; raise SystemExit(main())"
    places = [f"folder={folder / 'runs'}", "cache=false"]
    subprocess.run([interpreter, "-c", code, *COMPARE, *places], check=True)
    runs = find_runs(folder / "runs")
    return {f"{run.parent.name}/{run.name}": timeless_events(run) for run in runs}


def scores(interpreter: str) -> dict[str, dict[str, float]]:
    """Scores of a dozen patterns on `quick` under an interpreter, by step and pattern."""
    code = f"import json; from {TORCH_VERSION} import scores; print(json.dumps(scores()))"
    found: dict[str, dict[str, float]] = json.loads(_last_line(interpreter, code))
    return found


def version(interpreter: str) -> str:
    """The version of an interpreter."""
    return _last_line(interpreter, "import platform; print(platform.python_version())")


def _last_line(interpreter: str, code: str) -> str:
    done = subprocess.run([interpreter, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


if __name__ == "__main__":
    sys.exit(measure())
