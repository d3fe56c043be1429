"""Searchers that are random search under another name are named."""

from pathlib import Path
from typing import Any

import pytest

from nasarena.figures.report.verdict import num_leading, verdict
from nasarena.figures.results.analysis import analyze
from nasarena.figures.results.proposals import RandomBeginning


def test_a_searcher_that_proposes_what_random_search_proposes_is_named(
    tmp_path: Path, add_comparison: Any
) -> None:
    add_comparison(tmp_path, {"random": 0.0, "twin": 0.0, "climber": 1.0}, seeds=2)
    analysis = analyze(tmp_path)
    assert analysis.random_beginnings == [RandomBeginning("twin", 12, 12)]
    found = [sentence for sentence in verdict(analysis) if "random search here" in sentence]
    assert verdict(analysis)[2 : num_leading(analysis)] == found  # never folded
    assert found == [
        "twin is random search here: every pattern tried is the one that random search tried."
    ]


@pytest.mark.parametrize(("num_own", "named"), [(3, ["late"]), (7, [])])
def test_a_searcher_is_named_by_the_share_that_is_its_own(
    tmp_path: Path, add_run: Any, num_own: int, named: list[str]
) -> None:
    patterns = ["AAAAAA", "AAAAAM", "AAAAMA", "AAAMAA", "AAMAAA", "AMAAAA", "MAAAAA", "AAAAMM"]
    for seed in (0, 1):
        add_run(tmp_path, "random", seed, patterns=patterns, amount=12)
        own = [pattern.replace("A", "S", 1) for pattern in patterns]
        late = patterns[:-num_own] + own[-num_own:]
        add_run(tmp_path, "late", seed, patterns=late, amount=12)
    # Four of the initial design come first, the same for everybody.
    found = analyze(tmp_path).random_beginnings
    assert [one.searcher for one in found] == named
    assert all((one.num_common, one.num_trials, one.is_whole) == (9, 12, False) for one in found)
    words = [one for one in verdict(analyze(tmp_path)) if "first 9 of 12 trials" in one]
    assert len(words) == len(named)


def test_without_random_search_nobody_is_named(tmp_path: Path, add_comparison: Any) -> None:
    add_comparison(tmp_path, {"one": 0.0, "twin": 0.0}, seeds=2)
    assert analyze(tmp_path).random_beginnings == []
