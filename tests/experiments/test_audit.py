"""The audit of a proxy: worked by hand, planted agreement and none, one line for bad input."""

import json
import os
import platform
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats as scipy_stats

from nasarena.experiments.audit.axes import levels, stretch, tasks_to_compare
from nasarena.experiments.audit.trainings import task_rows, trainings
from nasarena.experiments.commands.audit import sample_patterns
from nasarena.experiments.commands.cli import main
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.choices import merge
from nasarena.experiments.settings.commands import audit_settings
from nasarena.figures.audit.findings import Findings, findings
from nasarena.figures.audit.page import draw
from nasarena.figures.audit.report import carries_over, count, passes, verdict
from nasarena.figures.stats.reliability import (
    icc_interval,
    reliability_of_mean,
    seeds_to_see,
    spreads,
)
from nasarena.figures.stats.transfer import agreement, kendall, random_regret, regret_at
from nasarena.search.errors import InvalidSetting, ProxyFailed
from nasarena.search.proxy import Abilities
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome

SMALL = ["proxy=additive", "space.depth=6", "proxy.noise=0.1"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))


def frame(levels: dict[tuple[str, str], Any]) -> pd.DataFrame:
    """The tidy frame of matrices of scores, patterns by seeds."""
    rows = [
        {"axis": axis, "level": level, "pattern": f"p{i}", "seed": k, "score": score, "note": ""}
        for (axis, level), matrix in levels.items()
        for i, row in enumerate(np.asarray(matrix, dtype=float))
        for k, score in enumerate(row)
    ]
    return pd.DataFrame(rows)


def findings_of(levels: dict[tuple[str, str], Any], **changes: Any) -> Findings:
    return findings(
        frame(levels), **{"picks": [1, 2], "gaps": [0.5, 1.0], "trainings": 3, **changes}
    )


def test_both_correlations_are_those_of_scipy_ties_included() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.integers(5, size=(2, 12)).astype(float)
        found = agreement([(x, y)], rng, num_repeats=10)
        assert found.kendall.estimate == pytest.approx(scipy_stats.kendalltau(x, y).statistic)
        assert found.kendall.estimate == pytest.approx(kendall(x, y))
        assert found.spearman.estimate == pytest.approx(scipy_stats.spearmanr(x, y).statistic)


def test_kendall_by_hand_and_where_there_is_none() -> None:
    ranks, turned = np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 4, 3])
    assert kendall(ranks, turned) == pytest.approx(4 / 6)  # 5 pairs agree, 1 does not
    assert np.isnan(kendall(ranks[:2], turned[:2])) and np.isnan(kendall(ranks, np.zeros(4)))


def test_a_weight_is_a_pattern_drawn_again() -> None:
    """The bootstrap of weights against one that really draws, with the same stream of draws."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=15)
    y = x + rng.normal(size=15)
    found = agreement([(x, y)], stream(3, "x"), num_repeats=400)
    drawn = stream(3, "x").multinomial(15, [1 / 15] * 15, size=400)
    repeats = []
    for counts in drawn:
        i = np.repeat(np.arange(15), counts)
        repeats.append(scipy_stats.kendalltau(x[i], y[i]).statistic)
    low, high = np.quantile(repeats, [0.025, 0.975])
    scale = scipy_stats.t.isf(0.025, 14) / scipy_stats.norm.isf(0.025)
    tau = found.kendall.estimate
    assert found.kendall.low == pytest.approx(tau - scale * (tau - low))
    assert found.kendall.high == pytest.approx(min(1.0, tau + scale * (high - tau)))


def test_intervals_of_agreement_cover_the_truth() -> None:
    """Kendall's tau of a bivariate normal is 2/pi arcsin(rho)."""
    rng, rho, hits = np.random.default_rng(2), 0.7, 0
    truth = 2 / np.pi * np.arcsin(rho)
    for _ in range(200):
        x, e = rng.normal(size=(2, 24))
        limits = agreement([(x, rho * x + np.sqrt(1 - rho**2) * e)], rng, num_repeats=200).kendall
        hits += limits.low <= truth <= limits.high
    assert 0.90 <= hits / 200 <= 0.99


