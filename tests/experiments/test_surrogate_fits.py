"""Parts of a surrogate: its network, features, kinds of model, and the judgement of them."""

from dataclasses import replace

import numpy as np
import pytest

from made_up_rows import FEW_KINDS, NOISE, SPACE, synthetic_rows, true_score
from nasarena.experiments.patternbench.distillation import best_of_all, merge_networks
from nasarena.experiments.patternbench.features import as_windows, digits_of, window_features
from nasarena.experiments.patternbench.kinds import KINDS, Kind, fit_kind, fit_ridge
from nasarena.experiments.patternbench.nested import cross_validate
from nasarena.experiments.patternbench.noise_model import gamma_regression
from nasarena.experiments.patternbench.quality import ceiling, quality
from nasarena.experiments.patternbench.sample import sample_of
from nasarena.experiments.patternbench.torch_network import TrainPlan, train_networks
from nasarena.figures.stats.transfer import kendall
from nasarena.proxies.patternbench.network import WindowNetwork
from nasarena.search.seeding import stream


def random_network(units: int = 5) -> WindowNetwork:
    rng = stream(0, "network")
    tables = rng.standard_normal((14, 27, units))
    return WindowNetwork.quantise(tables, np.where(rng.random(units) < 0.5, -1, 1), -2.0)  # type: ignore[arg-type]


def slow_score(network: WindowNetwork, pattern: str) -> int:
    """The definition, one window and one unit at a time, in Python's integers."""
    digits = ["AMS".index(letter) for letter in pattern]
    total = network.intercept
    for unit, sign in enumerate(network.signs.tolist()):
        hidden = sum(
            int(network.tables[i, 9 * digits[i] + 3 * digits[i + 1] + digits[i + 2], unit])
            for i in range(14)
        )
        total += sign * max(0, hidden)
    return total


def test_the_network_is_its_definition_in_every_way_of_asking() -> None:
    network = random_network()
    rng = stream(1, "patterns")
    patterns = [SPACE.sample(rng) for _ in range(300)]
    codes = np.array([SPACE.index(pattern) for pattern in patterns])
    expected = [slow_score(network, pattern) for pattern in patterns]
    assert [network.raw(pattern) for pattern in patterns] == expected
    assert network.raw_many(codes).tolist() == expected
    assert (
        network.raw_many(codes.reshape(3, 100)).tolist() == np.reshape(expected, (3, 100)).tolist()
    )
    firsts, lasts = np.array([0, 17, 6560]), np.arange(3**8)
    for first, block in zip(firsts, network.blocks(firsts, lasts), strict=True):
        assert block.tolist() == network.raw_many(first * 3**8 + lasts).tolist()


def test_sums_are_bounded_so_that_float32_is_exact() -> None:
    network = random_network()
    assert 2**20 < np.abs(network.tables).max(axis=1).sum() < 2**24
    with pytest.raises(AssertionError, match="not exact"):
        WindowNetwork(network.tables * 8, network.signs, 0, network.grid)


def test_weights_of_features_are_the_same_function_as_tables_of_windows() -> None:
    rng = stream(2, "patterns")
    digits = digits_of([SPACE.sample(rng) for _ in range(50)])
    features = window_features(digits)
    weights = rng.standard_normal((features.shape[1], 4))
    tables = as_windows(weights)
    numbers = digits[:, :-2] * 9 + digits[:, 1:-1] * 3 + digits[:, 2:]
    by_windows = sum(tables[i, numbers[:, i]] for i in range(14))
    np.testing.assert_allclose(by_windows, features @ weights, atol=1e-12)


def test_features_count_what_they_say() -> None:
    features = window_features(digits_of(["AAMSAAAAAAAAAAAA"]))[0]
    letters, pairs, triples = features[183:186], features[186:195], features[195:]
    assert letters.tolist() == [14, 1, 1]
    assert pairs.sum() == 15 and pairs[0] == 12 and pairs[1 * 3 + 2] == 1 and pairs[2 * 3] == 1
    assert triples.sum() == 14 and triples[0 * 9 + 1 * 3 + 2] == 1


def test_trained_networks_are_served_as_they_predict() -> None:
    rng = stream(3, "patterns")
    patterns = [SPACE.sample(rng) for _ in range(600)]
    digits = digits_of(patterns)
    scores = np.array([true_score(pattern) for pattern in patterns])
    networks = train_networks(window_features(digits), scores, TrainPlan(3, 8, 0.1, 20, 64))
    predicted = networks.predict(window_features(digits))
    assert kendall(predicted, scores) > 0.9
    codes = np.array([SPACE.index(pattern) for pattern in patterns])
    np.testing.assert_allclose(merge_networks(networks).scores(codes), predicted, atol=1e-3)


