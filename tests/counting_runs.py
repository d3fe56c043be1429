"""Small runs whose score is a count of letters, for what concerns the loop and its record."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from fakes import FakeProxy, frozen_noise, run_search
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Trial

SPACE = PatternSpace("AMS", 6)


def counting() -> FakeProxy:
    """Score: number of A plus frozen noise. Patterns that begin with SS diverge."""
    return FakeProxy(
        SPACE,
        lambda pattern, seed, split: pattern.count("A") + frozen_noise(pattern, seed, split, 0.1),
        fails="^SS",
        cost=lambda p: Cost(flops=10 + p.count("S"), tokens=7, device_seconds=0.5),
    )


@searcher("random")
def random_search(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
    return space.sample(rng)


@searcher("climb")
def climb(space: PatternSpace, rng: np.random.Generator) -> Generator[str, Trial, None]:
    best: Trial | None = None
    while True:
        trial = yield space.sample(rng) if best is None else space.mutate(best.pattern, rng)
        if trial.score is not None and (best is None or trial.score > (best.score or 0)):
            best = trial


def run(path: Path, target: Any, proxy: FakeProxy | None = None, **settings: Any) -> list[Trial]:
    return run_search(path, target, proxy or counting(), **settings)
