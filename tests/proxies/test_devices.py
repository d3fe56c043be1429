"""The choice of device, precision and population; reduced precision against the full one."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nasarena.proxies.mad.tasks import mad_task
from nasarena.proxies.models import triton_scan
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.trained import TrainedProxy
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.proxies.training import devices
from nasarena.proxies.training.devices import (
    autocast,
    choose_device,
    choose_population,
    choose_precision,
    choose_step,
    kernels,
)
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import TrialSeed
from nasarena.search.space import PatternSpace

CPU, GPU = torch.device("cpu"), torch.device("cuda")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
SETTINGS = TrainedSettings(
    ModelShape(width=16, num_heads=2, mamba_heads=2, mamba_state=4),
    TrainSettings(steps=8, batch_size=4, num_eval=32, learning_rate=0.01, warmup_steps=2),
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path))


def proxy(settings: TrainedSettings = SETTINGS) -> TrainedProxy:
    tasks = [mad_task("in-context-recall", {"length": 16})]
    return TrainedProxy("toy", PatternSpace("AMS", 4), tasks, settings)


@without_gpu
def test_without_a_gpu_the_cpu_is_chosen_and_a_gpu_refused_in_one_line() -> None:
    assert choose_device("auto") == CPU
    for name in ("cuda", "cuda:1"):
        with pytest.raises(InvalidSetting, match="finds no GPU here: use proxy.device=auto"):
            proxy(replace(SETTINGS, device=name))


def test_a_step_is_captured_on_a_gpu_alone() -> None:
    assert choose_step("auto", GPU, "bfloat16") == "graph"
    assert choose_step("eager", GPU, "bfloat16") == choose_step("eager", CPU, "float32") == "eager"
    with pytest.raises(InvalidSetting, match="proxy.step=graph needs a GPU"):
        proxy(replace(SETTINGS, step="graph"))
    with pytest.raises(InvalidSetting, match="step must be one of auto, native, .*'compiled'"):
        proxy(replace(SETTINGS, step="compiled"))


@needs_gpu
def test_a_captured_training_is_the_launched_one() -> None:
    found = [
        proxy(replace(SETTINGS, device="cuda", step=kind)).evaluate(
            ["AMSM", "SSSS", "MMMM"], [TrialSeed(0)] * 3
        )
        for kind in ("eager", "graph")
    ]
    assert [one.score for one in found[0]] == [one.score for one in found[1]]


def test_a_gpu_is_chosen_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == GPU
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("cpu") == CPU
    with pytest.raises(InvalidSetting, match="finds 2 GPUs here"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "cuda:-1", "", "cuda0"])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(InvalidSetting, match="auto, cpu, cuda or cuda:N"):
        choose_device(name)


def test_precision_and_population_follow_the_device() -> None:
    assert choose_precision("auto", CPU) == "float32"
    assert choose_precision("auto", GPU) == "bfloat16"
    assert choose_precision("float32", GPU) == "float32"
    with pytest.raises(InvalidSetting, match="auto, float32 or bfloat16, got 'half'"):
        choose_precision("half", GPU)
    assert choose_population(3, GPU) == 3
    assert choose_population(0, CPU) < choose_population(0, GPU)


def test_precision_is_part_of_the_version_and_the_population_is_not() -> None:
    base = proxy().version
    assert proxy(replace(SETTINGS, precision="float32")).version == base
    on_auto = proxy(replace(SETTINGS, device="auto"))
    assert on_auto.version == base or torch.cuda.is_available()
    assert on_auto.settings.device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert proxy(replace(SETTINGS, precision="bfloat16")).version != base
    assert proxy(replace(SETTINGS, population=3)).version == base


@pytest.mark.parametrize("pattern", ["AAAA", "MMMM", "SSSS", "AMSA"])
def test_a_training_in_bfloat16_ends_near_one_in_float32(pattern: str) -> None:
    """The path of a GPU's autocast, on a CPU: every layer takes it, and weights stay float32."""
    full, half = (
        proxy(replace(SETTINGS, precision=precision)).evaluate([pattern], [TrialSeed(0)])[0]
        for precision in ("float32", "bfloat16")
    )
    assert half.status == "ok" and half.score != full.score
    assert half.metrics["loss"] == pytest.approx(full.metrics["loss"], abs=0.02)


def test_products_alone_run_in_reduced_precision() -> None:
    weights = torch.ones(2, 2)
    with autocast(CPU, "bfloat16"):
        assert (weights @ weights).dtype == torch.bfloat16
        assert (weights * weights).dtype == torch.float32
    with autocast(CPU, "float32"):
        assert (weights @ weights).dtype == torch.float32


def test_kernels_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels(CPU).precision == "float32" and "ours" in kernels(CPU).scan
    monkeypatch.setattr(devices, "has_triton_scan", lambda: True)
    assert "Triton" in kernels(GPU).scan and "bfloat16" in kernels(GPU).precision


def test_kernels_that_cannot_be_imported_are_done_without(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ImportError("No module named 'einops'")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(triton_scan, "authors_kernel", fail)
    assert not triton_scan.has_triton_scan.__wrapped__()
    assert "mamba-ssm cannot be imported" in caplog.text and "einops" in caplog.text


def test_a_gpu_is_asked_for_products_that_always_round_the_same() -> None:
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] in (":4096:8", ":16:8")  # before any product


@needs_gpu
@pytest.mark.parametrize("pattern", ["AAAA", "MMMM", "SSSS", "AMSA"])
def test_a_gpu_in_float32_ends_where_the_cpu_does(pattern: str) -> None:
    def score(device: str) -> float | None:
        toy = proxy(replace(SETTINGS, device=device, precision="float32"))
        return toy.evaluate([pattern], [TrialSeed(0)])[0].score

    assert score("cuda") == pytest.approx(score("cpu"), abs=1e-3)
