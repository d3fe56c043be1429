"""Means, intervals, curves and agreement: by hand, against scipy, and what they promise."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from nasarena.figures.stats.agreement import icc1, residual_noise
from nasarena.figures.stats.curves import area_under_steps, rank_band, ranks_over_budget, step_fill
from nasarena.figures.stats.intervals import (
    Interval,
    band,
    bootstrap_iqm,
    interval,
    iqm,
    widen_limits,
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


def test_interval_of_three_seeds_leaves_their_range_and_of_one_seed_is_unknown() -> None:
    three = interval([0.2, 0.5, 0.8], generator())
    # The bootstrap limits are the extremes; scaled by t / z = 4.303 / 1.960 and sqrt(3 / 2).
    reach = 0.3 * 4.3027 / 1.95996 * np.sqrt(1.5)
    assert [three.estimate, three.low, three.high] == pytest.approx(
        [0.5, 0.5 - reach, 0.5 + reach], rel=1e-4
    )
    single = interval([0.7], generator())
    assert single.estimate == 0.7 and np.isnan([single.low, single.high]).all()


@pytest.mark.parametrize("size", [3, 5, 10, 20])
def test_intervals_cover_close_to_their_level(size: int) -> None:
    assert 0.925 <= coverage(size) <= 0.975


def coverage(size: int, repeats: int = 800) -> float:
    rng = generator(size)
    intervals = [interval(rng.normal(size=size), rng, num_repeats=500) for _ in range(repeats)]
    return float(np.mean([each.low <= 0 <= each.high for each in intervals]))


def test_band_is_the_interval_at_every_grid_point() -> None:
    curves = np.array([[np.nan, 0.0, 1.0], [0.0, 1.0, 2.0], [0.0, 2.0, 6.0]])
    middle, low, high = band(curves, generator())
    assert np.isnan([middle[0], low[0], high[0]]).all()  # one run has no score there yet
    assert middle[1:].tolist() == [1.0, 3.0]
    reach = 4.3027 / 1.95996 * np.sqrt(1.5)
    assert low[1:] == pytest.approx([1 - reach, 3 - 2 * reach], rel=1e-4)
    assert high[1:] == pytest.approx([1 + reach, 3 + 3 * reach], rel=1e-4)
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


def test_noise_is_what_pattern_and_seed_leave_unexplained() -> None:
    # Row effects 0 and 10, column effects 0, 1, 5; residuals +-1 in the last two columns.
    table = np.array([[0.0, 2.0, 4.0], [10.0, 10.0, 16.0]])
    assert residual_noise(table) == pytest.approx(np.sqrt(4 / 2))
    assert residual_noise([[0.0, 1.0, 5.0], [10.0, 11.0, 15.0]]) == pytest.approx(0)
    samples = generator(2).normal(scale=0.3, size=(200, 30)) + np.arange(30)
    assert residual_noise(samples) == pytest.approx(0.3, rel=0.03)


def test_area_under_steps_by_hand() -> None:
    # 1 from 0 to 2, then 3 up to 3: (2 * 1 + 1 * 3) / 3.
    assert area_under_steps([0.0, 2.0], [1.0, 3.0], 0, 3) == pytest.approx(5 / 3)
    assert area_under_steps([0.0, 2.0], [1.0, 3.0], 2, 3) == 3.0
    assert area_under_steps([0.0, 2.0], [1.0, 3.0], 0, 1) == 1.0
    assert np.isnan(area_under_steps([1.0, 2.0], [1.0, 3.0], 0, 3))


def test_ranks_over_budget_by_hand() -> None:
    first = [[0.5, 0.9], [0.5, 0.7]]  # two seeds, two points
    second = [[0.5, 0.6], [0.4, 0.8]]
    late = [[np.nan, 0.1], [0.1, 0.1]]
    assert ranks_over_budget([first, second]).tolist() == [[1.25, 1.5], [1.75, 1.5]]
    assert np.isnan(ranks_over_budget([first, second, late])[:, 0]).all()
    low, high = rank_band([first, second], generator())
    assert (low[0].tolist(), high[0].tolist()) == ([1.0, 1.0], [1.5, 2.0])


def test_bootstrap_of_20_runs_of_10_tasks_depends_on_the_tasks_centres() -> None:
    values = generator(1).normal(size=(20, 10)) + 10 * np.arange(10)
    found = interval(values, generator())
    middle = values[:, 3:7].mean()  # whole tasks lie outside the middle half
    assert found.low < middle < found.high and found.high - found.low < 1.5
    assert str(Interval(0.5, 0.25, 0.75)) == "0.5000 [0.2500, 0.7500]"


def test_limits_over_several_tasks_are_widened_for_few_runs_of_each() -> None:
    """Student's quantile with 6 x 3 degrees of freedom, and sqrt(4 / 3)."""
    repeats = np.linspace(-1.0, 1.0, 4001)
    low, high = widen_limits(repeats, np.array(0.0), num_runs=4, num_tasks=6)
    expected = 0.95 * 2.10092 / 1.95996 * np.sqrt(4 / 3)
    assert (-low, high) == (pytest.approx(expected, rel=1e-4), pytest.approx(expected, rel=1e-4))
