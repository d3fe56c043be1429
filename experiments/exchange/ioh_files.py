"""Runs in the format of IOHprofiler, which IOHanalyzer and IOHinspector load.

A folder for each searcher with a JSON file for each proxy, and beside it the evaluations of its
runs. `instance` is the seed. An evaluation is a full training that was charged, so duplicates from
the record and invalid proposals are none; neither is a partial training. The format has no word for
an evaluation that failed: it counts, and its line repeats the best score so far (where none came
before it, the lowest of the run).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nasarena.experiments.exchange.tracking import TrackedRun
from nasarena.search.run_folder import RunRecord
from nasarena.search.seeding import stable_hash
from nasarena.search.trial import Trial

_LARGEST_ID = 2**16  # of a function, in IOHinspector


@dataclass(slots=True)
class _Scenario:
    """The runs of one searcher on one proxy."""

    algorithm: str
    proxy: Mapping[str, Any]
    depth: int
    runs: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=lambda: ["evaluations raw_y"])


def write_ioh(records: Iterable[RunRecord], folder: Path) -> None:
    """Write every run that has a score; runs without one have no place in the format."""
    scenarios: dict[tuple[str, str, str, int], _Scenario] = {}
    for record in records:
        run, proxy = TrackedRun(record.path, record.header), record.config["proxy"]
        depth = int(record.config["space"].get("depth", 1))
        key = (run.searcher, str(proxy["name"]), str(proxy["version"]), depth)
        scenario = scenarios.setdefault(key, _Scenario(run.searcher, proxy, depth))
        _add_run(scenario, record)
    for scenario in scenarios.values():
        if scenario.runs:
            _write(scenario, folder)


def _add_run(scenario: _Scenario, record: RunRecord) -> None:
    evaluated = [
        trial
        for trial in record.trials()
        if trial.status in ("ok", "failed") and not trial.is_partial
    ]
    scores = [trial.score for trial in evaluated if trial.score is not None]
    if not scores:
        return
    best, best_at = min(scores), 0
    for number, trial in enumerate(evaluated, start=1):
        if trial.score is not None and (trial.score > best or not best_at):
            best, best_at = trial.score, number
        score = best if trial.score is None else trial.score
        scenario.lines.append(f"{number} {score:.10f}")
    scenario.runs.append(
        {
            "instance": record.config["loop"]["seed"],
            "evals": len(evaluated),
            "best": {"evals": best_at, "y": best, "x": _numbers(evaluated[best_at - 1], record)},
        }
    )


def _numbers(trial: Trial, record: RunRecord) -> list[int]:
    """A pattern as the places of its letters in the alphabet; nothing for another candidate."""
    alphabet = str(record.config["space"].get("alphabet", ""))
    return [alphabet.index(letter) for letter in trial.pattern] if alphabet else []


def _write(scenario: _Scenario, folder: Path) -> None:
    name, number = scenario.proxy["name"], _function_id(scenario.proxy)
    stem = f"f{number}_{name}"
    data = Path(f"data_{stem}") / f"IOHprofiler_{stem}_DIM{scenario.depth}.dat"
    own = folder / scenario.algorithm
    (own / data.parent).mkdir(parents=True, exist_ok=True)
    (own / data).write_text("\n".join(scenario.lines) + "\n")
    content = {
        "version": "0.3.5",
        "suite": "nasarena",
        "function_id": number,
        "function_name": name,
        "maximization": True,
        "algorithm": {"name": scenario.algorithm, "info": f"nasarena {version('nasarena')}"},
        "attributes": ["evaluations", "raw_y"],
        "scenarios": [
            {"dimension": scenario.depth, "path": str(data), "runs": scenario.runs},
        ],
    }
    file = own / f"IOHprofiler_{stem}_DIM{scenario.depth}.json"
    file.write_text(json.dumps(content, indent=1) + "\n")


def _function_id(proxy: Mapping[str, Any]) -> int:
    """The same for the same version of a proxy, in every comparison."""
    return 1 + stable_hash("ioh", str(proxy["name"]), str(proxy["version"])) % (_LARGEST_ID - 1)