def test_the_best_tenth_is_chosen_by_what_is_believed() -> None:
    y = np.arange(60.0)
    x = y.copy()
    x[54:] = [57, 58, 59, 54, 55, 56]  # of the best six 9 pairs disagree, of all others none
    found = agreement([(x, y)], np.random.default_rng(0), share=0.1, num_repeats=200)
    assert (found.num_patterns, found.kendall.estimate) == (6, pytest.approx((6 - 9) / 15))
    found = agreement([(x, y)], np.random.default_rng(0), num_repeats=50)
    assert found.kendall.estimate == pytest.approx(1 - 2 * 9 / (60 * 59 / 2))
    few = agreement([(x[:40], y[:40])], np.random.default_rng(0), share=0.1)
    assert few.num_patterns == 4 and np.isnan(few.kendall.estimate)


def test_scores_without_differences_have_no_agreement() -> None:
    flat, y = np.zeros(8), np.arange(8.0)
    found = agreement([(flat, y)], np.random.default_rng(0), num_repeats=20)
    assert np.isnan([found.kendall.estimate, found.spearman.estimate, found.kendall.low]).all()


def test_regret_by_hand() -> None:
    believed = np.array([5.0, 1.0, 4.0, 2.0])
    picks = np.array([0.1, 0.9, 0.5, 0.3])  # the order of choice is 1, 2, 3, 0
    assert [regret_at([(picks, believed)], k) for k in (1, 2, 3, 4)] == [4.0, 1.0, 1.0, 0.0]
    assert regret_at([(picks, believed), (believed, believed)], 1) == 2.0


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9])
def test_regret_by_chance_is_that_of_all_draws(k: int) -> None:
    scores = [3.0, 1.0, 4.0, 1.5, 9.0]
    draws = list(combinations(scores, min(k, 5)))
    assert random_regret(scores, k) == pytest.approx(9.0 - np.mean([max(d) for d in draws]))


def test_icc_and_its_interval_are_those_of_shrout_and_fleiss() -> None:
    """Their table 2: six targets, four judges; ICC(1,1) is .17, mean squares 11.24 and 6.26."""
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    found = icc_interval(ratings)
    assert found.estimate == pytest.approx(0.166, abs=0.001)
    # As printed by R's psych::ICC for these data.
    assert (found.low, found.high) == (
        pytest.approx(-0.133, abs=1e-3),
        pytest.approx(0.723, abs=1e-3),
    )
    assert reliability_of_mean(0.5, 4) == pytest.approx(0.8)


def test_the_noise_that_was_put_in_is_found() -> None:
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(scale=2.0, size=(4000, 1)), rng.normal(scale=1.0, size=(4000, 3))
    sd_pattern, sd_seed = spreads(signal + noise)
    assert sd_pattern == pytest.approx(2.0, rel=0.05)
    assert sd_seed == pytest.approx(1.0, rel=0.05)
    assert icc_interval(signal + noise).estimate == pytest.approx(0.8, abs=0.02)
    assert spreads([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])[0] == 0.0


def test_seeds_needed_follow_from_the_power_of_the_paired_test() -> None:
    assert seeds_to_see(10.0, 1.0) == 6  # no fewer can reach p < .05 exactly
    one, three = seeds_to_see(1.0, 1.5), seeds_to_see(1.0, 1.5, num_trainings=3)
    assert one is not None and three is not None and three < one
    # An independent count: t-test power of the same effect, by simulation.
    rng = np.random.default_rng(0)
    samples = rng.normal(1.0, 1.5 * np.sqrt(2), size=(4000, one))
    assert (scipy_stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(
        0.8, abs=0.05
    )
    assert seeds_to_see(0.001, 1.0) is None and seeds_to_see(0.0, 1.0) is None
    assert seeds_to_see(1.0, 0.0) == 6 and count(None) == "more than 1,000"


def test_findings_by_hand() -> None:
    own = [[1, 2], [2, 1], [3, 4], [4, 3]]
    found = findings_of({("seeds", "as it is"): own, ("steps", "3x steps"): [[4], [3], [2], [1]]})
    assert found.seeds.whole.kendall.estimate == pytest.approx(2 / 6)  # 4 pairs agree, 2 do not
    assert found.seeds.regret[2] == 0.0  # either seed's best two hold the other's best
    longer = found.transfers[1]
    # Against the reverse order each seed has 5 discordant of 6 pairs, the tie of means apart.
    assert longer.whole.kendall.estimate == pytest.approx(-(5 - 1) / 6)
    assert longer.averaged == pytest.approx(-4 / np.sqrt(4 * 6))
    sd = np.std([4, 3, 2, 1], ddof=1)
    assert longer.regret[1] == pytest.approx(np.mean([3 - 0, 2]) / sd)
    assert longer.chance[1] == pytest.approx(1.5 / sd)
    assert (longer.num_patterns, longer.num_seeds, found.noise.num_seeds) == (4, 1, 2)


def test_planted_agreement_and_none_are_told_apart() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=(40, 1))
    found = findings_of(
        {
            ("seeds", "as it is"): truth + rng.normal(scale=0.2, size=(40, 3)),
            ("steps", "same"): truth,
            ("width", "other"): rng.normal(size=(40, 1)),
            ("depth", "reversed"): -truth,
        }
    )
    same, other, reverse = found.transfers[1:]
    assert carries_over(same, found.seeds) == "agrees, not shown to be worse than another seed"
    assert carries_over(other, found.seeds) == "not shown to agree"
    assert carries_over(reverse, found.seeds) == "not shown to agree"
    assert same.regret[2] < 0.3 < reverse.regret[2]
    assert other.whole.kendall.low < 0 < other.whole.kendall.high
    assert passes(found, 0.85) and "Trustworthy" in verdict(found, 0.85)[0]


