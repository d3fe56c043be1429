"""Finalists: planted good patterns are named, a lucky one is not; ties, few and failed trials."""

from pathlib import Path

import numpy as np
import pytest

from nasarena.experiments.commands.cli import main
from nasarena.search.models.finalists import name_finalists
from nasarena.search.run_folder import find_runs, read_run
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Trial

SPACE = PatternSpace()


def trials_of(scores: dict[str, float | None], fidelity: float = 1.0) -> list[Trial]:
    return [
        Trial(
            index,
            pattern,
            "failed" if score is None else "ok",
            score,
            cost=Cost(flops=1),
            fidelity=fidelity,
        )
        for index, (pattern, score) in enumerate(scores.items())
    ]


def test_planted_patterns_are_named_and_a_lucky_one_is_not() -> None:
    rng = stream(0, "planted")
    patterns = SPACE.sample_distinct(120, rng)
    truth = {pattern: pattern.count("S") + 2.0 * pattern.count("AM") for pattern in patterns}
    observed: dict[str, float | None] = {
        pattern: value + float(rng.normal(scale=1.5)) for pattern, value in truth.items()
    }
    worst = min(truth, key=lambda pattern: truth[pattern])
    observed[worst] = max(score for score in observed.values() if score is not None) + 3
    named = name_finalists(SPACE, trials_of(observed), 5)
    best = sorted(observed, key=lambda pattern: -(observed[pattern] or 0.0))[:5]
    assert best[0] == worst and worst not in named
    assert np.mean([truth[one] for one in named]) > np.mean([truth[one] for one in best]) + 1
    assert max(truth, key=lambda pattern: truth[pattern]) in named


def test_equal_means_go_to_the_observed_score_and_then_to_the_earlier_trial() -> None:
    # The model sees counts, n-grams and waves; equal scores leave it nothing to say.
    patterns = SPACE.sample_distinct(6, stream(1, "ties"))
    assert name_finalists(SPACE, trials_of(dict.fromkeys(patterns, 1.0)), 4) == patterns[:4]


def test_fewer_trials_than_finalists_are_all_named_best_first() -> None:
    scores: dict[str, float | None] = {"A" * 16: 1.0, "M" * 16: None, "S" * 16: 3.0}
    assert name_finalists(SPACE, trials_of(scores), 5) == ["S" * 16, "A" * 16]
    assert name_finalists(SPACE, [], 5) == []


@pytest.mark.parametrize("count", [1, 3])
def test_failed_and_partial_trials_neither_count_nor_teach(count: int) -> None:
    patterns = SPACE.sample_distinct(30, stream(2, "partly"))
    scores: dict[str, float | None] = {one: float(one.count("S")) for one in patterns}
    whole = name_finalists(SPACE, trials_of(scores), count)
    others = SPACE.sample_distinct(40, stream(3, "others"))
    failed = trials_of(dict.fromkeys(others[:20], None))
    partial = trials_of({one: -100.0 * one.count("S") for one in others[20:]}, fidelity=0.5)
    assert name_finalists(SPACE, [*trials_of(scores), *failed, *partial], count) == whole


def test_a_comparison_trains_again_what_the_model_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = ["compare", "searchers=[random]", "proxy=additive", "proxy.noise=2", "seeds=1"]
    base += ["budget.patterns=40", "references=false", "report=false", "name=x"]
    base += ["loop.finalists=3", "loop.final_replicates=1"]
    named = {}
    for rule in ("score", "model"):
        assert main([*base, f"loop.finalists_by={rule}", f"folder={rule}"]) == 0
        (path,) = find_runs(Path(rule))
        run = read_run(path)
        named[rule] = [event["pattern"] for event in run.of_kind("final")]
        trials = run.trials()
    assert named["model"] == name_finalists(SPACE, trials, 3) != named["score"]
