"""`sequence-gp`: its parts against independent oracles, and what it finds on planted landscapes."""

from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from fakes import run_search
from nasarena.baselines.sequence_gp.climb import climb, draw_starts
from nasarena.baselines.sequence_gp.equal_windows import EqualWindows
from nasarena.baselines.sequence_gp.evidence import (
    NOISE_CENTRE,
    NOISE_SPREAD,
    WEIGHT_CENTRE,
    WEIGHT_SPREAD,
    Hyperparameters,
    fit,
    negative_log_density,
)
from nasarena.baselines.sequence_gp.improvement import log_expected_improvement, log_gain
from nasarena.baselines.sequence_gp.moves import crossovers, mutants, neighbours, swaps
from nasarena.baselines.sequence_gp.process import Process
from nasarena.baselines.sequence_gp.sequence_kernels import SequenceKernels
from nasarena.experiments.settings.registry import load_searcher
from nasarena.proxies.landscapes import additive, motifs
from nasarena.search.run_folder import read_run
from nasarena.search.searcher import Searcher, build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SPACE = PatternSpace("AMS", 16)
DEEP = PatternSpace("AMS", 8)


def build(space: PatternSpace, **options: Any) -> Searcher:
    return build_searcher(
        load_searcher("sequence-gp"), space, stream(0, "searcher"), {"num_startup": 5, **options}
    )


