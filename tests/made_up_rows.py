"""Rows of a benchmark whose truth is a formula, for tests that fit surrogates to them."""

import numpy as np

from nasarena.experiments.patternbench.kinds import Kind, fit_process, fit_ridge
from nasarena.proxies.patternbench.rows import Row
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 16)
FEW_KINDS = (
    Kind("ridge", fit_ridge, [{"features": "letters", "penalty": 1.0}]),
    Kind("gaussian process", fit_process, [{"length": 8.0, "noise": n} for n in (0.03, 0.1)]),
)
NOISE = 0.02


def true_score(pattern: str) -> float:
    """Early attention and late MLPs are good, every pair of neighbours that differ is too."""
    early = sum((8 - place) * (letter == "A") for place, letter in enumerate(pattern[:8]))
    late = sum(letter == "M" for letter in pattern[8:])
    pairs = sum(a != b for a, b in zip(pattern, pattern[1:], strict=False))
    return -3.0 + 0.004 * early + 0.02 * late + 0.008 * pairs


def synthetic_rows(num_fill: int = 400, num_test: int = 60) -> list[Row]:
    rng = stream(0, "made-up rows")
    offsets = 0.01 * np.arange(-2, 3)
    rows = []
    for i in range(num_fill + num_test):
        pattern = SPACE.sample(rng)
        is_test = i >= num_fill
        for seed in (i % 5, (i + 1) % 5)[: 2 if is_test or i % 10 == 0 else 1]:
            score = true_score(pattern) + offsets[seed] + NOISE * float(rng.standard_normal())
            role = "test" if is_test else "fill"
            rows.append(Row(pattern, seed, role, 0, score, -score, 0.3, 0.5))  # type: ignore[arg-type]
    rows.append(Row("A" * 16, 3, "reference", 0, None, None, None, 0.5, "loss became nan"))
    return rows
