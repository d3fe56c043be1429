"""Training state that is kept, so that a longer training goes on from a shorter one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fakes import run_search
from nasarena.proxies.data.task import Batch, TaskSplit
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.trained import TrainedProxy
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.proxies.training.checkpoints import Checkpoint, Checkpoints, Part
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.proxy import TrialSeed
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Outcome

run = partial(run_search, initial_design=0, finalists=0)


class Copying:
    """Random tokens, each to be repeated."""

    vocab_size, length, head = 5, 6, "language_model"
    num_train = 0

    def __init__(self, name: str = "copying") -> None:
        self.name = self.fingerprint = name

    def sample(self, run_seed: int, split: TaskSplit, num_examples: int) -> Batch:
        rng = stream(run_seed, "data", self.name, split)
        tokens = rng.integers(5, size=(num_examples, self.length))
        return Batch(tokens, np.concatenate([tokens[:, :1], tokens[:, :-1]], axis=1))


TRAIN = TrainSettings(
    steps=12, batch_size=3, num_eval=16, learning_rate=0.02, warmup_steps=2, weight_decay=0.1
)
SHAPE = ModelShape(width=8, num_heads=2, mamba_heads=2, mamba_state=4)
PATTERNS = ["AMS", "SSA", "MMM", "ASM"]
SEEDS = [TrialSeed(0), TrialSeed(1), TrialSeed(0), TrialSeed(0, 1)]


def make_proxy(train: TrainSettings = TRAIN, tasks: int = 2) -> TrainedProxy:
    space = PatternSpace("AMS", 3)
    names = [Copying(f"copying-{number}") for number in range(tasks)]
    return TrainedProxy("copying", space, names, TrainedSettings(SHAPE, train))


def scores(outcomes: Sequence[Outcome]) -> list[float | None]:
    return [outcome.score for outcome in outcomes]


@pytest.fixture(autouse=True)
def constant_calibration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds that are not measured, so that the only trainings are those of the test."""
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(TrainedProxy, "_measure_seconds", lambda self, pattern, num_steps: 1.0)


