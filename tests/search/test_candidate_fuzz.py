"""Ten thousand random texts: none ends in anything but a verdict, none that is accepted breaks a
rule. The rules are checked again here by other means than the spaces use.
"""

import random
import re

import pytest
from toy_code import DRAFT, EDITS, PROGRAMS

from nasarena.search.candidates.edit_space import DEFAULT
from nasarena.search.errors import InvalidPattern

_PIECES = (
    *("depth", "rate", "loss", "gamma", "tie", "head", "=", " ", "  ", "\n", "on", "off", "focal"),
    *(
        "4",
        "6",
        "99",
        "-1",
        "0.1",
        "nan",
        "inf",
        "1e-3",
        "1e999",
        "٣",
        "\x00",
        "😀",
        "default",
        '"',
    ),
)
_LINES = """import math
import os
from torch import nn
import torch.hub
open('x')
eval('1')
().__class__.__mro__
while True: pass
    return 1
    a = 3
def height(x):
def height(x): return lambda: (yield)
def height(x, y=1, *, z): pass
async def f(): await g()
nonlocal q
global height
match x:
    case [a, *b]: pass
f'{x!r:>{y}}'
{**a, 'b': [c for c in d]}
try: pass
except* E as e: pass
height = 3""".split("\n")


def _random_text(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return "".join(rng.choice(_PIECES) for _ in range(rng.randrange(12)))
    if kind == 1:
        pairs = [f"{rng.choice(_PIECES[:6])}={rng.choice(_PIECES[10:18])}" for _ in range(3)]
        return " ".join(pairs[: rng.randrange(1, 4)])
    if kind == 2:
        return "\n".join(rng.choice(_LINES) for _ in range(rng.randrange(8)))
    text = list(DRAFT)
    for _ in range(rng.randrange(1, 4)):
        text[rng.randrange(len(text))] = chr(rng.choice([rng.randrange(32, 127), 10, 0x20AC]))
    return "".join(text)


def _keeps_the_catalogue(candidate: str) -> bool:
    if candidate == DEFAULT:
        return True
    given = dict(pair.split("=") for pair in candidate.split(" "))
    numbers = {"depth": (1, 8), "rate": (0.0001, 1), "gamma": (0, 5)}
    in_range = all(
        low <= float(given[name]) <= high for name, (low, high) in numbers.items() if name in given
    )
    words = {"loss": {"focal"}, "tie": {"on"}, "head": {"normal"}}
    in_words = all(given[name] in allowed for name, allowed in words.items() if name in given)
    clashes = ("gamma" in given and given.get("loss") != "focal") or {"tie", "head"} <= set(given)
    return set(given) <= {*numbers, *words} and in_range and in_words and not clashes


@pytest.mark.parametrize("part", range(4))
def test_random_texts_get_a_verdict_and_none_is_let_in_that_is_forbidden(part: int) -> None:
    rng = random.Random(part)
    accepted = {"edits": 0, "programs": 0}
    for _ in range(2500):
        text = _random_text(rng)
        try:
            candidate = EDITS.validate(text)
            assert _keeps_the_catalogue(candidate), text
            assert EDITS.validate(candidate) == candidate
            accepted["edits"] += 1
        except InvalidPattern as error:
            assert "\n" not in str(error)
        try:
            PROGRAMS.identity(PROGRAMS.validate(text))
            accepted["programs"] += 1
            assert "height" in text
            assert not re.search(r"import (?!math)|open\(|eval\(|__mro__", text), text
        except InvalidPattern as error:
            assert "\n" not in str(error)
    assert min(accepted.values()) > 20, accepted  # else nothing was tested
