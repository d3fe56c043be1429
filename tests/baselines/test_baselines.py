"""The contract that every classical searcher keeps, and what each of them claims to do."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fakes import CLASSICAL, MODELS, SEARCHING, SHORT, run_short
from nasarena.experiments.settings.registry import load_searcher
from nasarena.proxies.landscapes import additive
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.searcher import build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SMALL = PatternSpace("AMS", 6)
DEEP = PatternSpace("AMS", 8)


def patterns_of(trials: Sequence[Trial]) -> list[str]:
    return [trial.pattern for trial in trials]


def ask_all(folder: Path) -> dict[str, list[str]]:
    """What each searcher asked, some trainings failing."""
    proxy = additive(SMALL, failure_rate=0.2)
    return {
        name: patterns_of(run_short(folder / name, name, proxy, amount=9)) for name in CLASSICAL
    }


def disturb(seed: int) -> None:
    """Other states of all global generators."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


def global_states() -> tuple[Any, ...]:
    numpy_state = np.random.get_state(legacy=True)  # noqa: NPY002
    numpy_part = (numpy_state[1].tobytes(), *numpy_state[2:])  # type: ignore[index,union-attr]
    return random.getstate(), numpy_part, torch.random.get_rng_state().tolist()


@pytest.mark.parametrize("name", SEARCHING)
def test_asks_depend_on_the_seed_and_on_no_global_generator(name: str, tmp_path: Path) -> None:
    proxy = additive(SMALL, failure_rate=0.2)
    disturb(1)
    before = global_states()
    first = patterns_of(run_short(tmp_path / "first", name, proxy))
    assert global_states() == before
    disturb(2)
    assert patterns_of(run_short(tmp_path / "second", name, proxy)) == first
    others = patterns_of(run_short(tmp_path / "other", name, proxy, seed=1))
    assert others[4:] != first[4:]  # the initial design differs anyway
    assert all(pattern in SMALL for pattern in [*first, *others])


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_run_cut_off_anywhere_asks_again_what_it_asked(name: str, tmp_path: Path) -> None:
    proxy = additive(SMALL, failure_rate=0.2)
    run_short(tmp_path, name, proxy)
    whole = read_run(tmp_path).events
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "events.jsonl").write_bytes(b"".join(lines[: len(lines) * 2 // 3]))
    run_short(tmp_path, name, proxy)  # ReplayDiverged if it asks anything else
    assert drop_measurements(read_run(tmp_path).events) == drop_measurements(whole)


@pytest.mark.parametrize("name", SEARCHING)
def test_foreign_failed_and_late_trials_do_no_harm(name: str) -> None:
    spec = load_searcher(name)
    rng = stream(0, "searcher")
    built = build_searcher(spec, SMALL, rng, SHORT.get(name, {}), num_trials=30)
    proxy = additive(SMALL, noise=0)
    foreign = [SMALL.sample(rng) for _ in range(9)]
    built.tell([Trial(0, "not a pattern", "invalid"), Trial(1, "", "invalid")])
    built.tell([Trial(2, foreign[0], "failed"), Trial(3, foreign[0], "duplicate")])
    built.tell([Trial(4 + i, p, "ok", proxy.true_score(p)) for i, p in enumerate(foreign)])
    num_asked = min(3, spec.max_parallel or 3)
    for round_number in range(4):
        batch = [str(getattr(item, "pattern", item)) for item in built.ask(num_asked)]
        assert batch and all(pattern in SMALL for pattern in batch)
        told = [Trial(0, p, "ok", proxy.true_score(p)) for p in reversed(batch)]
        if round_number == 1:
            told[0] = Trial(0, batch[-1], "failed", note="loss became nan")
        late = Trial(0, foreign[round_number], "duplicate", proxy.true_score(foreign[round_number]))
        built.tell([*told, late])
    assert built.ask(1)


@pytest.mark.parametrize("name", SEARCHING)
def test_a_space_smaller_than_the_budget_ends_the_run(name: str, tmp_path: Path) -> None:
    space = PatternSpace("AM", 4)
    trials = run_short(tmp_path, name, additive(space), amount=30)
    trained = [(trial.pattern, trial.fidelity) for trial in trials if trial.status == "ok"]
    assert len(trained) == len(set(trained))
    scored = {pattern for pattern, _ in trained}
    assert all(trial.pattern in space for trial in trials)
    if name in ("random", "local-search", *MODELS):  # these know what is left
        assert len(scored) == space.size
    if name in ("random", *MODELS):
        assert len(trials) == space.size


def test_every_pattern_may_fail(tmp_path: Path) -> None:
    proxy = additive(SMALL, failure_rate=0.999)
    for name in SEARCHING:
        trials = run_short(tmp_path / name, name, proxy, amount=8)
        assert len(trials) >= 8


@pytest.mark.parametrize("name", ["botorch", "composer", "tpe", "nevergrad"])
def test_batches_are_valid_and_distinct(name: str, tmp_path: Path) -> None:
    trials = run_short(tmp_path, name, additive(SMALL), parallel=5, amount=14)
    assert sum(trial.status == "ok" for trial in trials) == 14
    if name in MODELS:
        assert len(set(patterns_of(trials))) == len(trials)


def test_asks_are_the_same_in_another_process(tmp_path: Path) -> None:
    """Its string hashes differ, so an order taken from a set or a dict of hashes would show."""
    here = ask_all(tmp_path / "here")
    code = (
        "import json, sys; from pathlib import Path; from test_baselines import ask_all\n"
        "print(json.dumps(ask_all(Path(sys.argv[1]))))"
    )
    paths = os.pathsep.join(str(path) for path in Path(__file__).parents[:2])  # fakes.py too
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": paths}
    arguments = [sys.executable, "-c", code, str(tmp_path / "there")]
    answer = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout.splitlines()[-1]) == here


# With `Choice`, Nevergrad barely beats random: what experiments/measure/separation.py shows.
@pytest.mark.parametrize("name", sorted({*SEARCHING} - {"random", "nevergrad-choice"}))
def test_each_beats_random_on_an_additive_landscape(name: str, tmp_path: Path) -> None:
    slow = {name: (3, 30) for name in ("tpe-pruned", "smac", *MODELS)} | {"gp-optuna": (3, 20)}
    num_seeds, num_trials = slow.get(name, (7, 60))

    def median_regret(searcher: str) -> float:
        regrets = []
        for seed in range(num_seeds):
            proxy = additive(DEEP, landscape_seed=seed)
            trials = run_short(
                tmp_path / f"{searcher}-{seed}", searcher, proxy, num_trials, seed=seed
            )
            full = [trial for trial in trials if not trial.is_partial]
            best = max(full, key=lambda trial: trial.score or -np.inf)
            regrets.append(proxy.regret(best.pattern))
        return float(np.median(regrets))

    assert median_regret(name) < median_regret("random")
