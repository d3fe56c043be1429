"""`teacher`: the embedded agent's teacher, which searches by itself."""

from pathlib import Path

import numpy as np
import pytest

from fakes import run_search
from nasarena.experiments.settings.registry import load_searcher
from nasarena.proxies.landscapes import additive
from nasarena.search.searcher import Searcher, build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

DEEP = PatternSpace("AMS", 8)


def build(space: PatternSpace) -> Searcher:
    spec = load_searcher("teacher")
    return build_searcher(spec, space, stream(0, "searcher"), {"num_startup": 4})


def test_it_beats_random_search_and_tries_nothing_twice(tmp_path: Path) -> None:
    regrets: dict[str, list[float]] = {"teacher": [], "random": []}
    for seed in range(3):
        landscape = additive(DEEP, landscape_seed=seed)
        for name, found in regrets.items():
            folder = tmp_path / f"{name}-{seed}"
            trials = run_search(folder, name, landscape, amount=50, finalists=2, seed=seed)
            assert len({trial.pattern for trial in trials}) == 50
            found.append(min(landscape.regret(trial.pattern) for trial in trials))
    assert np.mean(regrets["teacher"]) < 0.3 * np.mean(regrets["random"])


@pytest.mark.parametrize("space", [PatternSpace("AM", 3), PatternSpace("AMS", 1)])
def test_it_ends_when_everything_was_tried(space: PatternSpace) -> None:
    built, seen = build(space), list[str]()
    while asked := built.ask(1):
        seen.append(str(asked[0]))
        built.tell([Trial(len(seen), seen[-1], "ok", float(len(seen) % 3))])
    assert sorted(seen) == sorted(space.pattern(index) for index in range(space.size))


def test_the_same_trials_are_asked_again_and_a_failed_one_never() -> None:
    asked = []
    for _ in range(2):
        built, told = build(DEEP), list[str]()
        for index in range(20):
            told.append(str(built.ask(1)[0]))
            failed = index % 4 == 3
            score = None if failed else additive(DEEP).true_score(told[-1])
            built.tell([Trial(index, told[-1], "failed" if failed else "ok", score)])
        asked.append(told)
    assert asked[0] == asked[1] and len(set(asked[0])) == 20


def test_it_recommends_the_highest_means_not_the_luckiest_score() -> None:
    built, landscape = build(DEEP), additive(DEEP, noise=0.0, interaction=0.0)
    assert build(DEEP).recommend(3) == []  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    patterns = DEEP.sample_distinct(60, rng)
    truth = [landscape.true_score(pattern) for pattern in patterns]
    lucky = int(np.argsort(truth)[30])
    scores = list(truth)
    scores[lucky] = max(truth) + 0.1
    trials = zip(patterns, scores, strict=True)
    built.tell([Trial(i, pattern, "ok", score) for i, (pattern, score) in enumerate(trials)])
    named = built.recommend(3)  # type: ignore[attr-defined]
    assert len(named) == 3 and named[0] == patterns[int(np.argmax(truth))]
