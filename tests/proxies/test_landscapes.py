"""Synthetic landscapes against brute force over spaces small enough to list."""

from collections.abc import Callable
from itertools import product
from math import inf, sqrt

import numpy as np
import pytest

from nasarena.proxies.contract import check_proxy
from nasarena.proxies.landscape import TOKENS, Landscape
from nasarena.proxies.landscapes import additive, motifs, nk
from nasarena.proxies.spaced_motifs import SpacedMotifs
from nasarena.proxies.window_sum import WindowSum
from nasarena.search.errors import InvalidPattern, InvalidSetting
from nasarena.search.proxy import TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

FULL = PatternSpace("AMS", 16)
SMALL = PatternSpace("AMS", 7)

# letters, depth, width of a window, cyclic
SHAPES = [
    (3, 6, 2, False),
    (3, 6, 2, True),
    (3, 7, 3, False),
    (3, 8, 4, True),
    (2, 8, 5, True),
    (3, 4, 4, True),
    (2, 5, 5, False),
    (4, 5, 3, True),
    (1, 4, 2, False),
]


def window_sum(letters: int, depth: int, width: int, cyclic: bool) -> WindowSum:
    num_windows = depth if cyclic else depth - width + 1
    rng = stream(letters + depth + width, "tables")
    return WindowSum(rng.integers(-900, 900, (num_windows, letters**width)), letters, depth)


def slow_raw(function: WindowSum, digits: tuple[int, ...]) -> int:
    """The definition, word by word."""
    total = 0
    for i, table in enumerate(function.tables):
        window = [digits[(i + k) % len(digits)] for k in range(function.width)]
        state = int("0" + "".join(map(str, window)), max(function.num_letters, 2))
        total += int(table[state])
    return total


@pytest.mark.parametrize("shape", SHAPES)
def test_window_sums_agree_with_listing_the_whole_space(shape: tuple[int, int, int, bool]) -> None:
    function = window_sum(*shape)
    patterns = list(product(range(shape[0]), repeat=shape[1]))
    expected = np.array([slow_raw(function, pattern) for pattern in patterns])
    assert [function.raw(pattern) for pattern in patterns] == expected.tolist()
    assert np.array_equal(function.raw_many(np.arange(len(patterns))), expected)
    assert np.array_equal(function.raw_all(), expected)
    digits, value = function.optimum
    assert value == expected.max() == slow_raw(function, digits)
    assert function.moments == pytest.approx((expected.mean(), expected.std()))


def landscapes(space: PatternSpace, **options: float) -> list[Landscape]:
    return [additive(space, **options), nk(space, **options)]  # type: ignore[arg-type]


SMALL_MOTIFS = motifs(SMALL, motifs=2, length=3)


@pytest.mark.parametrize("landscape", [*landscapes(SMALL), SMALL_MOTIFS], ids=lambda x: x.name)
def test_optimum_regret_percentile_and_moments_by_brute_force(landscape: Landscape) -> None:
    patterns = [SMALL.pattern(i) for i in range(SMALL.size)]
    scores = np.array([landscape.true_score(pattern) for pattern in patterns])
    assert scores.mean() == pytest.approx(0, abs=1e-9) and scores.std() == pytest.approx(1)
    assert np.allclose(landscape.true_scores(np.arange(SMALL.size)), scores, atol=1e-12)
    assert np.allclose(landscape.all_scores(), scores, atol=1e-5)
    best, score = landscape.optimum()
    assert score == scores.max() == landscape.true_score(best) and landscape.regret(best) == 0
    for index in range(0, SMALL.size, 97):
        pattern = patterns[index]
        assert landscape.regret(pattern) == pytest.approx(scores.max() - scores[index])
        not_higher = np.mean(scores <= scores[index])
        assert landscape.percentile(pattern) == pytest.approx(100 * not_higher)
    assert landscape.percentile(best) == 100
    assert landscape.percentile(patterns[int(scores.argmin())]) == pytest.approx(
        100 * np.mean(scores == scores.min())
    )


def test_additive_is_letters_plus_neighbour_pairs() -> None:
    """Far-apart changes add up exactly; changes of neighbours do not; without pairs all do."""

    def interaction(landscape: Landscape, i: int, j: int) -> float:
        def score(a: str, b: str) -> float:
            letters = ["M"] * 16
            letters[i], letters[j] = a, b
            return landscape.true_score("".join(letters))

        return abs(score("A", "S") - score("A", "M") - score("M", "S") + score("M", "M"))

    with_pairs, without = additive(FULL), additive(FULL, interaction=0.0)
    assert interaction(with_pairs, 3, 9) < 1e-9 < 1e-3 < interaction(with_pairs, 3, 4)
    assert interaction(without, 3, 4) < 1e-3
    rugged = nk(FULL, neighbours=3)
    assert interaction(rugged, 2, 7) < 1e-9 < 1e-3 < interaction(rugged, 2, 5)
    assert interaction(rugged, 1, 14) > 1e-3  # 14, 15, 0, 1 is one window around the end


