"""The trained proxy as a proxy: contract, cost, versions, failures. Small models, toy task."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.proxies.contract import check_proxy
from nasarena.proxies.data.task import Batch, TaskSplit
from nasarena.proxies.mad.tasks import mad_task
from nasarena.proxies.models.flops import SequenceShape, forward_flops
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.native.library import native_library
from nasarena.proxies.presets import TextProxySettings
from nasarena.proxies.trained import TrainedProxy
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.proxies.training import calibration
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.proxies.training.trainer import Scored
from nasarena.proxies.training.training import Training
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.settings import build
from nasarena.search.space import PatternSpace

SHAPE = ModelShape(width=8, num_heads=2, mamba_heads=2, mamba_state=4)
TRAIN = TrainSettings(steps=6, batch_size=3, num_eval=16, learning_rate=0.02, warmup_steps=2)
SETTINGS = TrainedSettings(SHAPE, TRAIN)
SPACE = PatternSpace("AMS", 4)


class Copying:
    """Random tokens, each to be repeated; `fingerprint` is all that tells two apart."""

    name, vocab_size, length, head = "copying", 5, 6, "language_model"
    num_train = 0

    def __init__(self, fingerprint: str = "copying-5") -> None:
        self.fingerprint = fingerprint

    def sample(self, run_seed: int, split: TaskSplit, num_examples: int) -> Batch:
        rng = stream(run_seed, "data", split)
        tokens = rng.integers(5, size=(num_examples, self.length))
        return Batch(tokens, tokens)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibrations of tests stay among themselves."""
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path))


def proxy(settings: TrainedSettings = SETTINGS, space: PatternSpace = SPACE) -> TrainedProxy:
    return TrainedProxy("toy", space, [Copying()], settings)


def test_it_keeps_the_contract_of_proxies() -> None:
    check_proxy(proxy(), tolerance=1e-4)


@pytest.mark.parametrize("score_by", ["accuracy", "class_accuracy"])
def test_a_proxy_of_several_tasks_keeps_the_contract(score_by: Literal["accuracy"]) -> None:
    tasks = [Copying(), mad_task("compression", {"length": 8})]
    by_accuracy = replace(SETTINGS, score_by=score_by, train=replace(TRAIN, num_eval=200))
    several = TrainedProxy("toy", SPACE, tasks, by_accuracy)
    check_proxy(several, tolerance=0.02)  # an accuracy moves in steps
    (outcome,) = several.evaluate(["AMSA"], [TrialSeed(0)])
    parts = [outcome.metrics[f"{task.name} {score_by}"] for task in tasks]
    assert outcome.score == outcome.metrics[score_by] == pytest.approx(np.mean(parts))
    assert outcome.metrics["accuracy"] != outcome.metrics["class_accuracy"]


def test_a_loss_is_reported_without_accuracies_of_classes() -> None:
    (outcome,) = proxy().evaluate(["AMSA"], [TrialSeed(0)])
    assert set(outcome.metrics) == {"loss", "accuracy"}


def test_cost_is_three_forward_passes_a_step_over_all_tasks() -> None:
    sequence = SequenceShape(5, 6)
    cost = proxy().cost("AMSS")
    assert cost.flops == 3 * 6 * 3 * forward_flops("AMSS", SHAPE, sequence)
    assert cost.tokens == 6 * 3 * 6
    twice = TrainedProxy("toy", SPACE, [Copying(), Copying()], SETTINGS)
    assert twice.cost("AMSS").flops == 2 * cost.flops


def test_seconds_are_measured_once_and_kept(tmp_path: Path) -> None:
    first, again = proxy().cost("AMSS"), proxy().cost("AMSS")
    assert first == again and first.device_seconds > 0
    assert len(list((tmp_path / "calibration").iterdir())) == 1
    seconds = proxy().calibration
    assert first.device_seconds == pytest.approx(
        seconds.base + sum(seconds.per_letter[letter] for letter in "AMSS")
    )
    # The order of letters is of no consequence: a trial costs what its layers cost.
    assert proxy().cost("SSMA").device_seconds == pytest.approx(first.device_seconds)


def test_where_a_step_takes_long_fewer_are_measured_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, asked = [0.0], []

    def measure(pattern: str, num_steps: int) -> float:
        asked.append(num_steps)
        clock[0] += 3.0 * num_steps
        return 300.0 + 100 * pattern.count("S")

    monkeypatch.setattr(calibration.time, "perf_counter", lambda: clock[0])
    found = calibration.calibrate(measure, SPACE, "slow")
    assert asked == [1, 2] + [2] * 4
    assert "about 24 s" in caplog.text  # two steps of each of four stacks
    assert found.seconds("SSAA") == pytest.approx(500.0)


