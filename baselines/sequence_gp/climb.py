"""The admitted pattern of highest value, by steepest ascent from many starts at once.

Starts are random patterns, mutants and crossovers of the best tried ones, and what is next to the
first of those. The most valuable starts climb over single letters and exchanges of neighbouring
layers; a step of all climbers is one batch, because a Gaussian process answers a hundred patterns
in hardly more time than one. Restarts and steps as in BoTorch's discrete local search.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nasarena.baselines.sequence_gp.equal_windows import Digits
from nasarena.baselines.sequence_gp.moves import crossovers, mutants, neighbours, swaps
from nasarena.baselines.sequence_gp.sequence_kernels import Floats
from nasarena.search.space import PatternSpace

Values = Callable[[Digits], Floats]
Admits = Callable[[Digits], NDArray[np.bool_]]
_MOST_STEPS = 100
_MOST_CHANGES = 4  # of a mutant, layers
_RANKS = 0.3  # a mutant's parent is the best with this probability, the next with 0.7 of it, ...


def draw_starts(
    space: PatternSpace, rng: np.random.Generator, best_BT: Digits, num_starts: int
) -> Digits:
    """A third each random, mutants and crossovers of the B >= 1 best, the best of them first.

    What is next to the first comes on top; patterns repeat. A space of no more is enumerated.
    """
    letters, third = len(space.alphabet), -(-num_starts // 3)
    if space.size <= num_starts:
        return np.array([space.digits(space.pattern(rank)) for rank in range(space.size)])
    uniform = rng.integers(letters, size=(third, space.depth))
    ranks = np.minimum(rng.geometric(_RANKS, size=third) - 1, len(best_BT) - 1)
    num_changes = rng.integers(1, _MOST_CHANGES + 1, size=third)
    return np.concatenate(
        [
            neighbours(best_BT[:1], letters),
            swaps(best_BT[:1]),
            mutants(best_BT[ranks], num_changes, letters, rng),
            crossovers(best_BT, third, rng),
            uniform,
        ]
    )


def climb(
    starts_ST: Digits, num_letters: int, values: Values, admits: Admits, num_climbers: int
) -> tuple[Digits, float] | None:
    """The best admitted pattern `(T,)` found and its value; None where no start is admitted.

    `values` maps M patterns to `(M,)`, higher is better; `admits` says which may be chosen.
    """
    at_CT = _distinct(starts_ST)
    at_CT = at_CT[admits(at_CT)]
    if not len(at_CT):
        return None
    value_C = values(at_CT)
    order = np.argsort(-value_C, kind="stable")[:num_climbers]
    at_CT, value_C = at_CT[order], value_C[order]
    best, best_value = at_CT[0], float(value_C[0])
    for _ in range(_MOST_STEPS):
        near_CT, near_value_C = _steepest(at_CT, num_letters, values, admits)
        higher = near_value_C > value_C
        if not higher.any():
            break
        at_CT, first = np.unique(near_CT[higher], axis=0, return_index=True)
        value_C = near_value_C[higher][first]
        if value_C.max() > best_value:
            best, best_value = at_CT[value_C.argmax()], float(value_C.max())
    return best, best_value


def _steepest(
    at_CT: Digits, num_letters: int, values: Values, admits: Admits
) -> tuple[Digits, Floats]:
    """The best admitted pattern next to each climber, and its value; -inf where there is none."""
    num, depth = at_CT.shape
    near_CMT = np.concatenate(
        [
            neighbours(at_CT, num_letters).reshape(num, -1, depth),
            swaps(at_CT).reshape(num, -1, depth),
        ],
        axis=1,
    )
    if not near_CMT.shape[1]:  # a single letter
        return at_CT, np.full(num, -np.inf)
    flat = near_CMT.reshape(-1, depth)
    found, value = admits(flat), np.full(len(flat), -np.inf)
    if found.any():
        value[found] = values(flat[found])
    value_CM = value.reshape(num, -1)
    steps, rows = value_CM.argmax(axis=1), np.arange(num)
    return near_CMT[rows, steps], value_CM[rows, steps]


def _distinct(digits_NT: Digits) -> Digits:
    """Without repeats, in the order of first appearance."""
    _, first = np.unique(digits_NT, axis=0, return_index=True)
    return digits_NT[np.sort(first)]