def test_motifs_are_sought_everywhere_and_multiply() -> None:
    """By hand: `A_M` (A, any letter, M) and `SS` in five letters."""
    places, letters = np.array([[1, 3], [2, 3]]), np.array([[0, 1], [2, 2]])
    function = SpacedMotifs(places, letters, 3, 5)
    space = PatternSpace("AMS", 5)
    values = {
        "SSAAM": 2 * 2,  # both whole, wherever they stand
        "AAMSS": 2 * 2,
        "AAMSA": 2 * 1,
        "SSSSS": 0 * 2,  # neither A nor M
        "AMAMA": 1 * 0,
        "SMSMM": 1 * 1,
    }
    for pattern, value in values.items():
        assert function.raw(space.digits(pattern).tolist()) == value, pattern
    everything = np.array(
        [function.raw(space.digits(space.pattern(i)).tolist()) for i in range(243)]
    )
    assert np.array_equal(function.raw_all(), everything)
    assert np.array_equal(function.raw_many(np.arange(243).reshape(9, 27)).ravel(), everything)
    digits, best = function.optimum
    assert best == 4 and space.index(space.from_digits(digits)) == int(everything.argmax())
    assert function.lowest == 0


def test_motifs_reach_farther_than_any_window() -> None:
    """At the optimum, what one letter is worth depends on letters more than five places away."""
    landscape = motifs(FULL)
    best, top = landscape.optimum()

    def score(*places: int) -> float:
        other = {"A": "M", "M": "S", "S": "A"}
        changed = [other[one] if i in places else one for i, one in enumerate(best)]
        return landscape.true_score("".join(changed))

    far = [(i, j) for i in range(16) for j in range(i + 6, 16)]
    apart = [abs(score(i, j) - score(i) - score(j) + top) for i, j in far]
    assert np.mean(np.array(apart) > 1e-6) > 0.5


def test_more_neighbours_mean_more_local_optima() -> None:
    def share_of_local_optima(neighbours: int) -> float:
        landscape = nk(SMALL, neighbours=neighbours)
        scores = {
            SMALL.pattern(i): s
            for i, s in enumerate(landscape.true_scores(np.arange(SMALL.size)).tolist())
        }
        return float(
            np.mean([all(scores[n] < s for n in SMALL.neighbours(p)) for p, s in scores.items()])
        )

    shares = [share_of_local_optima(k) for k in (1, 3, 5)]
    assert shares[0] < shares[1] < shares[2]


@pytest.mark.parametrize("landscape", landscapes(FULL), ids=lambda x: x.name)
def test_the_full_space_is_known_exactly(landscape: Landscape) -> None:
    best, score = landscape.optimum()
    assert all(landscape.true_score(n) < score for n in FULL.neighbours(best))
    scores = landscape.all_scores()
    assert scores.shape == (43_046_721,)
    assert int(scores.argmax()) == FULL.index(best)
    sample = stream(0, "ranks").integers(FULL.size, size=1000)
    assert np.allclose(scores[sample], landscape.true_scores(sample), atol=1e-5)
    assert float(scores[sample].std()) == pytest.approx(1, abs=0.1)
    pattern = FULL.pattern(int(sample[0]))
    assert landscape.percentile(pattern) == pytest.approx(
        100 * np.mean(scores <= scores[sample[0]]), abs=1e-3
    )


def test_noise_has_the_given_size_and_is_frozen_per_seed_replicate_and_split() -> None:
    landscape = additive(SMALL, noise=0.4)
    patterns = [SMALL.pattern(i) for i in range(1500)]
    true = np.array([landscape.true_score(pattern) for pattern in patterns])

    def noise(seed: TrialSeed, split: str = "search") -> np.ndarray:
        outcomes = landscape.evaluate(patterns, [seed] * len(patterns), split)  # type: ignore[arg-type]
        return np.array([outcome.score for outcome in outcomes]) - true

    draws = [
        noise(TrialSeed(0)),
        noise(TrialSeed(1)),
        noise(TrialSeed(0, 1)),
        noise(TrialSeed(0), "held_out"),
    ]
    for draw in draws:
        assert draw.std() == pytest.approx(0.4, rel=0.1) and abs(draw.mean()) < 0.05
    correlations = np.corrcoef(draws)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 4 / sqrt(1500)
    assert np.array_equal(noise(TrialSeed(0)), draws[0])


def test_without_noise_scores_are_true_and_within_the_declared_range() -> None:
    for landscape in landscapes(SMALL, noise=0.0):
        low, high = landscape.score_range
        scores = landscape.true_scores(np.arange(SMALL.size))
        assert (low, high) == (pytest.approx(scores.min()), pytest.approx(scores.max()))
        best = landscape.optimum()[0]
        for split in ("search", "held_out"):
            outcome = landscape.evaluate([best], [TrialSeed(9)], split)[0]  # type: ignore[arg-type]
            assert outcome.score == landscape.true_score(best)
    assert additive(SMALL, noise=0.1).score_range == (-inf, inf)


