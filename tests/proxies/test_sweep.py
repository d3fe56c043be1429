"""The sweep of MAD as one proxy: published averages, epochs, cost. Small models, cut settings."""

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.proxies.contract import check_proxy
from nasarena.proxies.mad.tasks import MadTask, mad_sweep, mad_task
from nasarena.proxies.models.flops import SequenceShape, forward_flops
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.presets import MadProxySettings
from nasarena.proxies.sweep import SweepProxy
from nasarena.proxies.trained import TrainedProxy
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import TrialSeed
from nasarena.search.settings import build
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost

SPACE = PatternSpace("AMS", 2)
SHAPE = ModelShape(width=8, num_heads=2, mamba_heads=2, mamba_state=4)
TRAIN = TrainSettings(steps=6, batch_size=4, num_eval=40, learning_rate=0.02, num_train=24)
SETTINGS = TrainedSettings(SHAPE, TRAIN, score_by="accuracy")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibrations of tests stay among themselves."""
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path))


def small_tasks() -> list[MadTask]:
    """Two settings of one task and three of another, with training sets of several sizes."""
    small: dict[str, Any] = {"length": 8, "num_train_examples": 24}
    copying = {**small, "length": 12, "num_tokens_to_copy": 3}
    return [
        mad_task("compression", small),
        mad_task("compression", {**small, "num_train_examples": 8}),
        mad_task("selective-copying", copying),
        mad_task("selective-copying", {**copying, "vocab_size": 32}),
        mad_task("selective-copying", {**copying, "num_train_examples": 12}),
    ]


def test_it_keeps_the_contract_of_proxies() -> None:
    check_proxy(SweepProxy("toy", SPACE, small_tasks(), SETTINGS), num_patterns=3, tolerance=0.05)


def test_a_share_of_it_is_the_same_share_of_every_setting() -> None:
    """And goes on to the whole from what it keeps, to the same bits; all share one bound."""
    sweep = SweepProxy("toy", SPACE, small_tasks(), SETTINGS)
    half = sum((part.cost("AS", 0.5) for part in sweep.parts), Cost())
    assert sweep.cost("AS", 0.5) == half and half.flops < sweep.cost("AS").flops
    (begun,) = sweep.evaluate(["AS"], [TrialSeed(0)], "search", [0.5])
    assert begun.cost == half
    assert len({id(part._checkpoints) for part in sweep.parts}) == 1
    (ended,) = sweep.evaluate(["AS"], [TrialSeed(0)], "search", [1.0])
    (at_once,) = SweepProxy("toy", SPACE, small_tasks(), SETTINGS).evaluate(["AS"], [TrialSeed(0)])
    assert ended.metrics == at_once.metrics


def test_a_score_is_the_mean_over_tasks_of_the_mean_over_settings() -> None:
    sweep = SweepProxy("toy", SPACE, small_tasks(), SETTINGS)
    (outcome,) = sweep.evaluate(["AS"], [TrialSeed(0)])
    alone = [part.evaluate(["AS"], [TrialSeed(0)])[0] for part in sweep.parts]
    for metric in ("loss", "class_accuracy", "accuracy"):
        found = [one.metrics[metric] for one in alone]
        by_task = [fmean(found[:2]), fmean(found[2:])]
        assert outcome.metrics[metric] == pytest.approx(fmean(by_task), abs=1e-12)
        assert outcome.metrics[f"compression {metric}"] == pytest.approx(by_task[0], abs=1e-12)
        assert outcome.metrics[f"selective-copying {metric}"] == pytest.approx(by_task[1])
    assert outcome.score == outcome.metrics["accuracy"] != fmean(found)


def test_every_setting_trains_for_the_same_number_of_epochs() -> None:
    sweep = SweepProxy("toy", SPACE, small_tasks(), SETTINGS)
    trainings = [training.settings for part in sweep.parts for training in part.task_trainings]
    assert [(t.steps, t.num_train) for t in trainings] == [
        (6, 24),
        (2, 8),
        (6, 24),
        (6, 24),
        (3, 12),
    ]
    fresh = TrainSettings(steps=6, batch_size=4)
    all_new = TrainedProxy("toy", SPACE, small_tasks(), TrainedSettings(SHAPE, fresh))
    assert all_new.task_trainings[1].settings == fresh
    flops = sum(
        3
        * 4
        * train.steps
        * forward_flops("AS", SHAPE, SequenceShape(task.vocab_size, task.length, task.head))
        for task, train in zip(small_tasks(), trainings, strict=True)
    )
    cost = sweep.cost("AS")
    assert cost.flops == flops
    assert cost.tokens == 4 * (8 * 8 + 12 * 15)
    assert cost.device_seconds > 0


def test_a_setting_that_fails_fails_the_pattern_and_is_named() -> None:
    train = TrainSettings(steps=40, batch_size=4, num_train=24, learning_rate=1e4, warmup_steps=0)
    wild = SweepProxy("toy", SPACE, small_tasks()[:2], TrainedSettings(SHAPE, train))
    (outcome,) = wild.evaluate(["MM"], [TrialSeed(0)])
    assert outcome.status == "failed" and outcome.score is None and outcome.metrics == {}
    assert outcome.note.startswith("compression (length=8, num_train_examples=24): diverged")
    assert outcome.cost == wild.cost("MM")


def test_versions_tell_settings_apart() -> None:
    base = SweepProxy("toy", SPACE, small_tasks(), SETTINGS).version
    assert base == SweepProxy("toy", SPACE, small_tasks(), SETTINGS).version
    assert base != SweepProxy("toy", SPACE, small_tasks()[:4], SETTINGS).version


def test_one_word_asks_for_the_published_sweep() -> None:
    """All 66 settings at 200 epochs each, as mad-lab trains them."""
    config = evaluate_settings(["proxy=mad", "proxy.data.sweep=true"])
    sweep = build_proxy(config.proxy, config.space, False)
    assert isinstance(sweep, SweepProxy) and len(sweep.parts) == 66
    for part in sweep.parts:
        (training,) = part.task_trainings
        task, train = training.task, training.settings
        assert isinstance(task, MadTask)
        assert train.steps * train.batch_size == 200 * task.settings.num_train_examples
    one = evaluate_settings(
        ["proxy=mad", "proxy.data.sweep=true", "proxy.data.tasks=[compression]"]
    )
    few = build_proxy(one.proxy, one.space, False)
    assert isinstance(few, SweepProxy)
    expected = [task.fingerprint for task in mad_sweep("compression")]
    assert [part.tasks[0].fingerprint for part in few.parts] == expected
    plain = evaluate_settings(["proxy=mad"])
    assert type(build_proxy(plain.proxy, plain.space, False)) is TrainedProxy


def test_changes_and_sweep_exclude_each_other() -> None:
    data = {"sweep": True, "changes": {"compression": {"length": 64}}}
    with pytest.raises(InvalidSetting, match="give one of them, got both .compression."):
        build(MadProxySettings, {"data": data}, "proxy")
    with pytest.raises(InvalidSetting, match="called 'proxy.data.sweeep'; nearest: proxy.data.sw"):
        build(MadProxySettings, {"data": {"sweeep": True}}, "proxy")


def test_the_costs_in_the_documentation_are_those_of_the_code() -> None:
    table = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()
    for name, pattern in {"`16A`": "A" * 16, "`AM` x 8": "AM" * 8}.items():
        written = []
        for choice in ("false", "true"):
            config = evaluate_settings(["proxy=mad", f"proxy.data.sweep={choice}"])
            made = build_proxy(config.proxy, config.space, False)
            parts = made.parts if isinstance(made, SweepProxy) else [made]
            flops = sum(
                3
                * each.settings.steps
                * each.settings.batch_size
                * forward_flops(pattern, each.model, each.sequence)
                for part in parts
                if isinstance(part, TrainedProxy)
                for each in part.task_trainings
            )
            written.append(f"{flops:.2e}".replace("e+", "e"))
        assert f"| {name} | {' | '.join(written)} |" in table


def test_the_baselines_alone_train_for_200_epochs_each_too() -> None:
    config = evaluate_settings(["proxy=mad"])
    mad = build_proxy(config.proxy, config.space, False)
    assert isinstance(mad, TrainedProxy)
    steps = {each.task.name: each.settings.steps for each in mad.task_trainings}
    assert steps.pop("memorization") == 400  # 256 examples
    assert set(steps.values()) == {20_000} and len(steps) == 5
