"""Scaling laws: planted ones are found again, by hand where that can be done, with intervals."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy.optimize import minimize

from nasarena.experiments.measure.scaling import laws as planted
from nasarena.figures.stats.isoflop import bias_of_parabolas, fit_frontier, fit_parabola
from nasarena.figures.stats.scaling_cells import Cells, deviations, make_cells, resample
from nasarena.figures.stats.scaling_intervals import predict_losses, study_laws
from nasarena.figures.stats.scaling_law import Laws, Noise, Sharing, fit_laws
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream

SIZES = np.geomspace(1e6, 16e6, 5)
TRUTH = Laws(
    ("one", "two"),
    np.array([1.7, 1.7]),
    np.array([120.0, 60.0]),
    np.array([0.34, 0.29]),
    np.array([300.0, 900.0]),
    np.array([0.28, 0.36]),
)


def grid(truth: Laws, noise: float = 0.0, num_seeds: int = 1, share: bool = True) -> Cells:
    """Every architecture at 5 sizes x 4 numbers of tokens."""
    group, size, length, seed = np.indices((len(truth.names), 5, 4, num_seeds)).reshape(4, -1)
    params, tokens = SIZES[size], np.geomspace(2e7, 2e9, 4)[length]
    losses = np.array([truth.losses(*each) for each in zip(group, params, tokens, strict=True)])
    losses += noise * stream(0, "noise").normal(size=len(losses))
    return make_cells([truth.names[g] for g in group], params, tokens, seed, losses, share)


@pytest.mark.parametrize("sharing", ["nothing", "floor"])
@pytest.mark.parametrize("noise", ["equal", "relative", "huber"])
def test_planted_laws_are_recovered_without_noise(sharing: Sharing, noise: Noise) -> None:
    found = fit_laws(grid(TRUTH), sharing, noise)
    for name in ("E", "A", "a", "B", "b"):
        assert getattr(found, name) == pytest.approx(getattr(TRUTH, name), rel=1e-5)


def test_outliers_move_squares_and_hardly_huber() -> None:
    cells = grid(TRUTH, noise=0.004)
    losses = cells.means.copy()
    losses[[3, 30]] *= 1.2
    off = {noise: np.abs(fit_laws(cells, noise=noise, losses=losses).a - TRUTH.a).max()
           for noise in get_args(Noise)}  # fmt: skip
    assert off["huber"] < 0.03 and off["relative"] > 3 * off["huber"] < off["equal"]


def test_shared_exponents_are_shared_and_recovered() -> None:
    truth = Laws(TRUTH.names, TRUTH.E, TRUTH.A, np.full(2, 0.3), TRUTH.B, np.full(2, 0.4))
    found = fit_laws(grid(truth), "floor and exponents")
    assert found.a == pytest.approx([0.3, 0.3], rel=1e-6) and found.a[0] == found.a[1]
    assert found.b == pytest.approx([0.4, 0.4], rel=1e-6)


def test_a_law_without_a_floor_gets_none() -> None:
    """The true E is negative; held at 0, the law has to fall faster instead."""
    truth = Laws(("one",), np.array([-0.2]), *(each[:1] for each in _terms(TRUTH)))
    found = fit_laws(grid(truth))
    assert found.E[0] == 0 and found.a[0] > TRUTH.a[0]


def _terms(laws: Laws) -> tuple[np.ndarray, ...]:
    return laws.A, laws.a, laws.B, laws.b


def test_the_linear_part_is_solved_as_by_hand() -> None:
    """One exponent of 1 on both axes: E + A / N + B / D through six points, worked out exactly."""
    params = np.array([1.0, 2.0, 4.0, 1.0, 2.0, 4.0])
    tokens = np.array([1.0, 1.0, 2.0, 4.0, 4.0, 2.0])
    losses = 1.0 + 2.0 / params + 4.0 / tokens  # 7, 6, 3.5, 4, 3, 3.5
    assert losses.tolist() == [7.0, 6.0, 3.5, 4.0, 3.0, 3.5]
    cells = make_cells(["x"] * 6, params, tokens, np.array([0, 0, 0, 0, 0, 1]), losses)
    start = Laws(("x",), *(np.ones(1) for _ in range(5)))
    found = fit_laws(cells, start=start)
    assert (found.E[0], found.A[0], found.B[0]) == pytest.approx((1, 2, 4), rel=1e-6)


def test_no_other_optimizer_finds_a_smaller_error() -> None:
    cells = grid(TRUTH, noise=0.02)
    found = fit_laws(cells)

    def error(x: np.ndarray) -> float:
        laws = Laws(TRUTH.names, np.full(2, np.exp(x[0])), *np.exp(x[1:]).reshape(4, 2))
        return float(((predict_losses(laws, cells) - cells.means) ** 2).sum())

    begin = np.log(np.concatenate([TRUTH.E[:1], *_terms(TRUTH)]))
    other = minimize(
        error, begin, method="Nelder-Mead", options={"maxiter": 4000, "adaptive": True}
    )
    own = float(((predict_losses(found, cells) - cells.means) ** 2).sum())
    assert own <= other.fun * (1 + 1e-9) and own < error(begin)


def test_too_few_cells_are_refused_in_a_line() -> None:
    cells = grid(TRUTH)
    with pytest.raises(InvalidSetting, match="a law of one needs at least 6 cells .* got 5 with 5"):
        fit_laws(cells.only(cells.tokens == cells.tokens.min()))


def test_the_optimum_is_the_least_loss_at_its_budget() -> None:
    params, tokens = TRUTH.optimum(0, np.array([1e15]))
    around = params * np.geomspace(0.5, 2, 2001)
    losses = TRUTH.losses(0, around, 1e15 / around)
    assert around[losses.argmin()] == pytest.approx(params[0], rel=1e-3)
    assert (params * tokens)[0] == pytest.approx(1e15)
    above = [TRUTH.losses(0, *TRUTH.optimum(0, np.array([c])))[0] - 1.7 for c in (1e15, 1e17)]
    assert np.log(above[0] / above[1]) / np.log(100) == pytest.approx(TRUTH.slope[0])


def test_resampled_errors_have_the_variance_of_a_mean_of_seeds() -> None:
    cells = grid(TRUTH, noise=0.1, num_seeds=2, share=False)
    drawn = resample(cells, np.zeros(40), stream(0, "draws"), 4000)
    noise = cells.seed_noise
    assert noise == pytest.approx(0.1, rel=0.25)
    assert drawn.std() == pytest.approx(noise / np.sqrt(2), rel=0.02)
    assert np.nanmean(deviations(cells) ** 2) == pytest.approx(noise**2)


def test_budgets_of_one_training_err_together() -> None:
    losses = np.array([[3.0, 3.2], [2.0, 2.2], [3.0, 2.6], [2.0, 1.6]])
    group = np.zeros(4, dtype=np.int64)
    unit, params = np.array([0, 0, 1, 1]), np.array([1.0, 1, 2, 2])
    cells = Cells(("x",), group, params, np.array([1.0, 2, 1, 2]), losses, unit)
    drawn = resample(cells, np.zeros(4), stream(0, "draws"), 50)
    assert np.allclose(drawn[:, 0], drawn[:, 1]) and np.allclose(drawn[:, 2], drawn[:, 3])
    assert not np.allclose(drawn[:, 0], drawn[:, 2])
    assert cells.freedom == 2


def test_intervals_hold_planted_values_and_shrink_with_the_noise() -> None:
    wide, narrow = (
        study_laws(grid(TRUTH, noise, 2, False), stream(0, "study"), num_repeats=80)
        for noise in (0.02, 0.002)
    )
    for quantity, truth in (("a", 0.05), ("slope", float(TRUTH.slope[0] - TRUTH.slope[1]))):
        limits = wide.difference(quantity, 0, 1)
        assert limits.low < truth < limits.high
        close = narrow.difference(quantity, 0, 1)
        assert close.high - close.low < 0.3 * (limits.high - limits.low)
    assert wide.noise_from == "seeds" and 0.6 < wide.misfit < 1.5
    low, high = wide.frontier(0, np.array([1e15]))[1:]
    assert low[0] < TRUTH.losses(0, *TRUTH.optimum(0, np.array([1e15])))[0] < high[0]


def test_a_law_that_does_not_hold_is_seen() -> None:
    cells = grid(TRUTH, 0.002, 2, False)
    bump = 0.05 * np.sin(3 * np.log(cells.params) + 2 * np.log(cells.tokens))
    bent = Cells(*(getattr(cells, name) for name in ("names", "group", "params", "tokens")),
                 cells.losses_CS + bump[:, None], cells.unit)  # fmt: skip
    assert study_laws(bent, stream(0, "study"), num_repeats=2).misfit > 5


def test_single_seeds_are_judged_by_what_the_law_leaves_over() -> None:
    found = study_laws(grid(TRUTH, 0.01), stream(0, "study"), num_repeats=80)
    assert found.noise_from == "residuals of the fit" and np.isnan(found.misfit)
    assert found.freedom == 40 - 9
    limits = found.of("a", 0)
    assert limits.low < 0.34 < limits.high and limits.high - limits.low < 0.2


def test_a_parabola_is_found_again() -> None:
    params = np.array([1.0, 2.0, 4.0, 8.0])
    found = fit_parabola(1.0, params, 3.0 + 0.5 * np.log(params / 3.0) ** 2)
    assert (found.optimum, found.bottom, found.curvature) == pytest.approx((3.0, 3.0, 0.5))
    assert found.is_inside and found.losses(np.array([3.0]))[0] == pytest.approx(3.0)
    assert np.isnan(fit_parabola(1.0, params, -(np.log(params) ** 2)).optimum)
    frontier = fit_frontier(
        [1.0, 100.0],
        [params, params],
        [(3 - each + np.log(params / 2 / 2**each) ** 2)[None] for each in (0, 1)],
    )
    assert frontier.allocation == pytest.approx(np.log(2) / np.log(100))
    assert frontier.slope == pytest.approx(np.log(3 / 2) / np.log(100))


def test_parabolas_are_biased_without_noise() -> None:
    """On the same sizes at each budget the exponent is wrong; on centred ones the optimum is."""
    law = Laws(("x",), *(each[:1] for each in (TRUTH.E, *_terms(TRUTH))))
    budgets = list(6 * np.geomspace(1e14, 1e16, 5))
    same, _ = bias_of_parabolas(law, budgets, [np.geomspace(1e6, 1e8, 7)] * 5)
    assert abs(same.allocation - law.allocation[0]) > 0.01
    true = law.optimum(0, np.array(budgets) / 6)[0]
    centred = [at * np.geomspace(1 / 8, 8, 7) for at in true]
    found, ratios = bias_of_parabolas(law, budgets, centred)
    assert found.allocation == pytest.approx(law.allocation[0], abs=1e-9)
    assert max(abs(ratio - 1) for ratio in ratios) > 0.02
    narrow = [at * np.geomspace(0.99, 1.01, 7) for at in true]
    assert bias_of_parabolas(law, budgets, narrow)[1] == pytest.approx([1] * 5, abs=1e-4)


def test_intervals_of_the_measurement_hold_their_truth() -> None:
    """Exactly as the measurement asks, on one draw."""
    hits = planted.covers("half by training", 0, num_repeats=40)
    assert len(hits) == 13 and sum(hits.values()) >= 10


def test_few_seeds_widen_intervals_by_students_quantile() -> None:
    many = replace(study_laws(grid(TRUTH, 0.01), stream(0, "study"), num_repeats=40), freedom=10**9)
    few = replace(many, freedom=4)
    for wide, narrow in ((few.of("a", 0), many.of("a", 0)),
                         (few.difference("b", 0, 1), many.difference("b", 0, 1))):  # fmt: skip
        ratio = (wide.high - wide.estimate) / (narrow.high - narrow.estimate)
        assert ratio == pytest.approx(2.776445 / 1.959964, rel=1e-5)
    assert np.isnan(replace(many, freedom=1).of("a", 0).low)


def test_a_cell_counts_by_its_seeds() -> None:
    """Two seeds of one cell weigh as the same two trainings in two cells would."""
    params = np.repeat(SIZES[:3], 3)
    tokens = np.tile([2e7, 1e8, 5e8], 3)
    losses = TRUTH.losses(0, params, tokens) + 0.05 * stream(0, "x").normal(size=9)
    params, tokens = (np.append(each, each[4]) for each in (params, tokens))
    losses = np.append(losses, losses[4] + 0.1)
    both = make_cells(["x"] * 10, params, tokens, np.array([0] * 9 + [1]), losses)
    tokens[9] *= 1 + 1e-9
    apart = make_cells(["x"] * 10, params, tokens, np.zeros(10, dtype=np.int64), losses)
    assert len(both.group) == 9 and len(apart.group) == 10
    assert fit_laws(both).a == pytest.approx(fit_laws(apart).a, rel=1e-4)
