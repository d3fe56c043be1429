"""The best of all patterns under a sum of effects of letters, pairs and triples of neighbours.

Max-product dynamic programming (Viterbi 1967) over the last two letters, exact: 16 layers of three
letters take a hundred additions and maxima in place of 43 million sums.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def window_optimum(
    singles_TL: Floats, pairs_LL: Floats, triples_LLL: Floats
) -> tuple[list[int], float]:
    """The pattern of highest value, as the ranks of its letters, and that value.

    Shapes: T >= 1 layers, L letters. `singles_TL[t, a]` is the effect of letter a at layer t,
    `pairs_LL[a, b]` that of a before b and `triples_LLL[a, b, c]` that of three in a row, wherever
    they stand. Ties go to the pattern that is first by its ranks.
    """
    depth, num_letters = singles_TL.shape
    if depth == 1:
        best = int(np.argmax(singles_TL[0]))
        return [best], float(singles_TL[0, best])
    # value_LL[a, b]: the best sum of all effects that begin after the pair (a, b) at t, t + 1.
    value_LL = np.zeros((num_letters, num_letters))
    choices = []
    for layer in range(depth - 1, 1, -1):
        later_LLL = triples_LLL + (pairs_LL + singles_TL[layer] + value_LL)[None]
        choices.append(np.argmax(later_LLL, axis=2))
        value_LL = np.max(later_LLL, axis=2)
    first_LL = singles_TL[0][:, None] + singles_TL[1] + pairs_LL + value_LL
    digits = [int(digit) for digit in divmod(int(np.argmax(first_LL)), num_letters)]
    for choice_LL in reversed(choices):
        digits.append(int(choice_LL[digits[-2], digits[-1]]))
    return digits, float(np.max(first_LL))
