"""The letters of patterns, and other spellings of a pattern: run lengths and Nemotron strings.

| ours | run lengths | Nemotron |
|---|---|---|
| `AAMS` | `2A1M1S` | `**-M` |

In Nemotron's configurations `*` is attention, `-` the MLP and `M` Mamba-2, so `M` means another
layer there. `LETTERS` is the one table of what a letter is called; as what it is trained stands in
`nasarena.proxies.models.kinds`.
"""

import re
from dataclasses import dataclass
from itertools import groupby

from nasarena.search.errors import InvalidPattern


@dataclass(frozen=True, slots=True)
class Letter:
    """One kind of layer in words, and as others spell it.

    name             in figures and reports
    meaning          what prompts say of it
    landscape_flops  what a synthetic landscape charges for a token in one such layer, see there
    nemotron         its sign in Nemotron's pattern strings; empty: it has none
    transformers     its block type in transformers' NemotronH; empty: it has none
    """

    name: str
    meaning: str
    landscape_flops: int
    nemotron: str = ""
    transformers: str = ""


# Nominal FLOPs of a token, forward and backward, at width 128: 6 a parameter (65,536 in attention,
# 131,072 in the MLP, 107,000 in Mamba), for attention also 6 x length x width for the causal score
# matrix of 128 positions.
LETTERS: dict[str, Letter] = {
    "A": Letter(
        "attention",
        "causal multi-head attention: every position looks at all earlier ones, recalls exactly",
        6 * 65_536 + 6 * 128 * 128,
        nemotron="*",
        transformers="full_attention",
    ),
    "M": Letter(
        "MLP",
        "MLP: works on each position alone, stores knowledge, mixes nothing along the sequence",
        6 * 131_072,
        nemotron="-",
        transformers="mlp",
    ),
    "S": Letter(
        "Mamba",
        "Mamba-2, a selective state space: carries a compressed memory along the sequence",
        6 * 107_000,
        nemotron="M",
        transformers="linear_attention",
    ),
}


def layer_name(letter: str) -> str:
    """What a letter is called in figures: itself, where it has no row."""
    return LETTERS[letter].name if letter in LETTERS else letter


def expand(text: str) -> str:
    """`2A5M1S` -> `AAMMMMMS`; a pattern without digits is returned as it is.

    A count may be left out and is then 1. Raises InvalidPattern for a count without a letter,
    a count of 0, or a sign that is neither digit nor letter.
    """
    end = 0
    letters = []
    for match in re.finditer(r"(\d*)([A-Za-z])", text):
        count = int(match[1] or 1)
        if match.start() != end or count == 0:
            break
        letters.append(match[2] * count)
        end = match.end()
    if end != len(text) or not text:
        raise InvalidPattern(
            f"run lengths must be counts from 1 and letters such as '2A5M', "
            f"got {text[end : end + 8]!r} at position {end + 1} of {text!r}"
        )
    return "".join(letters)


def run_lengths(pattern: str) -> str:
    """`AAMMMMMS` -> `2A5M1S`; the inverse of `expand`."""
    return "".join(f"{len(list(group))}{letter}" for letter, group in groupby(pattern))


def from_nemotron(text: str) -> str:
    """`*-M` -> `AMS`; raises InvalidPattern for a sign that is no letter's."""
    letters = {row.nemotron: letter for letter, row in LETTERS.items() if row.nemotron}
    for sign in text:
        if sign not in letters:
            raise InvalidPattern(
                f"expected parts from {', '.join(letters)}, got {sign!r} in {text!r}"
            )
    return "".join(letters[sign] for sign in text)


@dataclass(frozen=True, slots=True)
class LetterMap:
    """Letters under other names: `true[i]` is shown as `shown[i]`; other signs stay as they are."""

    true: str
    shown: str

    def show(self, pattern: str) -> str:
        """A true pattern as it is shown."""
        return pattern.translate(str.maketrans(self.true, self.shown))

    def reveal(self, pattern: str) -> str:
        """The true pattern behind a shown one."""
        return pattern.translate(str.maketrans(self.shown, self.true))
