"""Statistics against values worked out by hand, against scipy, and against their own promise."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from nasarena.figures.significance import (
    Comparison,
    compare_all,
    compare_to,
    holm,
    seeds_needed,
    shared_ranks,
    sign_flip_p,
    smallest_p,
)
from nasarena.figures.stats import (
    Interval,
    band,
    bootstrap_iqm,
    icc1,
    interval,
    iqm,
    rank_agreement,
    step_fill,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_iqm_cuts_a_quarter_at_either_end() -> None:
    assert iqm([100.0, 1.0, 2.0, -50.0]) == 1.5
    assert iqm([1.0, 2.0, 6.0]) == 3.0  # too few to cut
    assert iqm([9.0, 1.0, 2.0, 3.0, 0.0]) == 2.0  # the middle three
    assert iqm(np.array([[0.0, 10.0], [1.0, 20.0], [2.0, 30.0], [3.0, 90.0]])).tolist() == [1.5, 25]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 11, 20])
def test_iqm_is_the_trimmed_mean_of_scipy(size: int) -> None:
    values = generator(size).normal(size=size)
    assert iqm(values) == pytest.approx(scipy_stats.trim_mean(values, 0.25))


def test_iqm_of_a_set_with_a_hole_is_no_number() -> None:
    assert np.isnan(iqm([1.0, np.nan, 2.0, 3.0]))
    assert np.isnan(iqm(np.array([[1.0, np.nan], [2.0, 5.0]]))).tolist() == [False, True]


def test_bootstrap_draws_runs_within_each_task() -> None:
    # Runs agree within each task, so every stratified repeat is the same pair of means.
    constant_within_task = np.array([[1.0, 5.0]] * 4)
    assert set(bootstrap_iqm(constant_within_task, generator(), 50)) == {3.0}
    # 27 equally likely draws of 3 values: the mean is 0 in exactly 1 of them.
    repeats = bootstrap_iqm([0.0, 1.0, 2.0], generator(), 50_000)
    assert np.mean(repeats == 0) == pytest.approx(1 / 27, abs=0.003)
    assert np.mean(repeats == 1) == pytest.approx(7 / 27, abs=0.008)


def test_bootstrap_depends_on_its_generator_alone() -> None:
    values = generator(5).normal(size=(6, 3))
    assert np.array_equal(
        bootstrap_iqm(values, generator(1), 20), bootstrap_iqm(values, generator(1), 20)
    )
    assert not np.array_equal(
        bootstrap_iqm(values, generator(1), 20), bootstrap_iqm(values, generator(2), 20)
    )


def test_interval_of_three_seeds_spans_them_and_of_one_seed_is_unknown() -> None:
    three = interval([0.2, 0.5, 0.8], generator())
    assert [three.estimate, three.low, three.high] == pytest.approx([0.5, 0.2, 0.8])
    single = interval([0.7], generator())
    assert single.estimate == 0.7 and np.isnan([single.low, single.high]).all()


@pytest.mark.parametrize(("size", "lowest", "highest"), [(3, 0.70, 0.80), (5, 0.91, 0.96)])
def test_intervals_cover_as_documented_with_few_seeds(
    size: int, lowest: float, highest: float
) -> None:
    assert lowest <= coverage(size) <= highest


@pytest.mark.parametrize("size", [10, 20])
def test_intervals_cover_close_to_their_level(size: int) -> None:
    assert 0.93 <= coverage(size) <= 0.98


def coverage(size: int, repeats: int = 800) -> float:
    rng = generator(size)
    intervals = [interval(rng.normal(size=size), rng, num_repeats=500) for _ in range(repeats)]
    return float(np.mean([each.low <= 0 <= each.high for each in intervals]))


def test_band_is_the_interval_at_every_grid_point() -> None:
    curves = np.array([[np.nan, 0.0, 1.0], [0.0, 1.0, 2.0], [0.0, 2.0, 6.0]])
    middle, low, high = band(curves, generator())
    assert np.isnan([middle[0], low[0], high[0]]).all()  # one run has no score there yet
    assert middle[1:].tolist() == [1.0, 3.0]
    assert (low[1:].tolist(), high[1:].tolist()) == ([0.0, 1.0], [2.0, 6.0])
    _, low, high = band(curves[:1], generator())
    assert np.isnan(low).all() and np.isnan(high).all()


def test_steps_are_filled_forward_and_never_interpolated() -> None:
    filled = step_fill([10, 20, 20, 40], [0.1, 0.2, 0.3, 0.9], [5, 10, 19, 20, 39, 40, 100])
    assert np.isnan(filled[0])
    assert filled[1:].tolist() == [0.1, 0.1, 0.3, 0.3, 0.9, 0.9]
    assert np.isnan(step_fill([], [], [1.0, 2.0])).all()


def test_icc_by_hand() -> None:
    # Pattern means 2 and 6 of 2 seeds: MSB = 2 * 8 = 16, MSW = (2 + 2) / 2 = 2.
    assert icc1([[1.0, 3.0], [5.0, 7.0]]) == pytest.approx((16 - 2) / (16 + 2))
    assert icc1([[1.0, 1.0], [2.0, 2.0]]) == 1.0
    # Shrout & Fleiss (1979), table 2: six targets, four judges, ICC(1,1) = 0.17.
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert icc1(ratings) == pytest.approx(0.17, abs=0.005)


def test_rank_agreement() -> None:
    tau, rho = rank_agreement([1, 2, 3, 4], [1, 2, 4, 3])
    assert (tau, rho) == (pytest.approx(4 / 6), pytest.approx(0.8))


def test_sign_flips_by_hand() -> None:
    # Sums of (+-1, +-2, +-3): +-6, +-4, +-2, 0, 0; only 2 of 8 reach 6.
    assert sign_flip_p([1.0, 2.0, 3.0]) == 2 / 8
    assert sign_flip_p([1.0, 2.0, -3.0]) == 1.0
    assert sign_flip_p([0.0, 0.0]) == 1.0
    assert smallest_p(3) == 0.25 and smallest_p(6) < 0.05 < smallest_p(5)


@pytest.mark.parametrize("size", [2, 5, 9, 12])
def test_sign_flips_agree_with_scipy(size: int) -> None:
    values = generator(size).normal(0.4, size=size)
    expected = scipy_stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip_p(values) == pytest.approx(expected.pvalue)


def test_drawn_sign_flips_come_close_to_the_exact_ones() -> None:
    values = generator(3).normal(0.35, size=22)
    padded = np.append(values, 0.0)  # a zero changes no sum, but there are now 23 pairs
    assert sign_flip_p(padded, generator()) == pytest.approx(sign_flip_p(values), abs=0.005)
    with pytest.raises(ValueError, match="generator"):
        sign_flip_p(padded)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_searchers_that_cannot_be_told_apart_share_a_rank() -> None:
    def pair(first: str, second: str, difference: float, p_holm: float) -> Comparison:
        return Comparison(first, second, Interval(difference, 0, 0), difference > 0, p_holm, p_holm)

    pairs = [pair("a", "b", 0.1, 0.3), pair("a", "c", 0.5, 0.01), pair("c", "b", -0.4, 0.02)]
    assert shared_ranks("abc", pairs) == {"a": 1, "b": 1, "c": 3}


def test_three_seeds_never_tell_apart_and_ten_do() -> None:
    gap = {"good": np.array([1.0, 1.1, 1.2]), "random": np.array([0.0, 0.1, 0.1])}
    (three,) = compare_to(gap, "random")
    assert three.p == 0.25 and not three.is_told_apart
    rng = generator(1)
    base = rng.normal(size=10)
    scores = {"good": base + 1, "same": base + rng.normal(scale=0.01, size=10), "random": base}
    pairs = compare_all(scores)
    assert [pair.is_told_apart for pair in pairs] == [True, True, False]
    assert pairs[0].p_holm == pytest.approx(3 * smallest_p(10))
    assert shared_ranks(list(scores), pairs) == {"good": 1, "same": 2, "random": 2}


def test_an_a_a_comparison_is_rarely_called_a_difference() -> None:
    rng = generator(11)
    p_values = [sign_flip_p(rng.normal(size=8)) for _ in range(1000)]
    assert np.mean(np.array(p_values) < 0.05) <= 0.065  # 0.05 and two standard errors


def test_seeds_needed_matches_the_textbook_and_the_exact_test() -> None:
    # Mean 0.5, standard deviation 1: a paired t-test at 0.05 reaches power 0.8 with 34 pairs.
    spread = np.array([-1.0, 1.0]) / np.sqrt(2)
    assert seeds_needed(spread + 0.5) == 34
    assert seeds_needed([1.0, 1.001, 1.002]) == 6  # plain as day, but fewer can never show it
    assert seeds_needed([0.3, 0.3, 0.3]) == 6
    assert seeds_needed([1.0, -1.0]) is None
    assert seeds_needed([1.0, -0.9999]) is None
    assert seeds_needed([1.0]) is None
