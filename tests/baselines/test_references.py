"""Reference patterns at any depth: what makes them themselves survives the shortening."""

import re
from itertools import groupby

import pytest

from nasarena.baselines.references import (
    NEMOTRON_H_8B,
    NEMOTRON_NANO_2_9B,
    REFERENCES,
    repeat,
    shorten_in_blocks,
)
from nasarena.search.notation import from_nemotron

LONG = {"H": from_nemotron(NEMOTRON_H_8B), "Nano 2": from_nemotron(NEMOTRON_NANO_2_9B)}


def longest_runs(pattern: str) -> dict[str, int]:
    runs = [(letter, len(list(run))) for letter, run in groupby(pattern)]
    return {kind: max((n for letter, n in runs if letter == kind), default=0) for kind in "AMS"}


def share_of_changes(pattern: str) -> float:
    return sum(a != b for a, b in zip(pattern, pattern[1:], strict=False)) / (len(pattern) - 1)


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("depth", range(3, 80))
def test_a_shortened_pattern_keeps_its_kinds_runs_and_shares(name: str, depth: int) -> None:
    pattern = LONG[name]
    made = shorten_in_blocks(pattern)(depth)
    assert len(made) == depth and set(made) == set("AMS")
    runs, original = longest_runs(made), longest_runs(pattern)
    assert all(runs[kind] <= original[kind] for kind in "AMS")
    blocks = set(re.findall(r"[^M]*M+", pattern))
    assert set(re.findall(r"[^M]*M+", made)) <= blocks
    for kind in "AMS":
        off = abs(made.count(kind) - depth * pattern.count(kind) / len(pattern))
        assert off < 1.5 or depth < 8
    if depth >= 12:
        assert abs(share_of_changes(made) - share_of_changes(pattern)) < 0.1


@pytest.mark.parametrize("name", LONG)
def test_at_its_own_depth_a_pattern_is_itself(name: str) -> None:
    assert shorten_in_blocks(LONG[name])(len(LONG[name])) == LONG[name]


def test_blocks_are_taken_from_evenly_spaced_places_by_hand() -> None:
    # Six blocks of two and one of three letters; of 9 letters one A is nearest to its share of
    # 9 / 15, so the only block with an A stays, and three of the others.
    assert shorten_in_blocks("SMSMSMSAMSMSMSM")(9) == "SMSMSAMSM"


@pytest.mark.parametrize("depth", range(3, 40))
def test_a_stripe_is_filled_from_the_front_and_ends_in_a_whole_unit(depth: int) -> None:
    made = repeat("AMM")(depth)
    assert len(made) == depth and made.endswith("AMM")
    assert longest_runs(made)["M"] == 2


@pytest.mark.parametrize("depth", [8, 16, 24, 32])
def test_no_reference_loses_a_kind_of_its_family(depth: int) -> None:
    kinds = {reference.name: set(reference.make(depth)) for reference in REFERENCES}
    assert kinds["Jamba 1:7"] == kinds["Qwen3-Next 3:1"] == kinds["Nemotron-H"] == set("AMS")
    assert kinds["Llama 3.2"] == kinds["sandwich"] == kinds["Composer"] == set("AM")