def draw(num: int, depth: int, letters: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(letters, size=(num, depth))


@pytest.mark.parametrize(("depth", "letters"), [(1, 2), (5, 3), (16, 3), (64, 2), (130, 5)])
def test_equal_windows_are_counted_as_by_hand(depth: int, letters: int) -> None:
    first, second = draw(4, depth, letters), draw(6, depth, letters, seed=1)
    second[0] = first[0]
    windows = [(0,), (0, 1), (0, 2), (0, 1, 2, 3)]
    counter = EqualWindows(depth, letters, windows)
    counts = counter.counts(counter.encode(first), counter.encode(second))
    for window, found in zip(windows, counts, strict=True):
        by_hand = [
            [
                sum(np.take(a == b, np.add(window, s), mode="wrap").all() for s in range(depth))
                for b in second
            ]
            for a in first
        ]
        assert found.tolist() == by_hand


@pytest.mark.parametrize(("depth", "letters"), [(1, 3), (2, 2), (4, 5), (16, 3), (70, 3)])
def test_kernels_are_1_for_equal_patterns_and_positive_semidefinite(
    depth: int, letters: int
) -> None:
    kernels = SequenceKernels(depth, letters)
    encoded = kernels.encode(draw(25, depth, letters))
    grams = kernels.grams(encoded, encoded)
    assert len(grams) == len(kernels.names)
    for gram in grams:
        assert np.diag(gram) == pytest.approx(1) and gram == pytest.approx(gram.T)
        assert np.linalg.eigvalsh(gram).min() > -1e-9
    weights = np.random.default_rng(2).uniform(0.1, 1, len(grams))
    mixed = kernels.mixed(weights, encoded, encoded)
    assert mixed == pytest.approx(np.tensordot(weights, grams, 1))


def test_what_a_count_kernel_may_not_see_it_does_not() -> None:
    kernels = SequenceKernels(8, 3)
    one, turned = kernels.encode(np.array([[0, 1] * 4])), kernels.encode(np.array([[1, 0] * 4]))
    grams = dict(zip(kernels.names, kernels.grams(one, turned)[:, 0, 0], strict=True))
    assert grams["letter counts"] == pytest.approx(1) and grams["halves"] == pytest.approx(1)
    assert grams["centres"] < 1 and grams["bigram counts"] < 1
    assert grams["letters"] == grams["bigrams"] == grams["quads"] == 0
    assert grams["near"] == pytest.approx(np.exp(-4))


def test_spaced_pairs_count_letters_at_each_distance_wherever_they_stand() -> None:
    depth, gaps = 6, range(5)  # three quarters of the depth

    def count(digits: NDArray[np.int64]) -> NDArray[np.int64]:
        pairs = [(gap, a, b) for gap in gaps for a in range(2) for b in range(2)]
        return np.array(
            [
                [
                    sum((row[i], row[i + gap]) == (a, b) for i in range(depth - gap))
                    for gap, a, b in pairs
                ]
                for row in digits.tolist()
            ]
        )

    uniform, few = count(draw(3000, depth, 2, seed=7)), draw(5, depth, 2)
    spread = np.where(uniform.std(axis=0) > 0, uniform.std(axis=0), 1)  # no letter is another
    features = (count(few) - uniform.mean(axis=0)) / spread
    lengths = np.linalg.norm(features, axis=1)
    kernels = SequenceKernels(depth, 2)
    encoded = kernels.encode(few)
    found = kernels.grams(encoded, encoded)[kernels.names.index("spaced pairs")]
    assert found == pytest.approx(features @ features.T / np.outer(lengths, lengths), abs=0.1)


def some_data() -> tuple[SequenceKernels, NDArray[np.int64], NDArray[np.float64]]:
    kernels, digits = SequenceKernels(16, 3), draw(30, 16, 3)
    return kernels, digits, np.random.default_rng(1).standard_normal(30)


def test_the_evidence_is_that_of_a_normal_and_its_gradient_its_slope() -> None:
    kernels, digits, scores = some_data()
    encoded = kernels.encode(digits)
    grams = kernels.grams(encoded, encoded)
    flat = grams.reshape(len(grams), -1)
    logs = np.random.default_rng(3).normal(-2, 1, len(grams) + 1)
    value, gradient = negative_log_density(logs, flat, scores)
    covariance = np.tensordot(np.exp(logs[:-1]), grams, 1) + np.exp(logs[-1]) * np.eye(30)
    evidence = multivariate_normal(np.zeros(30), covariance).logpdf(scores)
    prior = (((logs[:-1] - WEIGHT_CENTRE) / WEIGHT_SPREAD) ** 2).sum()
    prior += ((logs[-1] - NOISE_CENTRE) / NOISE_SPREAD) ** 2
    assert value == pytest.approx(-(evidence + 15 * np.log(2 * np.pi)) + prior / 2)
    slope = approx_fprime(logs, lambda x: negative_log_density(x, flat, scores)[0], 1e-6)
    assert gradient == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_a_fit_finds_the_noise_and_the_kernel_that_the_scores_are_made_of() -> None:
    kernels, digits = SequenceKernels(16, 3), draw(300, 16, 3)
    rng = np.random.default_rng(4)
    effects = rng.standard_normal((16, 3))
    scores = effects[np.arange(16), digits].sum(axis=1)
    scores = (scores - scores.mean()) / scores.std() + 0.3 * rng.standard_normal(300)
    encoded = kernels.encode(digits)
    start = Hyperparameters.start(len(kernels.names))
    found = fit(kernels.grams(encoded, encoded), scores, start, max_steps=100)
    names = dict(zip(kernels.names, found.weights_K, strict=True))
    of_one_pattern = found.noise + names["nearest"] + names["quads"]  # no two are near each other
    assert of_one_pattern == pytest.approx(0.09, rel=0.5)
    assert kernels.names[int(found.weights_K.argmax())] == "letters"


def test_the_posterior_is_that_of_a_joint_normal_however_it_grew() -> None:
    kernels, digits, scores = some_data()
    weights = np.random.default_rng(5).uniform(0.05, 0.3, len(kernels.names))
    encoded = kernels.encode(digits)
    grown = Process.of(kernels, Hyperparameters(weights, 0.1), kernels.encode(digits[:12]))
    for row in range(12, 30):
        grown = grown.extend(kernels.encode(digits[row : row + 1]))
    others = kernels.encode(draw(7, 16, 3, seed=6))
    every = np.linalg.inv(kernels.mixed(weights, encoded, encoded) + 0.1 * np.eye(30))
    cross = kernels.mixed(weights, others, encoded)
    mean, deviation = grown.predict(others, grown.weights(scores))
    assert mean == pytest.approx(cross @ every @ scores)
    prior = kernels.mixed(weights, others, others)
    assert deviation**2 == pytest.approx(np.diag(prior - cross @ every @ cross.T))
    tried, _ = grown.predict(encoded, grown.weights(scores))
    assert grown.means(grown.weights(scores)) == pytest.approx(tried)


@pytest.mark.parametrize("z", [3.0, 0.5, -0.99, -1.01, -5.0, -30.0, -999.0, -1001.0, -1e5])
def test_log_improvement_is_the_integral_however_small(z: float) -> None:
    with mpmath.workdps(60):
        exact = mpmath.log(mpmath.npdf(z) + z * mpmath.ncdf(z))
    assert log_gain(np.array([z]))[0] == pytest.approx(float(exact), abs=1e-5, rel=1e-9)
    if z > -10:
        value = log_expected_improvement(np.array([2 * z + 1]), np.array([2.0]), 1.0)[0]
        gain = mpmath.quad(lambda x: (2 * x) * mpmath.npdf(x - z), [0, 1, 4, 20])
        assert value == pytest.approx(float(mpmath.log(gain)), abs=1e-6)


def test_moves_change_what_they_say() -> None:
    rng, digits = np.random.default_rng(0), draw(3, 6, 3)
    near = neighbours(digits, 3).reshape(3, 12, 6)
    assert ((near != digits[:, None]).sum(axis=2) == 1).all()
    assert all(len({tuple(row) for row in rows.tolist()}) == 12 for rows in near)
    exchanged = swaps(digits).reshape(3, 5, 6)
    for place in range(5):
        expected = digits.copy()
        expected[:, [place, place + 1]] = digits[:, [place + 1, place]]
        assert (exchanged[:, place] == expected).all()
    changed = mutants(digits, np.array([1, 4, 9]), 3, rng)
    assert (changed != digits).sum(axis=1).tolist() == [1, 4, 6]
    children = crossovers(digits[:2], 50, rng)
    assert ((children == digits[0]) | (children == digits[1])).all()


def test_a_climb_reaches_the_best_admitted_pattern() -> None:
    effects = np.random.default_rng(1).standard_normal((16, 3))

    def values(digits: NDArray[np.int64]) -> NDArray[np.float64]:
        total: NDArray[np.float64] = effects[np.arange(16), digits].sum(axis=1)
        return total

    starts = draw_starts(SPACE, np.random.default_rng(2), draw(2, 16, 3), 30)
    best = effects.argmax(axis=1)
    found = climb(starts, 3, values, lambda digits: np.ones(len(digits), dtype=bool), 2)
    assert found is not None and (found[0] == best).all()
    assert found[1] == pytest.approx(effects.max(axis=1).sum())
    found = climb(starts, 3, values, lambda digits: (digits != best).any(axis=1), 2)
    assert found is not None and (found[0] != best).sum() == 1
    assert climb(starts, 3, values, lambda digits: np.zeros(len(digits), dtype=bool), 2) is None


def test_it_finds_the_best_of_an_additive_landscape_and_tries_nothing_twice(
    tmp_path: Path,
) -> None:
    landscape = additive(SPACE, landscape_seed=3)
    trials = run_search(tmp_path, "sequence-gp", landscape, amount=110, finalists=1)
    assert len({trial.pattern for trial in trials}) == 110
    assert min(landscape.regret(trial.pattern) for trial in trials) == 0
    (event,) = read_run(tmp_path).of_kind("recommended")
    assert landscape.regret(event["patterns"][0]) < 0.2


def test_it_finds_letters_far_apart_that_must_agree(tmp_path: Path) -> None:
    landscape = motifs(DEEP, motifs=2, length=4, landscape_seed=1)
    trials = run_search(tmp_path, "sequence-gp", landscape, amount=100, finalists=0)
    assert min(landscape.regret(trial.pattern) for trial in trials) == 0


def test_it_ends_when_everything_was_tried(tmp_path: Path) -> None:
    space = PatternSpace("AM", 3)
    trials = run_search(tmp_path, "sequence-gp", additive(space, noise=1.0), amount=50, finalists=0)
    patterns = [trial.pattern for trial in trials]
    assert sorted(patterns) == [space.pattern(index) for index in range(8)]


@pytest.mark.parametrize("space", [PatternSpace("AM", 3), PatternSpace("AMS", 1)])
def test_it_asks_nothing_where_nothing_is_left(space: PatternSpace) -> None:
    built, left = build(space), {space.pattern(index) for index in range(space.size)}
    built.tell([Trial(0, left.pop(), "ok", 1.0)])
    while left:
        (pattern,) = built.ask(1)
        left.remove(str(pattern))
        built.tell([Trial(0, str(pattern), "ok", 1.0)])
    assert built.ask(3) == []


@pytest.mark.parametrize("space", [PatternSpace("AM", 70), PatternSpace("AMSBX", 3)])
def test_it_takes_any_depth_and_alphabet(space: PatternSpace) -> None:
    built, told = build(space), 0
    for _ in range(6):
        batch = [str(pattern) for pattern in built.ask(3)]
        assert len(set(batch)) == 3 and all(pattern in space for pattern in batch)
        scores = [pattern.count("A") for pattern in batch]
        built.tell(
            [
                Trial(told + i, p, "ok", s)
                for i, (p, s) in enumerate(zip(batch, scores, strict=True))
            ]
        )
        told += 3


def tell_all_around(built: Searcher, best: str) -> None:
    """Scores so clear that nothing better is expected anywhere near."""
    rng, patterns = np.random.default_rng(3), [best, *SPACE.neighbours(best)]
    patterns += [SPACE.sample(rng) for _ in range(40)]
    scores = [-float(SPACE.hamming(best, pattern)) for pattern in patterns]
    built.tell(
        [Trial(i, p, "ok", s) for i, (p, s) in enumerate(zip(patterns, scores, strict=True))]
    )


def test_every_other_ask_is_far_from_the_best_when_nothing_is_expected_near_it() -> None:
    best = "AMSS" * 4
    distances = {}
    for niches in (0.0, 0.5):
        built = build(SPACE, niche_distance=niches)
        tell_all_around(built, best)
        asked = [str(built.ask(1)[0]) for _ in range(4)]
        distances[niches] = [SPACE.hamming(best, pattern) for pattern in asked]
    assert max(distances[0.0]) < 8
    assert distances[0.5][0] >= 8 and distances[0.5][2] >= 8
    assert distances[0.5][1] < 8 and distances[0.5][3] < 8


def test_a_trust_region_bounds_every_ask_by_the_model() -> None:
    built = build(SPACE, trust_radius=2)
    rng = np.random.default_rng(3)
    patterns = [SPACE.sample(rng) for _ in range(12)]
    scores = [-float(place) for place in range(12)]
    built.tell(
        [Trial(i, p, "ok", s) for i, (p, s) in enumerate(zip(patterns, scores, strict=True))]
    )
    asked = [str(pattern) for pattern in built.ask(5)]
    assert max(SPACE.hamming(patterns[0], pattern) for pattern in asked) <= 2


def test_the_same_trials_are_asked_again_by_another_object() -> None:
    landscape, asked = additive(DEEP), list[list[str]]()
    for _ in range(2):
        built, told = build(DEEP), list[str]()
        for index in range(25):
            pattern = str(built.ask(1)[0])
            told.append(pattern)
            failed = index % 5 == 3
            score = None if failed else landscape.true_score(pattern)
            built.tell([Trial(index, pattern, "failed" if failed else "ok", score)])
        asked.append(told)
    assert asked[0] == asked[1] and len(set(asked[0])) == 25
