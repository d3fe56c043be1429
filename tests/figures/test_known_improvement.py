"""The share of a known improvement: the ratio's interval, and the file that it is read from."""

import json
from pathlib import Path

import numpy as np
import pytest

from nasarena.figures.results.known_improvement import (
    FILE_NAME,
    read_known,
)
from nasarena.figures.stats.ratio import ratio_of_means


def test_a_ratio_by_hand() -> None:
    """Fieller's limits are where the t statistic of above - ratio * below is just critical."""
    above, below = [1.0, 2.0, 3.0, 2.0], [4.0, 5.0, 4.0, 7.0]
    found = ratio_of_means(above, below)
    assert found.estimate == pytest.approx(2 / 5)
    for limit in (found.low, found.high):
        rest = np.array(above) - limit * np.array(below)
        statistic = rest.mean() / (rest.std(ddof=1) / 2)
        assert abs(statistic) == pytest.approx(3.18245, rel=1e-5)
    assert found.low < 0.4 < found.high


def test_the_interval_holds_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        below = rng.normal(2.0, 0.5, 6)
        above = 0.7 * below + rng.normal(0.0, 0.3, 6)
        found = ratio_of_means(above, below)
        held += bool(found.low <= 0.7 <= found.high)
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("below", [[0.1, -0.2, 0.1, 0.0], [-1.0, -1.1, -0.9, -1.0]])
def test_without_an_improvement_there_is_no_share(below: list[float]) -> None:
    assert np.isnan(ratio_of_means([1.0, 1.0, 1.1, 1.0], below).estimate)
    assert np.isnan(ratio_of_means([1.0, 1.0], [1.0, 1.0]).estimate)


def test_a_share_is_taken_over_the_seeds_that_all_have(tmp_path: Path) -> None:
    file = {
        "proxy_version": "v", "candidate": "depth=1", "seeds": [0, 1, 2, 3],
        "script": [-3.0, -3.2, -3.1, None], "best": [-2.0, -2.2, -2.1, -2.0],
    }  # fmt: skip
    (tmp_path / FILE_NAME).write_text(json.dumps(file))
    known = read_known(tmp_path, "v")
    assert known is not None
    assert known.script == {0: -3.0, 1: -3.2, 2: -3.1}
    share = known.share([0, 1, 2, 3], [-2.5, -2.7, -2.6, 99.0])
    assert share.estimate == pytest.approx(0.5)
    assert (share.low, share.high) == pytest.approx((0.5, 0.5))
    assert read_known(tmp_path, "another version of the proxy") is None


@pytest.mark.parametrize("content", [None, "", "[]", '{"proxy_version": "v"}', '{"seeds"'])
def test_a_file_that_says_nothing_is_no_known_improvement(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_text(content)
    assert read_known(tmp_path, "v") is None