def test_the_true_score_is_never_told_to_a_searcher() -> None:
    outcome = additive(SMALL, noise=0.5).evaluate(["AMSAMSA"], [TrialSeed(0)])[0]
    assert dict(outcome.metrics) == {"value": outcome.score}
    assert outcome.score != additive(SMALL).true_score("AMSAMSA")


def test_costs_differ_by_letter_and_add_up() -> None:
    landscape = additive(FULL)
    cost = landscape.cost("A" * 4 + "M" * 7 + "S" * 5)
    per_token = 4 * 491_520 + 7 * 786_432 + 5 * 642_000
    assert cost.flops == per_token * TOKENS and cost.tokens == TOKENS
    assert len({landscape.cost(letter * 16).flops for letter in "AMS"}) == 3


def test_a_share_of_patterns_always_diverges_but_never_the_optimum() -> None:
    for seed in range(12):
        landscape = additive(PatternSpace("AMS", 5), landscape_seed=seed, failure_rate=0.5)
        best = landscape.optimum()[0]
        assert landscape.evaluate([best], [TrialSeed(0)])[0].status == "ok"
    landscape = nk(SMALL, failure_rate=0.2)
    patterns = [SMALL.pattern(i) for i in range(SMALL.size)]

    def failures(seed: TrialSeed) -> list[str]:
        outcomes = landscape.evaluate(patterns, [seed] * len(patterns))
        failed = [o for o in outcomes if o.status == "failed"]
        assert all(o.score is None and "nan" in o.note and o.cost.flops > 0 for o in failed)
        return [p for p, o in zip(patterns, outcomes, strict=True) if o.status == "failed"]

    assert 0.17 < len(failures(TrialSeed(0))) / len(patterns) < 0.23
    assert failures(TrialSeed(0)) == failures(TrialSeed(7, 3))


@pytest.mark.parametrize("options", [{}, {"failure_rate": 0.3}, {"noise": 0.0}])
def test_landscapes_keep_the_contract_of_proxies(options: dict[str, float]) -> None:
    for landscape in landscapes(FULL, **options):
        check_proxy(landscape, noisy=options.get("noise") != 0.0, num_patterns=40)
    check_proxy(motifs(SMALL, motifs=2, length=3, **options), noisy=options.get("noise") != 0.0)  # type: ignore[arg-type]


def test_every_option_is_part_of_the_version() -> None:
    versions = [
        landscape.version
        for space in (FULL, SMALL, PatternSpace("AM", 16))
        for options in ({}, {"landscape_seed": 1}, {"noise": 0.2}, {"failure_rate": 0.1})
        for landscape in landscapes(space, **options)
    ]
    versions += [additive(FULL, interaction=1.0).version, nk(FULL, neighbours=2).version]
    versions += [motifs(SMALL, motifs=2, length=n).version for n in (2, 3)]
    assert len(set(versions)) == len(versions)
    assert additive(FULL).version == additive(FULL).version
    assert additive(FULL, landscape_seed=1).optimum() != additive(FULL).optimum()


def test_other_alphabets_and_depths_work() -> None:
    for space in (PatternSpace("AM", 16), PatternSpace("AMSX", 6), PatternSpace("A", 5)):
        for landscape in landscapes(space):
            best, score = landscape.optimum()
            assert best in space and np.isfinite(score)
    deep = additive(PatternSpace("AMS", 60))
    assert deep.regret(deep.optimum()[0]) == 0
    with pytest.raises(InvalidSetting, match="too large to be enumerated"):
        deep.percentile(deep.optimum()[0])


def test_bad_settings_are_one_clear_line() -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: additive(FULL, noise=-0.1), "noise must be at least 0, got -0.1"),
        (lambda: nk(FULL, noise=float("nan")), "noise must be finite, got nan"),
        (lambda: nk(FULL, failure_rate=1.0), "failure_rate must be below 1, got 1"),
        (lambda: additive(FULL, interaction=-1), "interaction must be at least 0, got -1"),
        (lambda: nk(FULL, neighbours=0), "neighbours must be at least 1, got 0"),
        (lambda: nk(FULL, neighbours=7), "take fewer neighbours"),
        (lambda: nk(PatternSpace("AMS", 3)), "do not fit a pattern of 3"),
        (lambda: motifs(FULL, motifs=5), "5 motifs of 4 letters do not fit a pattern of 16"),
        (lambda: motifs(PatternSpace("AMS", 30)), "too large for motifs"),
    ]
    for make, expected in cases:
        with pytest.raises(InvalidSetting) as caught:
            make()
        assert expected in str(caught.value) and "\n" not in str(caught.value)
    for call in (additive(FULL).true_score, additive(FULL).regret, additive(FULL).percentile):
        with pytest.raises(InvalidPattern, match="got 'X' at position 1"):
            call("X" * 16)
