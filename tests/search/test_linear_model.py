"""The linear model of patterns: features by hand, exact optima, planted effects, numpy's ridge."""

from itertools import product

import numpy as np
import pytest

from nasarena.search.models.linear_model import fit
from nasarena.search.models.pattern_features import BLOCKS, Features
from nasarena.search.models.window_optimum import window_optimum
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

SMALL = PatternSpace("AMS", 6)


def patterns_of(space: PatternSpace, count: int, seed: int = 0) -> list[str]:
    return space.sample_distinct(count, stream(seed, "patterns"))


def test_counts_and_bigrams_by_hand() -> None:
    space = PatternSpace("AM", 4)
    features = Features(space, ("counts", "bigrams"))
    one, other = features(["AAMA", "MMMM"])
    # Shares AAMA: A 3/4, M 1/4; AA, AM, MA 1/3 each. MMMM: M 1; MM 1.
    difference = one - other
    counts, bigrams = np.split(difference, np.cumsum(features.sizes)[:-1])
    assert counts[0] / counts[1] == pytest.approx(-1)
    assert bigrams / bigrams[0] == pytest.approx([1, 1, 1, -3])


def test_every_block_has_unit_variance_over_uniform_patterns() -> None:
    features = Features(PatternSpace())
    rows = features(patterns_of(PatternSpace(), 4000, seed=1))
    for part in np.split(rows, np.cumsum(features.sizes)[:-1], axis=1):
        assert part.var(axis=0).sum() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("blocks", [BLOCKS, ("counts",), ("trigrams",), ("smooth", "bigrams")])
def test_the_optimum_is_the_best_of_all_patterns(blocks: tuple[str, ...]) -> None:
    features = Features(SMALL, blocks)  # type: ignore[arg-type]
    everything = [SMALL.pattern(index) for index in range(SMALL.size)]
    rows = features(everything)
    for seed in range(5):
        weights = stream(seed, "weights").normal(size=rows.shape[1])
        found = features.optimum(weights)
        assert rows[SMALL.index(found)] @ weights == pytest.approx((rows @ weights).max())


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_dynamic_programming_agrees_with_enumeration_at_every_depth(depth: int) -> None:
    rng = stream(depth, "tables")
    singles, pairs = rng.normal(size=(depth, 3)), rng.normal(size=(3, 3))
    triples = rng.normal(size=(3, 3, 3))

    def value(digits: tuple[int, ...]) -> float:
        total = sum(singles[layer, digit] for layer, digit in enumerate(digits))
        total += sum(pairs[two] for two in zip(digits, digits[1:], strict=False))
        return float(
            total + sum(triples[t] for t in zip(digits, digits[1:], digits[2:], strict=False))
        )

    best = max(product(range(3), repeat=depth), key=value)
    digits, found = window_optimum(singles, pairs, triples)
    assert tuple(digits) == best and found == pytest.approx(value(best))


def test_equal_patterns_go_to_the_first() -> None:
    assert window_optimum(np.zeros((4, 3)), np.zeros((3, 3)), np.zeros((3, 3, 3)))[0] == [0] * 4


def test_the_posterior_is_ridge_regression_under_its_own_variances() -> None:
    features = Features(SMALL, ("counts", "positions"))
    patterns = patterns_of(SMALL, 60)
    scores = stream(0, "scores").normal(size=60)
    rows = features(patterns)
    found = fit(features, rows, scores)
    penalty = np.repeat(found.noise / found.variances, features.sizes)
    standard = (scores - scores.mean()) / scores.std()
    ridge = np.linalg.solve(rows.T @ rows + np.diag(penalty), rows.T @ standard)
    assert found.mean_F == pytest.approx(ridge)
    covariance = found.noise * np.linalg.inv(rows.T @ rows + np.diag(penalty))
    rng = stream(1, "draws")
    draws = np.array([found.sample(rng) for _ in range(6000)])
    assert draws.mean(axis=0) == pytest.approx(ridge, abs=0.05)
    assert np.cov(draws.T) == pytest.approx(covariance, abs=0.05)


def test_variance_goes_to_the_block_that_explains_and_noise_is_found() -> None:
    space = PatternSpace()
    features = Features(space, ("counts", "bigrams", "positions"))
    patterns = patterns_of(space, 300)
    pairs = np.array([sum(a != b for a, b in zip(p, p[1:], strict=False)) for p in patterns])
    scores = 2.0 * pairs + stream(0, "noise").normal(scale=1.0, size=300)
    found = fit(features, features(patterns), scores)
    counts, bigrams, positions = found.variances * features.sizes
    assert bigrams > 5 * max(counts, positions)
    assert found.noise * found.spread**2 == pytest.approx(1.0, rel=0.3)
    truth = found.predict(features(["AM" * 8, "A" * 16]))
    assert truth[0] - truth[1] == pytest.approx(30, rel=0.15)


def test_equal_scores_are_no_fault() -> None:
    features = Features(SMALL)
    found = fit(features, features(["AAAAAA", "MMMMMM"]), np.array([1.0, 1.0]))
    assert found.predict(features(["SSSSSS"])) == pytest.approx([1.0])