@pytest.fixture
def training_log(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """(models, first step, last step) of every population that is trained."""
    seen: list[tuple[int, int, int]] = []
    restore = Part.restore

    def noting(self: Part, owner: torch.Tensor, tensors: Sequence[torch.Tensor]) -> None:
        seen.append((int(owner.max()) + 1, self.start, self.stop))
        restore(self, owner, tensors)

    monkeypatch.setattr(Part, "restore", noting)
    return seen


def test_a_continued_training_is_the_training_at_once(
    training_log: list[tuple[int, int, int]],
) -> None:
    at_once, continued = make_proxy(), make_proxy()
    direct = at_once.evaluate(PATTERNS, SEEDS)
    parts = [
        continued.evaluate(PATTERNS, SEEDS, fidelities=[share] * 4) for share in (0.25, 0.5, 1.0)
    ]
    assert scores(parts[2]) == scores(direct)
    assert [o.metrics for o in parts[2]] == [o.metrics for o in direct]
    assert scores(parts[1]) == scores(make_proxy().evaluate(PATTERNS, SEEDS, fidelities=[0.5] * 4))
    assert len({*scores(parts[0]), *scores(parts[1]), *scores(direct)}) == 12
    spans = [(4, 0, 12)] * 2 + [(4, 0, 3)] * 2 + [(4, 3, 6)] * 2 + [(4, 6, 12)] * 2
    assert training_log[: len(spans)] == spans


def test_those_that_go_on_in_another_population_score_the_same(
    training_log: list[tuple[int, int, int]],
) -> None:
    direct = make_proxy().evaluate(PATTERNS, SEEDS)
    training_log.clear()
    proxy = make_proxy()
    proxy.evaluate(PATTERNS[:2], SEEDS[:2], fidelities=[0.25] * 2)
    proxy.evaluate(PATTERNS[2:3], SEEDS[2:3], fidelities=[0.5])
    mixed = proxy.evaluate(PATTERNS[::-1], SEEDS[::-1])[::-1]
    assert [o.score for o in mixed] == pytest.approx(scores(direct), abs=1e-4)
    assert sorted(training_log[4::2]) == [(1, 0, 12), (1, 6, 12), (2, 3, 12)]


def test_lost_state_costs_time_alone() -> None:
    direct = make_proxy().evaluate(PATTERNS, SEEDS)
    proxy = make_proxy()
    proxy._checkpoints = Checkpoints(limit_bytes=1)  # as after a kill, or with too many others
    part = proxy.evaluate(PATTERNS, SEEDS, fidelities=[0.5] * 4)
    whole = proxy.evaluate(PATTERNS, SEEDS)
    assert scores(whole) == scores(direct)
    assert [o.cost for o in whole] == [o.cost for o in direct]
    assert [o.cost.flops * 2 for o in part] == [o.cost.flops for o in whole]


def test_a_lower_fidelity_afterwards_is_trained_from_the_start() -> None:
    proxy = make_proxy()
    first = proxy.evaluate(PATTERNS, SEEDS, fidelities=[0.25] * 4)
    proxy.evaluate(PATTERNS, SEEDS, fidelities=[0.5] * 4)
    assert scores(proxy.evaluate(PATTERNS, SEEDS, fidelities=[0.25] * 4)) == scores(first)
    both = proxy.evaluate(PATTERNS[:1] * 2, SEEDS[:1] * 2, fidelities=[0.25, 1.0])
    assert both[0].score == pytest.approx(first[0].score, abs=1e-4)


def test_a_diverged_part_is_a_failed_trial_and_the_others_go_on() -> None:
    train = replace(TRAIN, learning_rate=1e3, clip=1e3)
    proxy = make_proxy(train, tasks=1)
    part = proxy.evaluate(PATTERNS, SEEDS, fidelities=[0.5] * 4)
    assert "failed" in {outcome.status for outcome in part}
    whole = proxy.evaluate(PATTERNS, SEEDS)
    direct = make_proxy(train, tasks=1).evaluate(PATTERNS, SEEDS)
    assert [(o.status, o.note) for o in whole] == [(o.status, o.note) for o in direct]


def test_the_longest_unused_checkpoint_goes_first() -> None:
    kept = Checkpoints(limit_bytes=2 * 3 * 4 * 10)

    def part(step: int) -> Part:
        return Part(0, step, after=[Checkpoint(step, torch.zeros(3, 10))])

    kept.store(["a"], part(4))
    kept.store(["b"], part(4))
    kept.part(["a"], 8, 12)  # used
    kept.store(["c"], part(4))
    assert [kept.step([key], 8) for key in "abc"] == [4, 0, 4]
    assert kept.step(["a"], 3) == 0 and kept.step(["a", "c"], 8) == 4
    kept.store(["c"], part(6))
    assert kept.step(["a", "c"], 8) == 0  # not at the same step
    kept.store(["a"], Part(4, 12))
    assert kept.step(["a"], 12) == 0 and kept.step(["c"], 12) == 6


def test_a_run_of_real_trainings_resumes_after_its_state_is_lost(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"amount": 3, "parallel": 3, "initial_design": 1, "finalists": 1}
    run(tmp_path, "successive-halving", make_proxy(), **arguments)
    whole = read_run(tmp_path).events
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "events.jsonl").write_bytes(b"".join(lines[: len(lines) * 2 // 3]))
    run(tmp_path, "successive-halving", make_proxy(), **arguments)
    resumed = read_run(tmp_path).events
    for old, new in zip(whole, resumed, strict=True):
        if old["event"] == "settled":
            assert new["trial"].pop("score") == pytest.approx(old["trial"].pop("score"), abs=1e-4)
            del old["trial"]["metrics"], new["trial"]["metrics"]
        if old["event"] != "final":
            assert drop_measurements([new]) == drop_measurements([old])