def test_tasks_are_compared_with_the_mean_of_the_others() -> None:
    a, b = np.arange(6.0), np.array([0.0, 2, 1, 3, 5, 4])
    tasks = {"a": a, "b": b, "c": 2 * a}
    levels = {("tasks", name): np.stack([task, task], axis=1) for name, task in tasks.items()}
    found = findings_of({("seeds", "as it is"): np.stack([a, b], axis=1), **levels})
    by_task = {each.level: each for each in found.transfers[1:]}
    assert by_task["b"].whole.kendall.estimate == pytest.approx((13 - 2) / 15)
    others = kendall(a, (b + 2 * a) / 2)
    assert by_task["a"].whole.kendall.estimate == pytest.approx(others)


def test_a_pattern_that_fails_is_left_out_and_counted() -> None:
    own = np.arange(12.0).reshape(6, 2)
    own[0, 1] = np.nan
    deep = np.full((6, 1), np.nan)
    deep[:2] = 1.0
    wide = np.arange(6.0)[:, None]
    wide[5] = np.nan
    found = findings_of(
        {("seeds", "as it is"): own, ("depth", "deep"): deep, ("width", "wide"): wide}
    )
    assert (found.noise.num_patterns, found.noise.num_failed) == (5, 1)
    deep_found, wide_found = found.transfers[1:]
    assert (deep_found.num_patterns, deep_found.num_failed) == (1, 5) and not deep_found.regret
    assert (wide_found.num_patterns, wide_found.num_failed) == (4, 2)
    assert "only 1 patterns could be trained" in " ".join(verdict(found, 0.85))
    own[:4] = np.nan
    with pytest.raises(ProxyFailed, match="only 2 of 6 patterns could be trained on all seeds"):
        findings_of({("seeds", "as it is"): own})


def test_a_proxy_that_says_nothing_does_not_pass() -> None:
    found = findings_of({("seeds", "as it is"): np.ones((6, 3))})
    assert not passes(found, 0.0)
    assert "all scores are the same" in verdict(found, 0.85)[0]
    rng = np.random.default_rng(0)
    noisy = findings_of({("seeds", "as it is"): rng.normal(size=(20, 3))})
    assert "Not to be trusted" in verdict(noisy, 0.85)[0]


def test_the_figure_shows_every_level_and_what_failed() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 1))
    own = truth + rng.normal(scale=0.3, size=(60, 2))
    scores = frame(
        {("seeds", "as it is"): own}
        | {("settings", f"level {i}"): truth[:20] for i in range(5)}
        | {("depth", "broken"): np.full((20, 1), np.nan)}
    )
    found = findings(scores, [1, 3], [0.5, 1.0], 3)
    figure = draw(scores, found, "Audit of x", "Trustworthy.")
    texts = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    assert "another seed (60)" in texts and "level 4 (20)" in texts
    assert "broken (0, 20 failed)" in texts
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == 4 + 5 and all(axes.get_xlabel() for axes in drawn)


