"""The teacher: expected improvement under a Gaussian process, over patterns near the best ones.

It knows the history alone, as the student does. The kernel is the one of four mixtures (of single
places, neighbouring places, whole patterns and composition) that explains the scores best
(agents/surrogates). Candidates are small changes of the best patterns, crossovers, and the
maximisers of posterior draws over single effects, so that the teacher both climbs and leaps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from nasarena.agents.scribe.lesson_functions import Digits, Floats
from nasarena.agents.surrogates.gaussian_process import expected_improvement, fit_likeliest

# Weights of the four kernels (places, neighbours, whole pattern, composition), and noise variance.
MIXTURES = np.array(
    [[0.85, 0.05, 0.1, 0.0], [0.4, 0.35, 0.25, 0.0], [0.3, 0.1, 0.6, 0.0], [0.15, 0.1, 0.15, 0.6]]
)
NOISES = (0.01, 0.2)


@dataclass(frozen=True, slots=True)
class Features:
    """What the kernels compare of `n` patterns."""

    places: Floats  # (n, depth * letters) one-hot
    neighbours: Floats  # (n, (depth - 1) * letters^2) one-hot of adjacent pairs
    composition: Floats  # (n, letters^2 + 2 * letters) shares of bigrams, of letters per half


def features(digits: Digits, num_letters: int) -> Features:
    """Features of `(n, depth)` digits."""
    num, depth = digits.shape
    one_hot = np.eye(num_letters)[digits]
    bigrams = np.eye(num_letters**2)[digits[:, :-1] * num_letters + digits[:, 1:]]
    halves = [one_hot[:, : depth // 2].mean(1), one_hot[:, depth // 2 :].mean(1)]
    composition = np.hstack([bigrams.mean(1), *halves])
    return Features(one_hot.reshape(num, -1), bigrams.reshape(num, -1), composition)


def kernels(first: Features, second: Features, depth: int) -> Floats:
    """The four kernels between two sets of patterns, shape `(4, n, m)`, 1 for equal patterns."""
    same = first.places @ second.places.T / depth
    pairs = first.neighbours @ second.neighbours.T / max(depth - 1, 1)
    whole = np.exp(4 * (same - 1))
    squares = (first.composition**2).sum(1)[:, None] + (second.composition**2).sum(1)
    apart = np.maximum(squares - 2 * first.composition @ second.composition.T, 0)
    return np.stack([same, pairs, whole, np.exp(-4 * apart)])


class Teacher:
    """The posterior over one landscape given `(n, depth)` digits and `(n,)` scores, n >= 2."""

    def __init__(self, digits: Digits, scores: Floats, num_letters: int) -> None:
        self.digits, self.num_letters = digits, num_letters
        spread = float(scores.std()) or 1.0
        # A single disaster must not flatten everything else.
        self.scores = np.maximum((scores - scores.mean()) / spread, -2.5)
        self._features = features(digits, num_letters)
        grams = kernels(self._features, self._features, digits.shape[1])
        mixed = ((weights, np.tensordot(weights, grams, 1)) for weights in MIXTURES)
        chosen = fit_likeliest(mixed, NOISES, self.scores)
        self._mixture, self._process = chosen.kernel, chosen.process
        self._tried_mean: Floats = chosen.gram @ self._process.weights

    def posterior(self, candidates: Digits) -> tuple[Floats, Floats]:
        """Posterior mean and deviation of standardized scores, both of shape `(m,)`."""
        some = features(candidates, self.num_letters)
        grams = kernels(some, self._features, candidates.shape[1])
        return self._process.predict(np.tensordot(self._mixture, grams, 1))

    def expected_improvement(self, candidates: Digits) -> Floats:
        """Expected improvement on the best posterior mean among the tried, shape `(m,)`."""
        return expected_improvement(*self.posterior(candidates), self._tried_mean.max())

    def candidates(self, rng: np.random.Generator, num: int = 256) -> Digits:
        """Untried patterns worth a look, `(about num, depth)`, no two equal."""
        order = np.argsort(-self.scores, kind="stable")
        depth = self.digits.shape[1]
        top = self.digits[order[:8]]
        pool = [neighbours(self.digits[order[0]], self.num_letters)]
        ranks = np.minimum(rng.geometric(0.4, size=num) - 1, len(top) - 1)
        mutants = mutate(top[ranks], rng.integers(1, 5, size=num), self.num_letters, rng)
        mates = top[rng.integers(len(top), size=(2, num // 4))]
        coins = rng.random((num // 4, depth)) < 0.5
        pool += [mutants, np.where(coins, mates[0], mates[1]), self._leaps(rng, num // 4, top)]
        return new_candidates(np.vstack(pool), self.digits, self.num_letters)

    def _leaps(self, rng: np.random.Generator, num: int, top: Digits) -> Digits:
        """Best letters under draws of the effects of single places, taken over in part."""
        depth = self.digits.shape[1]
        one_hot = self._features.places
        precision = one_hot.T @ one_hot / 0.3 + depth * np.eye(one_hot.shape[1])
        factor = np.linalg.cholesky(precision)
        mean = cho_solve((factor, True), one_hot.T @ self.scores / 0.3, check_finite=False)
        draws = rng.standard_normal((len(mean), num))
        effects = mean[:, None] + solve_triangular(factor.T, draws, check_finite=False)
        letters = effects.T.reshape(num, depth, self.num_letters).argmax(2)
        taken = rng.random((num, depth)) < rng.random((num, 1)) * 1.5
        return np.where(taken, letters, top[rng.integers(min(3, len(top)), size=num)])


def neighbours(digits: NDArray[np.int64], num_letters: int) -> Digits:
    """All patterns at Hamming distance 1, shape `(depth * (letters - 1), depth)`."""
    depth = len(digits)
    result = np.tile(digits, (depth * (num_letters - 1), 1))
    place = np.repeat(np.arange(depth), num_letters - 1)
    shift = np.tile(np.arange(1, num_letters), depth)
    result[np.arange(len(result)), place] = (digits[place] + shift) % num_letters
    return result


def mutate(
    digits: Digits, num_changes: NDArray[np.int64], num_letters: int, rng: np.random.Generator
) -> Digits:
    """Each row with its number of places (at most the depth) set to another letter."""
    rank = rng.random(digits.shape).argsort(1).argsort(1)
    shift = rng.integers(1, num_letters, size=digits.shape)
    result: Digits = np.where(rank < num_changes[:, None], (digits + shift) % num_letters, digits)
    return result


def new_candidates(candidates: Digits, tried: Digits, num_letters: int) -> Digits:
    """`candidates` without repeats and without the tried ones, in their order."""
    powers = num_letters ** np.arange(
        candidates.shape[1]
    )  # 4^32 = 2^64: sums may wrap around, one to one
    keys, tried_keys = candidates @ powers, tried @ powers
    _, first = np.unique(keys, return_index=True)
    first.sort()
    return candidates[first][~np.isin(keys[first], tried_keys)]
