"""Random functions to learn on, of the rougher kinds: n-grams, spaced motifs, tables, traps.

Functions and shapes are those of `lesson_functions`.
"""

import numpy as np

from nasarena.agents.scribe.lesson_functions import Digits, Floats, Function


def ngrams(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """A weight for every pair or triple of neighbours, wherever it stands."""
    length = min(depth, int(rng.integers(2, 4)))
    table = rng.standard_normal(num_letters**length)
    single = rng.uniform(0, 1) * rng.standard_normal(num_letters)
    powers = num_letters ** np.arange(length)

    def score(digits: Digits) -> Floats:
        windows = np.lib.stride_tricks.sliding_window_view(digits, length, axis=1)
        result: Floats = table[windows @ powers].sum(1) + single[digits].sum(1)
        return result

    return score


def gaps(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Weighted counts of motifs whose letters stand apart, each at gaps of its own."""
    found = []
    for _ in range(int(rng.integers(2, 6))):
        size = int(rng.integers(2, 5))
        offsets = np.cumsum(rng.integers(1, 4, size=size)) - 1
        offsets = offsets[offsets < depth]
        letters = rng.integers(num_letters, size=len(offsets))
        found.append((offsets, letters, rng.standard_normal() * len(offsets)))
    power = rng.uniform(0.5, 1.2)

    def score(digits: Digits) -> Floats:
        total = np.zeros(len(digits))
        for offsets, letters, weight in found:
            starts = np.arange(depth - offsets[-1]) if len(offsets) else np.arange(0)
            there = digits[:, starts[:, None] + offsets] == letters
            total += weight * there.all(2).sum(1) ** power
        return total

    return score


def tables(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """A random table for each place over its letter and those of one to three others (NK)."""
    num_others = min(depth - 1, int(rng.integers(1, 4)))
    values = rng.standard_normal((depth, num_letters ** (num_others + 1)))
    others = [
        (place + 1 + rng.permutation(depth - 1)[:num_others]) % depth for place in range(depth)
    ]
    reads = np.hstack([np.arange(depth)[:, None], np.array(others)])
    powers, places = num_letters ** np.arange(num_others + 1), np.arange(depth)
    return lambda digits: values[places, digits[:, reads] @ powers].sum(1)


def traps(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Blocks of places with a hidden best filling, from which the slope leads away (Deb 1993)."""
    size = min(depth, int(rng.integers(2, 5)))
    num_blocks = depth // size
    places = rng.permutation(depth)[: num_blocks * size].reshape(num_blocks, size)
    hidden = rng.integers(num_letters, size=places.shape)
    weights = rng.uniform(0.3, 1.7, num_blocks)
    bait = rng.uniform(0.2, 0.9)  # what no match at all is worth, a full block being worth 1
    share_honest = rng.uniform(0, 0.8)
    honest = rng.random(num_blocks) < share_honest

    def score(digits: Digits) -> Floats:
        share = (digits[:, places] == hidden).sum(2) / size
        deceived = np.where(share == 1, 1.0, bait * (1 - share))
        result: Floats = np.where(honest, share, deceived) @ weights
        return result

    return score
