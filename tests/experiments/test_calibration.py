"""The calibration measures what it says: its simulated comparisons have the truth they claim."""

import numpy as np
import pytest

from nasarena.experiments.measure import calibration
from nasarena.search.seeding import stream


def decisions(gap: float, number: int = 60) -> list[calibration.Decision]:
    levels = {"better": gap * calibration.DIFFERENCE, "other": 0.0}
    return [calibration.simulate(stream(k, "test"), 10, levels, "normal") for k in range(number)]


def test_simulated_comparisons_have_the_spread_they_claim() -> None:
    found = decisions(1.0)
    differences = np.concatenate(
        [np.subtract(each.scores["better"], each.scores["other"]) for each in found]
    )
    assert differences.std() == pytest.approx(calibration.DIFFERENCE, rel=0.08)
    assert differences.mean() == pytest.approx(calibration.DIFFERENCE, rel=0.15)
    noise = np.array([each.noise for each in found])
    assert noise.mean() == pytest.approx(calibration.NOISE, rel=0.05)
    rope = calibration.NOISE / np.sqrt(calibration.NUM_TRAININGS)
    assert np.mean([each.rope for each in found]) == pytest.approx(rope, rel=0.05)


def test_a_plain_gap_is_found_and_none_is_not() -> None:
    assert all(pair.is_significant for each in decisions(4.0, 10) for pair in each.pairs)
    same = [pair.is_significant for each in decisions(0.0) for pair in each.pairs]
    assert np.mean(same) <= 0.15


def test_a_whole_comparison_has_every_pair_and_its_correction() -> None:
    levels = dict.fromkeys(calibration.NAMES, 0.0) | {"searcher 3": 5 * calibration.DIFFERENCE}
    pairs = calibration.simulate(stream(0, "whole"), 12, levels, "normal").pairs
    assert len(pairs) == 66
    significant = [pair for pair in pairs if pair.is_significant]
    assert len(significant) == 11
    assert all("searcher 3" in (pair.first, pair.second) for pair in significant)
    smallest = min(pair.p_holm for pair in pairs)
    assert smallest == pytest.approx(66 * 2 / 2**12)  # the smallest p of 12 pairs, times 66


@pytest.mark.parametrize("shape", calibration.SHAPES)
def test_shapes_have_mean_zero_and_unit_spread(shape: str) -> None:
    values = calibration.SHAPES[shape](stream(0, shape), 200_000)
    assert (values.mean(), values.std()) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.01))


def test_blocks_have_the_scales_of_their_landscapes() -> None:
    rng = stream(0, "blocks")
    for suite, (scales, num_seeds) in calibration.SUITES.items():
        drawn = [calibration.draw_blocks(rng, "normal", suite) for _ in range(2_000)]
        assert drawn[0].shape == (num_seeds, len(scales))
        assert np.concatenate(drawn).std(axis=0) == pytest.approx(np.array(scales), rel=0.05)
