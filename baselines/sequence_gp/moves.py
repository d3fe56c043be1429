"""Changes of many patterns at once, as digits: neighbours, swaps, mutants and crossovers."""

import numpy as np
from numpy.typing import NDArray

from nasarena.baselines.sequence_gp.equal_windows import Digits


def neighbours(digits_NT: Digits, num_letters: int) -> Digits:
    """Every pattern at Hamming distance 1 of each, shape `(N * T * (letters - 1), T)`."""
    num, depth = digits_NT.shape
    places = np.repeat(np.arange(depth), num_letters - 1)
    shifts = np.tile(np.arange(1, num_letters), depth)
    made = np.repeat(digits_NT[:, None], len(places), axis=1)
    rows = np.arange(len(places))
    made[:, rows, places] = (made[:, rows, places] + shifts) % num_letters
    return made.reshape(num * len(places), depth)


def swaps(digits_NT: Digits) -> Digits:
    """Every exchange of two neighbouring layers of each, shape `(N * (T - 1), T)`."""
    num, depth = digits_NT.shape
    order = np.tile(np.arange(depth), (max(depth - 1, 0), 1))
    rows = np.arange(len(order))
    order[rows, rows], order[rows, rows + 1] = rows + 1, rows
    return digits_NT[:, order].reshape(num * len(order), depth)


def mutants(
    parents_NT: Digits, num_changes_N: NDArray[np.int64], num_letters: int, rng: np.random.Generator
) -> Digits:
    """Each parent with its number of layers, at most all, set to another letter."""
    ranks = rng.random(parents_NT.shape).argsort(axis=1).argsort(axis=1)
    shifts = rng.integers(1, num_letters, size=parents_NT.shape)
    changed = (parents_NT + shifts) % num_letters
    made: Digits = np.where(ranks < num_changes_N[:, None], changed, parents_NT)
    return made


def crossovers(parents_NT: Digits, count: int, rng: np.random.Generator) -> Digits:
    """Children of two random parents: half take the layers above a cut, half each by a coin."""
    depth = parents_NT.shape[1]
    pairs = rng.integers(len(parents_NT), size=(2, count))
    above = np.arange(depth) < rng.integers(0, depth + 1, size=(count, 1))
    coins = rng.random((count, depth)) < 0.5
    from_first = np.where(rng.random((count, 1)) < 0.5, above, coins)
    children: Digits = np.where(from_first, parents_NT[pairs[0]], parents_NT[pairs[1]])
    return children
