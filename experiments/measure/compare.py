"""Bare `nasarena compare`, cold: no run folder and no cache from before.

`python -m nasarena.experiments.measure.compare [--save] [proxy=quick]`; with another proxy than the
bare one its name joins that of the measurement. Over landscapes it also counts who is
distinguishable from random search.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nasarena.experiments.commands.status import statuses
from nasarena.experiments.measure.record import record
from nasarena.figures.suite.results import MANIFEST, read_suite
from nasarena.search.run_config import BASELINE
from nasarena.search.run_folder import RunRecord, read_run


def main() -> None:
    """Measure and record."""
    settings = [word for word in sys.argv[1:] if not word.startswith("--")]
    proxies = [word.partition("=")[2] for word in settings if word.startswith("proxy=")]
    with tempfile.TemporaryDirectory() as folder:
        wall_s, exit_code = _run_compare(Path(folder), settings)
        rows, summary = summarize(Path(folder) / "runs")
        summary |= count_distinguishable(Path(folder) / "runs")
    if exit_code != (2 if summary["unfinished"] else 0):
        raise SystemExit(f"nasarena compare ended with exit code {exit_code}, as said above")
    summary = {"wall_s": wall_s, **summary}
    record("_".join(["compare", *proxies]), rows, summary, module="compare")


def summarize(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of the searchers whose runs are below `folder`, and what they come to.

    Of runs that finished; how many were planned and did not is counted.
    """
    found = statuses(folder)
    finished = [read_run(folder / run.path) for run in found if run.state == "finished"]
    searching = [run for run in finished if _name(run) != "references"]
    if not searching:
        raise SystemExit(f"no searcher finished a run, of {len(found)} planned: nothing to measure")
    names = sorted({_name(run) for run in searching})
    rows = [_row(name, [run for run in searching if _name(run) == name]) for name in names]
    return rows, {
        "searchers": len(names),
        "seeds": len({run.config["loop"]["seed"] for run in searching}),
        "trials": sum(row["trials"] for row in rows),
        "fewest_trials_of_a_run": min(row["fewest_trials"] for row in rows),
        "unfinished": len(found) - len(finished),
        "largest_rest_in_trials": max(row["largest_rest_in_trials"] for row in rows),
    }


def count_distinguishable(folder: Path) -> dict[str, Any]:
    """Searchers that Holm's test tells from random search over all landscapes and on each.

    Empty where no comparison in `folder` is one over landscapes.
    """
    suites = [path.parent for path in folder.glob(f"*/{MANIFEST}")]
    if not suites:
        return {}
    results = read_suite(suites[0])
    return {
        "blocks": results.num_blocks,
        "distinguishable": sum(pair.is_significant for pair in results.against[BASELINE]),
        "distinguishable_on": {
            landscape.name: sum(pair.is_significant for pair in against.values())
            for landscape, against in zip(results.landscapes, results.against_random, strict=True)
        },
    }


def _run_compare(folder: Path, settings: list[str]) -> tuple[float, int]:
    """Wall time and exit code of the command in an empty folder with an empty cache.

    Where runs fail the code is 2, and the others are there all the same.
    """
    code = "from nasarena.experiments.commands.cli import main; raise SystemExit(main())"
    start_s = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", code, "compare", *settings],
        cwd=folder,
        env={**os.environ, "NASARENA_CACHE": str(folder / "cache")},
    )
    return time.monotonic() - start_s, ended.returncode


def _name(run: RunRecord) -> str:
    return str(run.config["searcher"]["name"])


def _row(name: str, runs: list[RunRecord]) -> dict[str, Any]:
    """What one searcher did; what is left of a budget is told in trials, the dearest of the run."""
    trained, rests, searcher_s, training_s = list[int](), [], 0.0, 0.0
    for run in runs:
        trials = [trial for trial in run.trials() if trial.status in ("ok", "failed")]
        spent = run.events[-1]["spent"]
        trained.append(len(trials))
        dearest = max(trial.cost.flops for trial in trials)
        rests.append((run.config["budget"]["amount"] - spent) / dearest)
        for event in run.events:
            clock = event.get("measured", {})
            searcher_s += clock.get("ask_s", 0.0) + clock.get("tell_s", 0.0)
            training_s += clock.get("s", 0.0)
    return {
        "searcher": name,
        "runs": len(runs),
        "trials": sum(trained),
        "fewest_trials": min(trained),
        "largest_rest_in_trials": max(rests),
        "searcher_s": searcher_s,
        "training_s": training_s,
    }


if __name__ == "__main__":
    main()
