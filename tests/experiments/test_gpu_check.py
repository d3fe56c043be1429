"""The GPU check, on the CPU: its parts compute what they say, and one that fails stops no other."""

import subprocess
import sys
from statistics import fmean, median
from typing import Any

import pytest
import torch

from nasarena.experiments.measure import gpu
from nasarena.experiments.measure.engine.timed_trainings import random_patterns, trial_flops

TINY = (
    "proxy=mad", "proxy.data.tasks=[in-context-recall]", "proxy.train.num_train=0",
    "proxy.train.steps=2", "proxy.train.num_eval=8", "proxy.train.batch_size=4",
    "proxy.model.width=16", "proxy.model.num_heads=2",
)  # fmt: skip
SMALL_QUICK = ("proxy=quick", "proxy.train.steps=2", "proxy.train.num_eval=8")


def test_the_cpu_agrees_with_itself_and_bfloat16_does_not() -> None:
    found = gpu.parity("cpu", TINY)
    exact = [value for name, value in found.items() if not name.endswith("bfloat16")]
    assert len(exact) == 8 and exact == [0.0] * 8
    coarse = [value for name, value in found.items() if name.endswith("bfloat16")]
    assert all(0 < value < 0.05 for value in coarse)


def test_scores_do_not_move_within_populations() -> None:
    moved = gpu.invariance("cpu", SMALL_QUICK, sizes=(2, 7))
    assert sorted(moved) == ["population_of_2", "population_of_7"]
    assert max(moved.values()) <= 1e-4


def test_speed_is_told_beside_the_baseline_and_beside_the_peaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock of ours: a trial takes 2 s within its population, the baseline's 6 s."""
    monkeypatch.setattr(gpu, "FIXED", {"AM*8": "AM" * 8})
    monkeypatch.setattr(gpu, "_our_seconds", lambda proxy, patterns, size: 2.0)
    monkeypatch.setattr(gpu, "_baseline_seconds", lambda proxy, pattern, device: 6.0)
    monkeypatch.setattr(gpu, "matmul_flops", lambda device, dtype: 1e9)
    monkeypatch.setattr(gpu, "copy_bandwidth", lambda device: 1e9)
    found = gpu.throughput("cpu", (*TINY, "proxy.population=3"))
    assert (found["geomean_ratio"], found["least"]) == (pytest.approx(3), pytest.approx(3))
    proxy = gpu.proxy_of((*TINY, "proxy.population=3", "proxy.device=cpu"))
    flops = [trial_flops(proxy, "AM" * 8)]
    flops.append(fmean(trial_flops(proxy, pattern) for pattern in random_patterns(8)))
    assert found["peak_share"] == pytest.approx(median(flops) / 2.0 / 1e9)
    assert 0 < found["bandwidth_share"] and found["8 random population"] == 3


def test_the_cost_of_a_trial_is_shown_as_the_population_grows() -> None:
    found = gpu.scaling("cpu", TINY, sizes=(1, 3))
    assert list(found) == ["population_of_1_s", "population_of_3_s"] and min(found.values()) > 0


def test_a_part_that_fails_is_recorded_and_the_others_go_on() -> None:
    def fail(device: str) -> dict[str, Any]:
        raise RuntimeError(f"no kernel for {device}\nand a long trace")

    rows = gpu.run_parts("cpu", {"broken": fail, "whole": lambda device: {"ratio": 30.0}})
    assert rows[0]["failed"] == "RuntimeError: no kernel for cpu" and rows[0]["took_s"] >= 0
    assert rows[1]["failed"] == "" and rows[1]["ratio"] == 30.0


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_it_is_one_line() -> None:
    command = [sys.executable, "-m", "nasarena.experiments.measure.gpu"]
    done = subprocess.run(command, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and "needs a GPU" in line
