"""The space against enumeration with itertools, and the other spellings of a pattern."""

from itertools import product

import numpy as np
import pytest

from nasarena.search.errors import InvalidPattern, InvalidSetting
from nasarena.search.notation import (
    expand,
    from_nemotron,
    run_lengths,
)
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 16)
SMALL = PatternSpace("AMS", 4)


def test_sizes_are_those_of_the_design() -> None:
    assert SPACE.size == 43_046_721
    assert PatternSpace("AM", 16).size == 65_536


def test_index_numbers_the_patterns_as_itertools_does() -> None:
    for index, letters in enumerate(product("AMS", repeat=4)):
        pattern = "".join(letters)
        assert SMALL.index(pattern) == index
        assert SMALL.pattern(index) == pattern


def test_index_is_a_bijection_at_full_depth() -> None:
    assert SPACE.pattern(0) == "A" * 16
    assert SPACE.pattern(SPACE.size - 1) == "S" * 16
    for index in np.random.default_rng(0).integers(SPACE.size, size=100).tolist():
        assert SPACE.index(SPACE.pattern(index)) == index
    with pytest.raises(InvalidPattern, match=r"index must be in 0\.\.43046720, got 43046721"):
        SPACE.pattern(SPACE.size)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("AMAMAMAMAMAMAMA", r"must have 16 letters from AMS, got 15 \('AMAMAMAMAMAMAMA'\)"),
        ("AMXMAMAMAMAMAMAM", r"got 'X' at position 3 \('AMXMAMAMAMAMAMAM'\)"),
        ("amamamamamamamam", "got 'a' at position 1"),
        ("", r"got 0 \(''\)"),
        (5, r"must be a string of 16 letters from AMS, got int \(5\)"),
        (None, "got NoneType"),
    ],
)
def test_refusal_shows_what_came_and_where(pattern: object, message: str) -> None:
    with pytest.raises(InvalidPattern, match=message):
        SPACE.validate(pattern)
    assert pattern not in SPACE


def test_a_huge_pattern_does_not_make_a_huge_message() -> None:
    with pytest.raises(InvalidPattern) as caught:
        SPACE.validate("A" * 1_000_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("alphabet", ["", "AA", "A1", "A-M"])
def test_bad_alphabets_are_refused(alphabet: str) -> None:
    with pytest.raises(InvalidSetting, match="distinct letters"):
        PatternSpace(alphabet, 4)


def test_samples_are_uniform() -> None:
    rng = np.random.default_rng(1)
    small = PatternSpace("AM", 3)
    counts = np.bincount([small.index(small.sample(rng)) for _ in range(8000)], minlength=8)
    # 8 cells of 1,000 expected: chi-square with 7 degrees of freedom, 24.3 is its 0.999 quantile.
    assert ((counts - 1000) ** 2 / 1000).sum() < 24.3


def test_neighbours_are_all_patterns_at_distance_one() -> None:
    pattern = "AMSA"
    expected = {
        other
        for other in map("".join, product("AMS", repeat=4))
        if sum(a != b for a, b in zip(pattern, other, strict=True)) == 1
    }
    neighbours = list(SMALL.neighbours(pattern))
    assert len(neighbours) == len(set(neighbours)) == 8
    assert set(neighbours) == expected


@pytest.mark.parametrize("num_changes", [1, 3, 16])
def test_mutation_changes_exactly_as_many_positions(num_changes: int) -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        parent = SPACE.sample(rng)
        child = SPACE.mutate(parent, rng, num_changes)
        assert child in SPACE
        assert SPACE.hamming(parent, child) == num_changes


def test_mutation_reaches_every_neighbour() -> None:
    rng = np.random.default_rng(3)
    reached = {SMALL.mutate("AMSA", rng) for _ in range(500)}
    assert reached == set(SMALL.neighbours("AMSA"))


def test_crossover_takes_each_position_from_a_parent() -> None:
    rng = np.random.default_rng(4)
    children = {SPACE.crossover("A" * 16, "M" * 16, rng) for _ in range(50)}
    assert len(children) > 40
    shares = np.mean([[letter == "A" for letter in child] for child in children])
    assert 0.4 < shares < 0.6
    assert SPACE.crossover("S" * 16, "S" * 16, rng) == "S" * 16


def test_one_hot_and_digits() -> None:
    assert SMALL.digits("AMSA").tolist() == [0, 1, 2, 0]
    assert SMALL.one_hot("AMSA").tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert SMALL.from_digits([0, 1, 2, 0]) == "AMSA"


def test_a_single_letter_space_has_one_pattern_and_no_mutation() -> None:
    lonely = PatternSpace("M", 5)
    assert lonely.size == 1
    assert lonely.mutate("MMMMM", np.random.default_rng(0)) == "MMMMM"
    assert list(lonely.neighbours("MMMMM")) == []


def test_distinct_patterns_begin_the_same_however_many_are_asked_for() -> None:
    small = PatternSpace("AMS", 3)
    everything = small.sample_distinct(27, stream(0, "distinct"))
    assert len(set(everything)) == 27
    assert small.sample_distinct(5, stream(0, "distinct")) == everything[:5]
    with pytest.raises(InvalidSetting, match="at most the 27 of the space, got 28"):
        small.sample_distinct(28, stream(0, "distinct"))


def test_run_lengths_round_trip() -> None:
    composer = "2A5M2A3M1A3M"
    assert expand(composer) == "AAMMMMMAAMMMAMMM"
    assert run_lengths("AAMMMMMAAMMMAMMM") == composer
    assert expand("AM2S") == "AMSS"
    assert expand("AMAM") == "AMAM"


@pytest.mark.parametrize("text", ["2", "A2", "0A", "A-M", "", "2 A"])
def test_malformed_run_lengths_show_the_place(text: str) -> None:
    with pytest.raises(InvalidPattern, match="run lengths must be counts from 1 and letters"):
        expand(text)


def test_patterns_as_nemotron_spells_them() -> None:
    # The first letters of Nemotron-H-8B: Mamba, MLP, Mamba, MLP, Mamba, MLP, Mamba, attention.
    assert from_nemotron("M-M-M-M*") == "SMSMSMSA"
    with pytest.raises(InvalidPattern, match="got 'A' in '\\*A'"):
        from_nemotron("*A")
