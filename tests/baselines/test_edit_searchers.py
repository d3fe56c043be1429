"""Every searcher that works on lists of edits keeps the contract there too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_code import EDITS, ToyProxy, planted_score

from nasarena.experiments.settings.registry import load_searcher
from nasarena.search.budget import Budget
from nasarena.search.candidates.edit_space import DEFAULT
from nasarena.search.loop import LoopSettings, run_to_end
from nasarena.search.run_folder import RunFolder, drop_measurements, read_run
from nasarena.search.searcher import Searcher, build_searcher
from nasarena.search.trial import Outcome, Trial

NAMES = (
    "random", "local-search", "evolution", "genetic", "edits:tpe", "edits:gp-optuna",
    "edits:nevergrad", "edits:cma-es", "edits:botorch", "edits:smac",
)  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {
    "evolution": {"population": 3},
    "genetic": {"population": 3},
    "edits:cma-es": {"population": 3},
    "edits:smac": {"num_startup": 5},
}


class _SomeFail(ToyProxy):
    """Every list with one particular edit fails."""

    def _one(self, pattern: str, *rest: Any) -> Outcome:
        if "head=normal" in pattern:
            return Outcome("failed", None, self.cost(pattern), note="planted")
        return super()._one(pattern, *rest)


def _run(folder: Path, name: str, seed: int = 0, amount: int = 8) -> list[Trial]:
    def make(rng: np.random.Generator) -> Searcher:
        spec = load_searcher(name)
        return build_searcher(spec, EDITS, rng, OPTIONS.get(name, {}), num_trials=amount)

    settings = LoopSettings(seed, Budget("trials", amount), finalists=0, max_duplicates=30)
    with RunFolder(folder, {"name": name, "seed": seed}, {}) as opened:
        return run_to_end(opened, make, _SomeFail(EDITS, planted_score, 0.05), settings)


@pytest.mark.parametrize("name", NAMES)
def test_asks_are_lists_of_edits_that_depend_on_the_seed_and_resume(
    name: str, tmp_path: Path
) -> None:
    trials = _run(tmp_path / "a", name)
    assert trials[0].pattern == DEFAULT
    assert not [trial for trial in trials if trial.status == "invalid"]
    assert [t.pattern for t in _run(tmp_path / "b", name, seed=1)] != [t.pattern for t in trials]
    whole = read_run(tmp_path / "a").events
    lines = (tmp_path / "a" / "events.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "a" / "events.jsonl").write_bytes(b"".join(lines[: len(lines) * 2 // 3]))
    assert _run(tmp_path / "a", name) == trials  # ReplayDiverged if it asks anything else
    assert drop_measurements(read_run(tmp_path / "a").events) == drop_measurements(whole)


@pytest.mark.parametrize("name", ["evolution", "edits:tpe", "edits:nevergrad", "edits:cma-es"])
def test_it_takes_what_it_was_told_for_more_than_noise(name: str, tmp_path: Path) -> None:
    """Planted edits are in the later candidates more often than in those of random search."""
    found = [_score_of(_run(tmp_path / f"{name}-{seed}", name, seed, 40)) for seed in range(3)]
    blind = [_score_of(_run(tmp_path / f"random-{seed}", "random", seed, 40)) for seed in range(3)]
    assert np.mean(found) > np.mean(blind)


def _score_of(trials: list[Trial]) -> float:
    return float(np.mean([planted_score(trial.pattern) for trial in trials[-8:]]))