def test_letters_are_repeated_or_tiled() -> None:
    assert stretch("AMS", 2, "repeat") == "AAMMSS"
    assert stretch("AMS", 3, "tile") == "AMSAMSAMS"
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}}) == {
        "a": {"b": 9, "c": 2},
        "d": 3,
    }


def test_levels_change_what_they_say_and_nothing_else() -> None:
    config = audit_settings(
        "proxy=quick patterns=6 seeds=2 axes=[steps,width,depth,settings] width.patterns=4 "
        "steps.seeds=2 settings.changes.batch32.train.batch_size=32".split()
    )
    patterns = sample_patterns(config.space, 6, 0)
    by_label = {level.label: level for level in levels(config, patterns)}
    own, longer, wide = by_label["as it is"], by_label["3x steps"], by_label["2x width"]
    base = config.proxy.options
    assert own.proxy.options == base and own.seeds == (0, 1)
    assert longer.proxy.options["train"] == base["train"] | {
        "steps": 3 * base["train"]["steps"],
        "warmup_steps": 3 * base["train"]["warmup_steps"],
    }
    assert longer.proxy.options["model"] == base["model"] and longer.seeds == (2, 3)
    heads = {name: 2 * base["model"][name] for name in ("width", "num_heads", "mamba_heads")}
    assert wide.proxy.options["model"] == base["model"] | heads
    assert wide.patterns == tuple(patterns[:4]) and wide.seeds == (2,)
    assert by_label["2x depth, tiled"].space == PatternSpace("AMS", 32)
    assert by_label["2x depth, repeated"].patterns[1] == stretch(patterns[1], 2, "repeat")
    assert by_label["batch32"].proxy.options["train"] == base["train"] | {"batch_size": 32}
    assert sample_patterns(config.space, 3, 0) == patterns[:3]


def test_twice_the_width_has_twice_the_heads_of_keys_too() -> None:
    config = audit_settings(["proxy=modern", "axes=[width]", "width.factors=[2]"])
    wide = levels(config, sample_patterns(config.space, 3, 0))[1].proxy.options["model"]
    own = config.proxy.options["model"]
    for name in ("width", "num_heads", "num_kv_heads", "mamba_heads"):
        assert wide[name] == 2 * own[name]
    assert wide["mamba_groups"] == own["mamba_groups"] == 2


def test_without_warmup_there_is_none_in_longer_trainings() -> None:
    config = audit_settings(["proxy=mad", "axes=[steps]"])
    longer = levels(config, sample_patterns(config.space, 3, 0))[1]
    assert longer.proxy.options["train"]["warmup_steps"] == 0


def test_on_a_gpu_patterns_train_in_whole_populations(monkeypatch: pytest.MonkeyPatch) -> None:
    config = audit_settings(["proxy=mad", "patterns=200", "seeds=2"])
    (level,) = levels(config, sample_patterns(config.space, 200, 0))
    assert [len(task.patterns) for task in trainings(level, False)] == [1] * 200
    proxy = build_proxy(level.proxy, level.space, False)
    monkeypatch.setattr(proxy, "abilities", Abilities(True, population=256, uses_gpu=True))
    assert [len(task.patterns) for task in trainings(level, False)] == [128, 72]


def test_an_audit_on_whatever_device_there_is_names_it() -> None:
    small = "proxy.data.length=16 proxy.model.width=16 proxy.model.num_heads=2 workers=1"
    short = "proxy.model.mamba_heads=2 proxy.train.steps=2 proxy.train.batch_size=2"
    words = f"{small} {short} proxy.train.num_eval=4 proxy.train.warmup_steps=0".split()
    assert main(["audit", "proxy=text", *words, "space.depth=4", "patterns=5", "seeds=2"]) in (0, 1)
    record = json.loads(Path("audits/text/audit.json").read_text())
    cuda = torch.cuda.is_available()
    assert record["device"] == (torch.cuda.get_device_name() if cuda else cpu_name())


def cpu_name() -> str:
    return f"cpu-{len(os.sched_getaffinity(0))} ({platform.machine()})"


