"""Other people's spellings of a pattern: run lengths, mad-lab ids and Nemotron strings.

| ours | run lengths | mad-lab id | Nemotron |
|---|---|---|---|
| `AAMS` | `2A1M1S` | `mA-mA-M-Mb` | `**-M` |

In mad-lab (registry.py) `mA` is multi-head attention, `M` the MLP and `Mb` Mamba; in Nemotron's
configurations `*` is attention, `-` the MLP and `M` Mamba-2, so `M` means another layer there.
"""

import re
from itertools import groupby

from nasarena.search.errors import InvalidPattern

MAD_IDS = {"A": "mA", "M": "M", "S": "Mb"}
NEMOTRON_SIGNS = {"A": "*", "M": "-", "S": "M"}


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


def to_mad(pattern: str) -> str:
    """`AMS` -> `mA-M-Mb`."""
    return "-".join(_translate(letter, MAD_IDS, pattern) for letter in pattern)


def from_mad(text: str) -> str:
    """`mA-M-Mb` -> `AMS`."""
    letters = {shorthand: letter for letter, shorthand in MAD_IDS.items()}
    return "".join(_translate(part, letters, text) for part in text.split("-"))


def to_nemotron(pattern: str) -> str:
    """`AMS` -> `*-M`."""
    return "".join(_translate(letter, NEMOTRON_SIGNS, pattern) for letter in pattern)


def from_nemotron(text: str) -> str:
    """`*-M` -> `AMS`."""
    letters = {sign: letter for letter, sign in NEMOTRON_SIGNS.items()}
    return "".join(_translate(sign, letters, text) for sign in text)


def _translate(part: str, table: dict[str, str], whole: str) -> str:
    if part not in table:
        raise InvalidPattern(f"expected parts from {', '.join(table)}, got {part!r} in {whole!r}")
    return table[part]
