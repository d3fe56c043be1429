"""Agents: a random model through a real vLLM, one server shared by many runs, and the embedded one.

A model of random weights proposes 25 patterns in each of 8 runs that share one server, after one
run has had the server to itself. It knows nothing, so well-formed proposals are the doing of
constraints and repair. Throughput counts trials from the start of the first run to the end of the
last. Then the server is stopped and all 8 runs are replayed from their records. Where vLLM is not
installed this part is left out and said so. The other part is `measure.embedded`.

`python -m nasarena.experiments.measure.agents [--save]`
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server import VllmServer, vllm_python
from nasarena.agents.llm.server_command import ServerSettings
from nasarena.agents.llm.tiny_model import make_tiny_model
from nasarena.experiments.commands.one_comparison import run_missing
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.measure import embedded
from nasarena.experiments.measure.record import record
from nasarena.experiments.settings.commands import compare_settings
from nasarena.figures.results.proposal_shares import proposal_shares
from nasarena.search.machine import cache_folder
from nasarena.search.run_folder import RunRecord, drop_measurements, find_runs, read_run

NUM_RUNS, NUM_TRIALS = 8, 25
SETTINGS = ("proxy=additive", "budget=trials", "loop.initial_design=0", "references=false")
MANY, ALONE, AGAIN = "eight runs", "one run", "eight runs again"


def measure() -> None:
    """Run, print, and keep if asked to."""
    rows, summary = embedded.measure_regrets()
    try:
        vllm_python()
    except VllmFailed as error:
        print(f"left out, the runs on a server: {error}")
    else:
        with tempfile.TemporaryDirectory() as folder:
            served_rows, served_summary = measure_on_server(Path(folder))
        rows, summary = [*served_rows, *rows], {**served_summary, **summary}
    record("agents", rows, summary)


def measure_on_server(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row for each comparison that had a server, and the summary of all."""
    make_tiny_model(folder / "model", context=4096)
    settings = ServerSettings(model=str(folder / "model"))
    with VllmServer(settings, folder / "server", cache_folder() / "vllm") as server:
        address = f"llm.base_url={server.base_url}"
        alone = run_all(folder, ALONE, 1, "first_seed=100", address)
        many = run_all(folder, MANY, NUM_RUNS, address)
    again = run_all(folder, AGAIN, NUM_RUNS, "llm=replay", f"llm.record={folder / MANY}")
    trials = [trial for run in many for trial in run.trials()]
    rows = [row(name, runs) for name, runs in ((ALONE, alone), (MANY, many))]
    summary = {
        **proposal_shares(trials),
        "server_speedup_8": rows[1]["trials_per_s"] / rows[0]["trials_per_s"],
        "replays_identical": sum(map(is_same, many, again)),
    }
    return rows, summary


def run_all(
    folder: Path, name: str, num_runs: int, *arguments: str, num_trials: int = NUM_TRIALS
) -> list[RunRecord]:
    """The greedy agent on `num_runs` seeds, each in a process of its own, to the end."""
    amount = (f"budget.amount={num_trials}", f"seeds={num_runs}", f"workers={num_runs}")
    place = (f"name={name}", f"folder={folder}", "searchers=[agent-greedy]")
    config = compare_settings([*SETTINGS, *amount, *place, *arguments])
    console = Console(quiet=True)
    with with_model(plan_comparison(config, "measure"), config, console) as comparison:
        troubles = run_missing(comparison, "measure", console, config.workers, False)
    if troubles:
        raise RuntimeError(f"{name} did not finish: {troubles[0].trouble}")
    return [read_run(path) for path in find_runs(folder / name)]


def row(name: str, runs: Sequence[RunRecord]) -> dict[str, Any]:
    """How fast a comparison went; its trials and calls."""
    # A run folder is made when its process is ready, and written to last when the run ends.
    start_s = min((run.path / "run.json").stat().st_mtime for run in runs)
    end_s = max((run.path / "events.jsonl").stat().st_mtime for run in runs)
    wall_s = end_s - start_s
    llm = [run.events[-1]["llm"] for run in runs]
    num_trials = sum(len(run.trials()) for run in runs)
    return {
        "comparison": name,
        "trials": num_trials,
        "llm_calls": sum(one["calls"] for one in llm),
        "wall_s": wall_s,
        "trials_per_s": num_trials / wall_s,
        "completion_tokens_per_s": sum(one["completion_tokens"] for one in llm) / wall_s,
    }


def is_same(one: RunRecord, other: RunRecord) -> bool:
    """Whether two runs agree in everything but times."""
    return drop_measurements(one.events) == drop_measurements(other.events)


if __name__ == "__main__":
    measure()