def test_best_of_all_finds_the_optimum() -> None:
    tables = np.zeros((14, 27, 1))
    wanted = "SAMSAMSAMMMAAASS"
    for i in range(14):
        tables[i, int(wanted[i : i + 3].translate(str.maketrans("AMS", "012")), 3)] = 1.0
    found = best_of_all(WindowNetwork.quantise(tables, np.array([1], dtype=np.int8), 0.0), 10)
    assert SPACE.from_digits(found[0]) == wanted
    assert len({tuple(row) for row in found.tolist()}) == 10


def test_the_ceiling_is_what_the_truth_itself_reaches() -> None:
    rng = stream(0, "ceiling")
    true = rng.standard_normal(4000)
    pairs = true[:, None] + 0.5 * rng.standard_normal((4000, 2))
    assert ceiling(pairs) == pytest.approx(kendall(true, pairs.mean(axis=1)), abs=0.02)
    assert ceiling(np.stack([true, true], axis=1)) == pytest.approx(1.0)
    found = quality(true[:300], pairs[:300])
    assert found.tau_interval[0] < found.kendall_tau < found.tau_interval[1]
    assert found.tau_top_tenth == pytest.approx(found.ceiling_top_tenth, abs=0.25)
    assert quality(-true[:300], pairs[:300]).kendall_tau == pytest.approx(-found.kendall_tau)


def test_gamma_regression_recovers_a_known_spread() -> None:
    rng = stream(0, "gamma")
    features = np.stack([np.ones(20_000), rng.standard_normal(20_000)], axis=1)
    freedom = rng.integers(1, 4, size=20_000).astype(float)
    true = np.exp(features @ [-6.0, 0.4])
    weights = gamma_regression(features, true * rng.chisquare(freedom) / freedom, freedom)
    np.testing.assert_allclose(weights, [-6.0, 0.4], atol=0.05)


def test_offsets_of_seeds_are_found_and_taken_out() -> None:
    rows = synthetic_rows()
    sample = sample_of(rows)
    np.testing.assert_allclose(sample.offsets, 0.01 * np.arange(-2, 3), atol=0.006)
    assert np.sqrt(np.nanmean(sample.variances)) == pytest.approx(NOISE, rel=0.25)
    shuffled = [rows[i] for i in stream(0, "order").permutation(len(rows))]
    np.testing.assert_array_equal(sample_of(shuffled).scores, sample.scores)


def test_nested_judgement_prefers_what_is_true_and_never_sees_test_patterns() -> None:
    rows = synthetic_rows()
    constant = Kind("constant", lambda digits, scores: lambda others: np.full(len(others), -3.0))
    verdicts = cross_validate(sample_of(rows), lambda _: None, [*FEW_KINDS, constant])
    assert verdicts[-1].name == "constant"
    assert verdicts[0].error < 1.3 * NOISE < 0.5 * verdicts[-1].error
    poisoned = [replace(row, score=5.0) if row.role == "test" else row for row in rows]
    again = cross_validate(sample_of(poisoned), lambda _: None, FEW_KINDS)
    best = next(one for one in verdicts if one.name == again[0].name)
    known = ~sample_of(rows).is_test
    np.testing.assert_array_equal(best.predicted[known], again[0].predicted[known])
    assert np.isnan(best.predicted[~known]).all()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_learns(kind: Kind) -> None:
    rng = stream(4, "patterns")
    patterns = [SPACE.sample(rng) for _ in range(400)]
    scores = np.array([true_score(pattern) for pattern in patterns])
    digits = digits_of(patterns)
    for setting in (kind.settings[0], kind.settings[-1]):
        predict = fit_kind(kind, digits[:300], scores[:300], setting)
        assert kendall(predict(digits[300:]), scores[300:]) > 0.7
        np.testing.assert_array_equal(predict(digits[300:]), predict(digits[300:]))


def test_scores_that_crowd_at_the_top_are_fitted_by_their_logarithm() -> None:
    digits = stream(5, "patterns").integers(3, size=(400, 16))
    scores = -1.0 - np.exp((digits == 1).sum(axis=1) / 2 - 4)
    kind = Kind("ridge", fit_ridge)
    top = scores > np.median(scores)
    errors = [
        np.std(fit_kind(kind, digits, scores, setting)(digits[top]) - scores[top])
        for setting in (
            {"features": "letters", "penalty": 1.0, "log": log} for log in (True, False)
        )
    ]
    assert errors[0] < 0.5 * errors[1]