def test_where_a_whole_stack_does_not_fit_shallower_ones_are_measured() -> None:
    """Of 4 layers at most 2 fit; a layer takes 1 s, one of S 3 s, the rest 5 s."""

    def measure(pattern: str, num_steps: int) -> float:
        if len(pattern) > 2:
            raise MemoryError("one model takes about 9 GiB")
        return 5.0 + len(pattern) + 2 * pattern.count("S")

    found = calibration.calibrate(measure, SPACE, "large")
    assert found.seconds("AMSS") == pytest.approx(5 + 1 + 1 + 3 + 3)

    def never(pattern: str, num_steps: int) -> float:
        raise MemoryError("one model takes about 9 GiB")

    with pytest.raises(InvalidSetting, match="two layers cannot be trained: one model takes"):
        calibration.calibrate(never, SPACE, "larger")


def test_a_pattern_that_does_not_fit_is_a_failed_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its price is known all the same, and nothing is trained for it that does not fit either.

    Memory here holds two layers, and their data.
    """
    toy, trained, train = proxy(), list[str](), Training.run

    def watch(self: Training, patterns: list[str], *rest: Any) -> list[Scored]:
        trained.extend(patterns)
        return train(self, patterns, *rest)

    monkeypatch.setattr(Training, "run", watch)
    free = max(toy.memory[0].peak_bytes([letter * 2]) for letter in "AMS")
    monkeypatch.setattr(
        "nasarena.proxies.training.population_sizing.free_bytes", lambda device: free
    )
    (outcome,) = toy.evaluate(["SSSS"], [TrialSeed(0)])
    assert outcome.status == "failed" and outcome.note.startswith("out of memory: one model takes")
    assert outcome.cost == toy.cost("SSSS") and outcome.cost.device_seconds > 0
    assert "SS" in trained and "SSSS" not in trained


def test_a_damaged_calibration_is_measured_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = proxy().calibration
    (file,) = (tmp_path / "calibration").iterdir()
    for damaged in ("{", "[]", '{"base": "x", "per_letter": {}}'):
        caplog.clear()
        file.write_text(damaged)
        again = proxy().calibration
        assert "was damaged" in caplog.text and again.per_letter.keys() == first.per_letter.keys()
        assert json.loads(file.read_text())["base"] == again.base


def test_native_and_torch_agree_but_are_not_the_same_proxy() -> None:
    native, eager = (proxy(replace(SETTINGS, step=step)) for step in ("auto", "eager"))
    assert (native.version == eager.version) is (native_library() is None)
    patterns, seeds = ["AMSA", "SSMM"], [TrialSeed(3)] * 2
    for one, other in zip(
        *(each.evaluate(patterns, seeds) for each in (native, eager)), strict=True
    ):
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.metrics["accuracy"] == pytest.approx(other.metrics["accuracy"], abs=0.02)


def test_measured_seconds_of_a_population_are_shared_by_modelled_ones() -> None:
    patterns = ["AAAA", "SSSS", "MMMM"]
    toy = proxy()
    outcomes = toy.evaluate(patterns, [TrialSeed(0)] * 3)
    shares = [outcome.measured_s / outcome.cost.device_seconds for outcome in outcomes]
    assert shares == pytest.approx([shares[0]] * 3)


def test_populations_are_cut_to_the_limit_without_any_effect_on_scores() -> None:
    patterns = ["AAAA", "SSSS", "MMMM", "AMSA", "SMAS"]
    seeds = [TrialSeed(k) for k in range(5)]
    whole = proxy().evaluate(patterns, seeds)
    in_pairs = proxy(replace(SETTINGS, population=2)).evaluate(patterns, seeds)
    for one, other in zip(whole, in_pairs, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("step", ["auto", "eager"])
@pytest.mark.parametrize("size", [2, 7, 24])
def test_on_quick_a_score_is_the_same_to_the_last_bit_in_any_population(
    size: int, step: str
) -> None:
    """Through torch too: sizes fill whole vectors of the processor, so neighbours do not matter."""
    settings = ["proxy.train.steps=4", "proxy.train.num_eval=16", f"proxy.step={step}"]
    config = evaluate_settings(settings)
    quick = build_proxy(config.proxy, config.space, cache=False)
    rng = stream(size, "companions")
    waiting = ["S" * 16, "A" * 16, "M" * 16, "AMS" * 5 + "A"]
    while waiting:  # as many of them at a time as have room beside a random one
        watched, waiting = waiting[: size // 2], waiting[size // 2 :]
        places = rng.permutation(size)[: len(watched)]
        patterns = [quick.space.sample(rng) for _ in range(size)]
        seeds = [TrialSeed(2)] * size
        for place, pattern in zip(places, watched, strict=True):
            patterns[place], seeds[place] = pattern, TrialSeed(1)
        together = quick.evaluate(patterns, seeds)
        for place, pattern in zip(places, watched, strict=True):
            (alone,) = quick.evaluate([pattern], [TrialSeed(1)])
            assert together[place].score == alone.score


def test_a_diverging_model_is_a_failed_outcome_charged_in_full() -> None:
    wild = proxy(replace(SETTINGS, train=replace(TRAIN, learning_rate=1e4, steps=40)))
    outcomes = wild.evaluate(["MMMM", "SSSS"], [TrialSeed(0)] * 2)
    assert any(outcome.status == "failed" for outcome in outcomes)
    for outcome, pattern in zip(outcomes, ["MMMM", "SSSS"], strict=True):
        assert outcome.cost == wild.cost(pattern)
        if outcome.status == "failed":
            assert outcome.score is None and outcome.note.startswith("diverged: ")


def test_version_names_all_that_a_score_depends_on() -> None:
    base = proxy().version
    assert base == proxy().version
    assert base == proxy(replace(SETTINGS, population=3)).version
    assert base != proxy(replace(SETTINGS, train=replace(TRAIN, steps=7))).version
    assert base != proxy(replace(SETTINGS, model=replace(SHAPE, mlp="swiglu"))).version
    assert base != proxy(space=PatternSpace("AMS", 5)).version
    other_data = TrainedProxy("toy", SPACE, [Copying("copying-6")], SETTINGS)
    assert base != other_data.version


def test_precision_alone_is_another_version() -> None:
    """By the same step: bfloat16 takes the eager one, and float32 would take the native one."""
    versions = {
        precision: proxy(replace(SETTINGS, step="eager", precision=precision)).version
        for precision in ("auto", "float32", "bfloat16")
    }
    assert versions["auto"] == versions["float32"] != versions["bfloat16"]


@pytest.mark.parametrize("alphabet, depth", [("AM", 3), ("S", 2), ("MA", 1)])
def test_any_alphabet_of_known_layers_and_any_depth(alphabet: str, depth: int) -> None:
    space = PatternSpace(alphabet, depth)
    toy = proxy(space=space)
    (outcome,) = toy.evaluate([space.pattern(0)], [TrialSeed(0)])
    assert outcome.status == "ok" and outcome.cost.device_seconds > 0


def test_letters_without_a_layer_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="layers A, M and S, got 'C'"):
        proxy(space=PatternSpace("AC", 4))
    with pytest.raises(InvalidSetting, match="layers A, M and S, got 'C'"):
        proxy(replace(SETTINGS, precision="bfloat16"), PatternSpace("AC", 4))


def test_unknown_settings_and_tasks_are_refused_with_what_there_is() -> None:
    def refuse(**values: Any) -> str:
        with pytest.raises(InvalidSetting) as caught:
            build(TextProxySettings, {"data": {"length": 8}, **values}, "proxy")
        return str(caught.value)

    assert "called 'proxy.model.widht'; nearest: proxy.model.width" in refuse(model={"widht": 8})
    assert refuse(data={"task": "images"}) == "proxy.data.task must be text, got 'images'"
    by = "proxy.score_by must be one of loss, accuracy, class_accuracy, got 'luck'"
    assert refuse(score_by="luck") == by
    assert refuse(population=-1) == "proxy.population must be at least 0, got -1"
    assert refuse(device="tpu") == "proxy.device must be auto, cpu, cuda or cuda:N, got 'tpu'"
    assert refuse(model={"width": 12, "num_heads": 4}).startswith(
        "proxy.model.rotary needs an even"
    )


@pytest.mark.parametrize("step", ["native", "eager"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_what_a_process_did_to_torch_before_moves_no_score(step: str, dtype: torch.dtype) -> None:
    """A default dtype of float64 made every training diverge; of float16 kernels wrote too far."""
    if step == "native" and native_library() is None:
        pytest.skip("no C++ compiler")
    settings = replace(SETTINGS, step=step)
    (expected,) = proxy(settings).evaluate(["AMSA"], [TrialSeed(0)])
    torch.set_default_dtype(dtype)
    try:
        with torch.inference_mode():
            (found,) = proxy(settings).evaluate(["AMSA"], [TrialSeed(0)])
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.score == expected.score and found.status == "ok"


def test_kernels_refuse_tensors_of_other_types() -> None:
    from nasarena.proxies.native.step import _check_types

    _check_types([torch.zeros(2), torch.zeros(2, dtype=torch.int64)])
    with pytest.raises(TypeError, match="float64"):
        _check_types([torch.zeros(2), torch.zeros(2, dtype=torch.float64)])
