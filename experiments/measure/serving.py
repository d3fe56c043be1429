"""How fast a server answers agents: 1, 8 and 16 runs at once, each a real run of a real agent.

A server is started for `--model` (default smollm2-135m), or one that runs already is named by
`--base-url`. Each run has `--trials` trials (default 6) of `agent-sequential` on a landscape, after
four random ones, so prompts grow and begin alike, as in a comparison. One run before all others is
not counted: it fills the prefix cache with what all prompts share. Tokens are counted from the
start of the first run to the end of the last. Words with an equals sign are settings of the
comparisons, as `llm.timeout_s=600`.

Each number of runs is measured in one go and kept in `runs/serving-<name>/rows.json`; the same
command goes on with those that are missing. `--afresh` begins anew.

    python -m nasarena.experiments.measure.serving --save [--model=NAME] [--trials=6]
    python -m nasarena.experiments.measure.serving --save --base-url=http://127.0.0.1:8080/v1
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.agents.llm.constraint_probe import connect
from nasarena.agents.llm.endpoint import Endpoint, LlmSettings
from nasarena.agents.llm.server import VllmServer
from nasarena.agents.llm.server_command import ServerSettings
from nasarena.agents.llm.store import EVENT
from nasarena.experiments.comparison.served_model import ready_model, start_server
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.measure.agents import row, run_all
from nasarena.experiments.measure.record import read_option, read_text, record
from nasarena.figures.results.proposal_shares import proposal_shares
from nasarena.search.machine import cache_folder
from nasarena.search.run_folder import RunRecord

NUMBERS_OF_RUNS = (1, 8, 16)
NUM_TRIALS = 6
_DESIGN = 4  # random trials before the first proposal
_AGENT = "searchers=[agent-sequential]"
_PATIENCE = ("llm.timeout_s=1800", "llm.patience_s=30")  # a busy CPU takes minutes for a reply
Rows = dict[str, dict[str, Any]]  # by number of runs, as JSON has its keys


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers: what the measurement is called, and what was found out about it."""

    name: str
    endpoint: Endpoint


def measure() -> None:
    """Measure what is missing, print, and keep if asked to."""
    num_trials = read_option("trials", NUM_TRIALS)
    settings = [word for word in sys.argv[1:] if "=" in word and not word.startswith("--")]
    with server() as served:
        folder = Path("runs") / f"serving-{served.name}"
        if "--afresh" in sys.argv:
            shutil.rmtree(folder, ignore_errors=True)
        rows = measure_missing(folder, served.endpoint, num_trials, settings)
    facts = {
        "model": served.endpoint.model,
        "server": served.endpoint.server,
        "constraint": served.endpoint.schema_rung,
        "trials_per_run": num_trials,
    }
    record(
        f"serving_{served.name}", list(rows.values()), {**facts, **summary(rows)}, module="serving"
    )


@contextmanager
def server() -> Iterator[Served]:
    """The server to measure, for as long as the context lasts."""
    address = read_text("base-url", "")
    if address:
        endpoint = connect(LlmSettings(base_url=address))
        kind = endpoint.server.split()[0]
        yield Served(f"{Path(endpoint.model).stem}_{kind}".replace(":", "-"), endpoint)
        return
    name, console = read_text("model", "smollm2-135m"), make_console()
    asked = ServerSettings(model=name, runs=max(NUMBERS_OF_RUNS))
    ready = replace(asked, model=ready_model(asked, console))
    folder = Path("runs") / f"server-{Path(ready.model).name}"
    running = VllmServer(ready, folder, cache_folder() / "vllm")
    start_server(running, console)
    try:
        yield Served(Path(ready.model).name, connect(LlmSettings(base_url=running.base_url)))
    finally:
        running.stop()


def measure_missing(
    folder: Path,
    endpoint: Endpoint,
    num_trials: int,
    settings: Sequence[str],
    numbers: Sequence[int] = NUMBERS_OF_RUNS,
) -> Rows:
    """A row for each number of runs; those that were measured before, and alike, are read."""
    kept, alike = folder / "rows.json", [num_trials, endpoint.server, *settings]
    known = json.loads(kept.read_text()) if kept.exists() else {}
    rows: Rows = known["rows"] if known.get("settings") == alike else {}
    missing = [number for number in numbers if str(number) not in rows]
    if missing:
        _run(folder, "warming up", 1, 0, endpoint, 1, settings)
    for number in missing:
        runs = _run(
            folder, f"{number} at once", number, 1000 * number, endpoint, num_trials, settings
        )
        rows[str(number)] = {"runs": number, **speeds(runs)}
        kept.write_text(json.dumps({"settings": alike, "rows": rows}, indent=1) + "\n")
        print(json.dumps(rows[str(number)]), flush=True)
    return {str(number): rows[str(number)] for number in numbers}


def _run(
    folder: Path,
    name: str,
    num_runs: int,
    first_seed: int,
    endpoint: Endpoint,
    num_trials: int,
    settings: Sequence[str],
) -> list[RunRecord]:
    """Whole runs from their start; what a stopped measurement left is dropped."""
    shutil.rmtree(folder / name, ignore_errors=True)
    words = [f"first_seed={first_seed}", _AGENT, f"loop.initial_design={_DESIGN}", *_PATIENCE]
    address = f"llm.base_url={endpoint.settings.base_url}"
    amount = num_trials + _DESIGN
    return run_all(folder, name, num_runs, *words, address, *settings, num_trials=amount)


def speeds(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """What a level came to, in tokens a second over all runs, and whose replies were of use."""
    calls = [event for run in runs for event in run.events if event["event"] == EVENT]
    spent = [run.events[-1]["llm"] for run in runs]
    prompt = sum(one["prompt_tokens"] for one in spent)
    timed = row("", runs)
    proposals = [
        trial for run in runs for trial in run.trials() if trial.provenance.startswith("llm")
    ]
    shared = proposal_shares(proposals)
    return {
        "calls": len(calls),
        "wall_s": timed["wall_s"],
        "tokens_per_s": timed["completion_tokens_per_s"],
        "prompt_tokens_per_s": prompt / timed["wall_s"],
        "prompt_tokens": prompt / len(calls),
        "reply_tokens": sum(one["completion_tokens"] for one in spent) / len(calls),
        "cached_share": sum(one["cached_tokens"] for one in spent) / max(prompt, 1),
        "reply_s": float(np.median([_seconds(call) for call in calls])),
        **{name: shared[name] for name in ("well_formed_share", "repaired_share")},
    }


def _seconds(call: Mapping[str, Any]) -> float:
    return float(call["measured"]["s"])


def summary(rows: Rows) -> dict[str, Any]:
    """What is claimed of a server, over all its rows."""
    calls = sum(one["calls"] for one in rows.values())

    def mean(name: str) -> float:
        return float(sum(one[name] * one["calls"] for one in rows.values()) / calls)

    return {
        "tokens_per_s": {number: one["tokens_per_s"] for number, one in rows.items()},
        "speedup_8": rows["8"]["tokens_per_s"] / rows["1"]["tokens_per_s"],
        "well_formed_share": mean("well_formed_share"),
        "repaired_share": mean("repaired_share"),
    }


if __name__ == "__main__":
    measure()
