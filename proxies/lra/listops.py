"""ListOps by the rules of its published generator: nested lists of digits under four operators.

`[MAX 4 3 [MIN 2 3 ] 1 0 ]` is 4. A tree is a digit with probability 3/4, else one of the operators,
uniform, over 2 to `max_arguments` trees; at `max_depth` it is a digit. Trees of another length than
asked for are thrown away, and no tree comes twice. Nangia and Bowman 2018, arXiv 1804.06028, with
the lengths of Long Range Arena, arXiv 2011.04006. Written from the papers' descriptions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream_seed

DIGITS = tuple("0123456789")
END = "]"
_P_DIGIT = 0.75
_PATIENCE = 20_000  # trees in a row that are of another length or known already


def _median(values: Sequence[int]) -> int:
    """The middle one; of two in the middle their mean without its half."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) // 2


OPERATORS: dict[str, Callable[[Sequence[int]], int]] = {
    "[MIN": min,
    "[MAX": max,
    "[MED": _median,
    "[SM": lambda values: sum(values) % 10,
}
_NAMES = tuple(OPERATORS)
# Number of a token in a row of bytes; 0 fills up, 1 begins every row.
TOKENS = {token: number + 2 for number, token in enumerate((*DIGITS, *OPERATORS, END))}


@dataclass(frozen=True, slots=True)
class ListOpsRules:
    """Depth, arguments and tokens of a tree; a row also has the token that begins it."""

    max_depth: int = 10
    max_arguments: int = 10
    min_length: int = 500
    max_length: int = 2000


def draw_trees(rules: ListOpsRules, count: int, seed: int) -> list[tuple[str, int]]:
    """`count` different trees as text with their values, in order of drawing.

    Raises InvalidSetting for rules that do not give so many.
    """
    rng = Random(stream_seed(seed, "listops"))  # far faster than NumPy for single numbers
    found: dict[str, int] = {}
    missed = 0
    while len(found) < count:
        # A digit alone is never long enough: the root is drawn among operators.
        tokens: list[str] = []
        value = _grow(rules, rng, tokens, 1)
        text = " ".join(tokens)
        if value is None or len(tokens) < rules.min_length or text in found:
            missed += 1
            if missed > _PATIENCE:
                raise InvalidSetting(f"{rules} gives only {len(found)} of {count} different trees")
            continue
        missed = 0
        found[text] = value
    return list(found.items())


def _grow(rules: ListOpsRules, rng: Random, tokens: list[str], depth: int) -> int | None:
    """Append a list of this depth to `tokens`; its value, or None where it grows too long."""
    operator = _NAMES[int(rng.random() * len(_NAMES))]
    tokens.append(operator)
    values = list[int]()
    for _ in range(2 + int(rng.random() * (rules.max_arguments - 1))):
        if depth + 1 >= rules.max_depth or rng.random() < _P_DIGIT:
            digit = int(rng.random() * 10)
            tokens.append(DIGITS[digit])
            values.append(digit)
        else:
            inner = _grow(rules, rng, tokens, depth + 1)
            if inner is None:
                return None
            values.append(inner)
        if len(tokens) >= rules.max_length:  # its end is still to come
            return None
    tokens.append(END)
    return OPERATORS[operator](values)


def encode_tree(text: str, length: int) -> NDArray[np.uint8]:
    """A tree as a row of `length` numbers of tokens, begun by 1 and filled up with 0."""
    numbers = [1, *(TOKENS[token] for token in text.split(" "))]
    row = np.zeros(length, dtype=np.uint8)
    row[: len(numbers)] = numbers
    return row
