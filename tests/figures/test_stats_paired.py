"""Pairs, corrections and plans: by hand, against scipy, statsmodels and scikit-posthocs."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from nasarena.figures.stats.critical_difference import critical_difference
from nasarena.figures.stats.dominance import (
    improvement_matrix,
    performance_profile,
    probability_of_improvement,
    profile_band,
    share_of_wins,
)
from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.multiple import (
    Comparison,
    compare_all,
    compare_to,
    holm,
    rank_with_ties,
)
from nasarena.figures.stats.paired import (
    MAX_EXACT_PAIRS,
    cohen_dz,
    mean_difference,
    sign_flip_p,
    smallest_p,
)
from nasarena.figures.stats.power import detectable_effect, power, seeds_for, seeds_for_differences
from nasarena.figures.stats.runtime import expected_running_time, first_hits, runtime_ecdf
from nasarena.search.errors import InvalidSetting


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_sign_flips_by_hand() -> None:
    # Sums of (+-1, +-2, +-3): +-6, +-4, +-2, 0, 0; only 2 of 8 reach 6.
    assert sign_flip_p([1.0, 2.0, 3.0]) == 2 / 8
    assert sign_flip_p([1.0, 2.0, -3.0]) == 1.0
    assert sign_flip_p([0.0, 0.0]) == 1.0
    assert smallest_p(3) == 0.25 and smallest_p(6) < 0.05 < smallest_p(5)


@pytest.mark.parametrize("size", [3, 20, 21])
@pytest.mark.parametrize("lacking", [np.nan, np.inf])
def test_a_difference_that_is_no_number_is_refused(size: int, lacking: float) -> None:
    """It would answer p = 0: the comparison with it is false for every flip."""
    with pytest.raises(ValueError, match="must be finite"):
        sign_flip_p([lacking, *np.ones(size - 1)], generator())
    scores = {"random": [1.0] * size, "tpe": [lacking, *[2.0] * (size - 1)]}
    with pytest.raises(ValueError, match="must be finite"):
        compare_all(scores)


@pytest.mark.parametrize("size", [2, 5, 9, 12])
def test_sign_flips_agree_with_scipy(size: int) -> None:
    values = generator(size).normal(0.4, size=size)
    expected = scipy_stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip_p(values) == pytest.approx(expected.pvalue)


def test_drawn_sign_flips_come_close_to_the_exact_ones() -> None:
    values = generator(3).normal(0.35, size=MAX_EXACT_PAIRS)
    padded = np.append(values, 0.0)  # a zero changes no sum, but there is now one pair too many
    assert sign_flip_p(padded, generator()) == pytest.approx(sign_flip_p(values), abs=0.005)
    with pytest.raises(ValueError, match="generator"):
        sign_flip_p(padded)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def pair(first: str, second: str, low: float, high: float, p: float, rope: float) -> Comparison:
    return Comparison(first, second, Interval((low + high) / 2, low, high), p, p, 1.0, 0.5, rope)


def test_searchers_that_cannot_be_told_apart_share_a_rank() -> None:
    pairs = [
        pair("a", "b", -0.1, 0.3, 0.3, 0),
        pair("a", "c", 0.4, 0.6, 0.01, 0),
        pair("c", "b", -0.5, -0.3, 0.02, 0),
    ]
    assert rank_with_ties("abc", pairs) == {"a": 1, "b": 1, "c": 3}


def test_what_lies_within_the_noise_is_practically_the_same() -> None:
    assert pair("a", "b", 0.1, 0.3, 0.001, 0.0).relation == "better"
    assert pair("a", "b", 0.1, 0.3, 0.001, 0.25).relation == "better"  # may well matter
    assert pair("a", "b", 0.1, 0.3, 0.001, 0.35).relation == "equivalent"  # surely does not
    assert pair("a", "b", -0.1, 0.3, 0.3, 0.25).relation == "not known"
    assert pair("a", "b", -0.3, -0.1, 0.001, 0.0).relation == "worse"
    assert pair("a", "b", np.nan, np.nan, 0.5, 9.0).relation == "not known"  # too few seeds
    turned = pair("a", "b", 0.1, 0.3, 0.001, 0.0).swap()
    assert (turned.first, turned.relation) == ("b", "worse")
    assert (turned.difference.low, turned.difference.high) == (-0.3, -0.1)


def test_three_seeds_never_tell_apart_and_ten_do() -> None:
    gap = {"good": np.array([1.0, 1.1, 1.2]), "random": np.array([0.0, 0.1, 0.1])}
    (three,) = compare_to(gap, "random")
    assert three.p == 0.25 and not three.is_significant
    rng = generator(1)
    base = rng.normal(size=10)
    scores = {"good": base + 1, "same": base + rng.normal(scale=0.01, size=10), "random": base}
    pairs = compare_all(scores)
    assert [pair.is_significant for pair in pairs] == [True, True, False]
    assert pairs[0].p_holm == pytest.approx(3 * smallest_p(10))
    assert rank_with_ties(list(scores), pairs) == {"good": 1, "same": 2, "random": 2}


def test_an_a_a_comparison_is_rarely_called_a_difference() -> None:
    rng = generator(11)
    p_values = [sign_flip_p(rng.normal(size=8)) for _ in range(1000)]
    assert np.mean(np.array(p_values) < 0.05) <= 0.065  # 0.05 and two standard errors


def test_the_interval_of_three_values_by_hand() -> None:
    # Subset means of (1, 2, 6): 1, 1.5, 2, 3, 3.5, 4, 6. Two flips of eight are at or beyond 9.
    found = mean_difference([1.0, 2.0, 6.0], level=0.5)
    assert (found.estimate, found.low, found.high) == (3.0, 1.0, 6.0)
    found = mean_difference([1.0, 2.0, 6.0], level=0.25)
    assert (found.low, found.high) == (1.5, 4.0)
    assert np.isnan(mean_difference([1.0, 2.0, 3.0, 4.0, 5.0]).low)  # 5 can never reach 0.05


@pytest.mark.parametrize("size", [6, 9, 13])
def test_the_interval_holds_what_the_test_does_not_reject(size: int) -> None:
    values = generator(size).gumbel(0.3, size=size)
    found = mean_difference(values)
    margin = 1e-6
    for limit, inward in ((found.low, margin), (found.high, -margin)):
        assert sign_flip_p(values - (limit + inward)) >= 0.05
        assert sign_flip_p(values - (limit - inward)) < 0.05


def test_a_drawn_interval_comes_close_to_the_exact_one() -> None:
    values = generator(4).normal(size=MAX_EXACT_PAIRS)
    exact = mean_difference(values)
    drawn = mean_difference(np.append(values, values.mean()), generator())
    assert (drawn.low, drawn.high) == pytest.approx((exact.low, exact.high), abs=0.06)


def test_holm_agrees_with_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_values = generator(3).random(20) ** 3
    expected = multitest.multipletests(p_values, method="holm")[1]
    assert holm(p_values.tolist()) == pytest.approx(expected.tolist())


def test_effects_by_hand() -> None:
    assert cohen_dz([1.0, 2.0, 3.0]) == 2.0
    assert cohen_dz([0.0, 0.0]) == 0.0 and np.isinf(cohen_dz([1.0, 1.0]))
    assert np.isnan(cohen_dz([1.0]))
    assert share_of_wins([1.0, 0.0, -1.0, 2.0]) == 2.5 / 4


def test_power_of_six_seeds_is_that_all_agree() -> None:
    # p < 0.05 needs one flip of 32: all six differences on one side.
    for effect in (0.5, 1.0, 2.0):
        above = scipy_stats.norm.cdf(effect)
        assert power(effect, 6) == pytest.approx(above**6 + (1 - above) ** 6, abs=0.02)
    assert power(9.0, 5) == 0.0


@pytest.mark.parametrize(("effect", "num_seeds"), [(0.5, 34), (0.7, 20), (1.0, 13)])
def test_power_agrees_with_statsmodels(effect: float, num_seeds: int) -> None:
    textbook = pytest.importorskip("statsmodels.stats.power").TTestPower()
    assert power(effect, num_seeds) == pytest.approx(textbook.power(effect, num_seeds, 0.05))


def test_seeds_needed_by_the_textbook_and_by_the_exact_test() -> None:
    # Mean 0.5, standard deviation 1: a paired t-test at 0.05 reaches power 0.8 with 34 pairs.
    spread = np.array([-1.0, 1.0]) / np.sqrt(2)
    assert seeds_for_differences(spread + 0.5) == 34
    assert seeds_for(2.0) == 6 and 10 <= (seeds_for(1.0) or 0) <= 12
    # Plain as day, but fewer can never show it.
    assert seeds_for_differences([1.0, 1.001, 1.002]) == 6
    assert seeds_for_differences([0.3, 0.3, 0.3]) == 6
    assert seeds_for_differences([1.0, -1.0]) is None
    assert seeds_for_differences([1.0, -0.9999]) is None
    assert seeds_for_differences([1.0]) is None
    assert detectable_effect(5) is None
    assert power(detectable_effect(20) or 0, 20) == pytest.approx(0.8, abs=0.002)


def test_probability_of_improvement_by_hand_and_by_mann_whitney() -> None:
    assert probability_of_improvement([1.0, 2.0], [1.0, 3.0]) == (0.5 + 0 + 1 + 0) / 4
    two_tasks = probability_of_improvement([[1.0, 5.0]], [[0.0, 9.0], [2.0, 9.0]])
    assert two_tasks == (0.5 + 0.0) / 2
    first, second = generator(1).normal(0.3, size=9), generator(2).normal(size=7)
    statistic = scipy_stats.mannwhitneyu(first, second).statistic
    assert probability_of_improvement(first, second) == pytest.approx(statistic / 63)
    matrix = improvement_matrix({"a": first, "b": second})
    assert matrix[0, 1] + matrix[1, 0] == 1 and matrix.diagonal().tolist() == [0.5, 0.5]


def test_performance_profiles_by_hand() -> None:
    assert performance_profile([0.1, 0.4, 0.4, 0.9], [0.0, 0.4, 1.0]).tolist() == [1, 0.25, 0]
    low, high = profile_band([0.1, 0.4, 0.4, 0.9], [0.0, 0.4, 1.0], generator())
    assert (low[0], high[0], low[2], high[2]) == (1, 1, 0, 0) and 0 <= low[1] < 0.25 < high[1] <= 1


def test_running_times_by_hand() -> None:
    hits = first_hits([1, 2, 3, 4], [np.nan, 0.2, 0.2, 0.7], [0.1, 0.2, 0.5, 0.9])
    assert hits.tolist() == [2, 2, 4, np.inf]
    found = expected_running_time([2.0, np.inf, 4.0], [10.0, 10.0, 10.0])
    assert (found.expected, found.success_rate) == (16 / 2, 2 / 3)
    never = expected_running_time([np.inf, np.inf], [10.0, 12.0])
    assert np.isinf(never.expected) and (never.at_least, never.num_successes) == (22, 0)
    shares = runtime_ecdf([[1.0, 2.0], [2.0, np.inf]], [0.5, 1, 2, 99])
    assert shares.tolist() == [0, 0.25, 0.75, 0.75]


def test_critical_difference_against_demsar_and_scikit_posthocs() -> None:
    posthocs = pytest.importorskip("scikit_posthocs")
    scores = generator(5).normal(size=(12, 4)) + [0.0, 0.1, 1.5, 3.0]
    found = critical_difference(scores)
    # Demsar (2006), table 5a: q = 2.569 for 4 classifiers at 0.05.
    assert found.distance == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 12)), abs=2e-3)
    p_values = posthocs.posthoc_nemenyi_friedman(scores).to_numpy()
    apart = np.abs(found.mean_ranks[:, None] - found.mean_ranks) > found.distance
    assert (apart == (p_values < 0.05)).all() and apart.any()
    assert found.friedman_p == pytest.approx(scipy_stats.friedmanchisquare(*scores.T).pvalue)


def test_stretches_that_nothing_separates() -> None:
    scores = np.tile([4.0, 3.0, 2.0, 1.0], (30, 1))  # ranks 1 to 4, distance 0.86
    assert critical_difference(scores).groups() == []
    assert critical_difference(np.ones((10, 3))).groups() == [(0, 2)]
    scores[::2] = scores[::2][:, [1, 0, 2, 3]]  # the first two are 1.5 each
    assert critical_difference(scores).groups() == [(0, 1)]


def test_a_critical_difference_of_few_blocks_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="needs 10 blocks and 3 searchers, got 9 and 4"):
        critical_difference(np.zeros((9, 4)))