def test_task_scores_are_taken_from_the_trainings_at_hand() -> None:
    config = audit_settings(
        ["proxy=mad", "patterns=3", "proxy.data.tasks=[compression,memorization]"]
    )
    proxy = build_proxy(config.proxy, config.space, config.cache)
    names = tasks_to_compare(config, proxy)
    assert names == ["compression", "memorization"]
    metrics = {"compression class_accuracy": 0.25, "memorization class_accuracy": 0.75}
    outcomes = [[Outcome("ok", 0.5, Cost(), metrics), Outcome("failed", None, Cost(), note="nan")]]
    (level,) = levels(config, sample_patterns(config.space, 1, 0))
    rows = task_rows(level, [outcomes[0] * 2], proxy, names)
    assert [row["score"] for row in rows] == [0.25, None, 0.25, None, 0.75, None, 0.75, None]


def test_a_noisy_proxy_does_not_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", *SMALL, "proxy.noise=0.6", "workers=1"]) == 1
    assert "Noisy" in capsys.readouterr().out


def test_an_audit_writes_everything_and_the_same_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = "settings.changes.twin.landscape_seed=1"
    audit = ["audit", *SMALL, "patterns=30", "axes=[depth,settings]", changes, "name=x"]
    assert main([*audit, "depth.rules=[tile]", "workers=2"]) == 0
    out = capsys.readouterr().out
    assert "twin" in out and "2x depth, tiled" in out
    folder = Path("audits/x")
    assert {file.name for file in folder.iterdir()} == {
        "scores.csv", "table.csv", "audit.md", "audit.json", "audit.png", "audit.svg", "audit.pdf",
    }  # fmt: skip
    scores = pd.read_csv(folder / "scores.csv")
    assert len(scores) == 30 * 4 + 16 + 24
    stretch = scores[scores["axis"] == "depth"].iloc[0]
    assert stretch["trained"] == stretch["pattern"] * 2
    record = json.loads((folder / "audit.json").read_text())
    assert set(record) == {"name", "date", "commit", "device", "command", "rows", "summary"}
    table = pd.read_csv(folder / "table.csv")
    assert record["rows"][2]["kendall"] == pytest.approx(table["kendall"][2])
    written = (folder / "table.csv").read_bytes()
    assert main([*audit, "depth.rules=[tile]", "workers=1"]) == 0
    assert (folder / "table.csv").read_bytes() == written


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["patterns=2"], "patterns must be at least 3, got 2"),
        (["seeds=1"], "seeds must be at least 2, got 1"),
        (["patterns=800"], "at most the 729 of the space, got 800"),
        (["axes=[seedz]"], "axes must be one of seeds, tasks, steps, width, depth, settings"),
        (["axes=steps"], "axes must be a list such as [a,b]"),
        (["axes=[steps]"], "axis steps needs a proxy that trains, additive does not"),
        (["axes=[width]"], "axis width needs a proxy that trains, additive does not"),
        (["axes=[tasks]"], "needs a proxy of several tasks, additive has none"),
        (["axes=[settings]"], "axis settings needs settings.changes"),
        (["axes=[depth]", "depth.rules=[]"], "at least one of depth.factors"),
        (["axes=[depth]", "depth.factors=[1.5]"], "depth.factors must be a whole number, got 1.5"),
        (["axes=[depth]", "depth.factors=[1]"], "depth.factors must be at least 2, got 1"),
        (["axes=[depth]", "depth.patterns=1"], "depth.patterns must be at least 3"),
        (["axes=[depth]", "depth.rules=[fold]"], "depth.rules must be one of repeat, tile"),
        (["steps.factors=[0]"], "steps.factors must be positive, got 0"),
        (["threshold=2"], "threshold must be at most 1, got 2"),
        (["name=a/b"], "name must be usable as the name of one folder"),
        (
            ["axes=[settings]", "settings.changes.x.niose=1"],
            "no setting is called 'settings.changes.x.niose'; nearest: settings.changes.x.noise",
        ),
        (["axes=[settings]", "settings.changes.x=3"], "must hold settings of the proxy"),
        (["proxy.failure_rate=0.999"], "patterns could be trained on all seeds, at least 3"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", *SMALL, "workers=1", *arguments]) == 2
    errors = capsys.readouterr().err
    assert words in errors and errors.count("\n") == 1
    assert not Path("audits").exists()


def test_a_proxy_of_one_task_has_no_axis_of_tasks() -> None:
    config = audit_settings(["proxy=quick", "axes=[tasks]"])
    with pytest.raises(InvalidSetting, match="needs a proxy of several tasks, quick has 1"):
        tasks_to_compare(config, build_proxy(config.proxy, config.space, False))
