"""Damaged replies about edits and programs, and damaged programs, through parsers and spaces.

Each ends in a candidate or in the exception that says why not. What is let in is looked at again by
other means than the spaces use: lists of edits pair by pair, programs token by token.
"""

import io
import re
import tokenize
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np

from nasarena.agents.context.view import View
from nasarena.agents.languages.candidate import EXPECTED
from nasarena.agents.languages.choice import parse_reply
from nasarena.experiments.measure.faults.fuzz import damage, damage_text, failure_of
from nasarena.experiments.measure.faults.tally import Tally
from nasarena.proxies.autoresearch.catalogue import INTERFACE, edit_space
from nasarena.search.candidates.edit_space import DEFAULT, EditSpace
from nasarena.search.candidates.program_check import FORBIDDEN_MODULES, FORBIDDEN_NAMES
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.errors import InvalidPattern
from nasarena.search.seeding import stream
from nasarena.search.trial import Trial

_CASES = 10_000
Random = np.random.Generator

DRAFT = """\
import torch
from torch import nn

RATE, WIDTH = 0.01, 8

def build_model(vocab_size, length):
    return nn.Sequential(nn.Embedding(vocab_size, WIDTH), nn.Linear(WIDTH, vocab_size))

def train(model, tokens, clock):
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    while clock.seconds_left() > 0:
        optimizer.step()
"""
PROGRAMS = ProgramSpace("fuzz", INTERFACE, (("draft", DRAFT),))
_LINES = (
    "import os", "import torch.hub", "from torch import hub", "from torch.utils import data",
    "open('x')", "x = eval('1')", "().__class__.__mro__", "torch.serialization.load('x')",
    "__import__('os')", "from . import x", "import math as open", "def train(): pass",
    "ｅｖａｌ('1')", "f'{open}'", "async def f(): await g()", "lambda: (yield)", "nonlocal q",
    "match x:\n    case [a, *b]: pass", "x = " + "(" * 300, "\tif x:", "# open", "'open'",
    "from torch import distributed as d", "getattr(torch, 'hub')", "globals()", "x.open()",
)  # fmt: skip
_VALUES: list[Any] = [None, True, -1, 10**30, 1e308, float("inf"), "", "on", [], {}, "4", 0.5]


def attack(effort: float) -> list[Tally]:
    """Read damaged texts; `effort` scales how many."""
    cases: tuple[tuple[str, Callable[[Random], str], Callable[[str], str]], ...] = (
        ("replies about edits", _edit_reply, _read_edits),
        ("replies with programs", _program_reply, _read_program_reply),
        ("programs", _program, _read_program),
    )
    return [_read_all(*case, max(1, round(_CASES * effort))) for case in cases]


def _read_all(
    name: str, draw: Callable[[Random], str], read: Callable[[str], str], count: int
) -> Tally:
    rng, tally, num_accepted = stream(0, "code fuzz", name), Tally(name, "damaged texts"), 0

    def read_one(text: str) -> str:
        nonlocal num_accepted
        wrong = read(text)
        num_accepted += 1
        return wrong

    for _ in range(count):
        tally.note(failure_of(read_one, draw(rng)))
    if not num_accepted:
        tally.note("nothing was accepted, so nothing was tested")
    return tally


def _edit_reply(rng: Random) -> str:
    space = edit_space()
    given = space.given(space.sample(rng))
    edits: dict[str, Any] = {name: space.edit(name).read(one) for name, one in given.items()}
    for _ in range(rng.integers(3)):
        name = str(rng.choice([edit.name for edit in space.edits] + ["other"]))
        edits[name] = _VALUES[rng.integers(len(_VALUES))]
    idea = {"name": "n", "hypothesis": "h", "expected": str(rng.choice(EXPECTED))}
    return damage({**idea, "edits": edits}, rng)


def _program(rng: Random) -> str:
    lines = DRAFT.split("\n")
    for _ in range(rng.integers(3)):
        place = rng.integers(len(lines))
        indent = " " * int(rng.choice([0, 4]))
        lines.insert(place, indent + _LINES[rng.integers(len(_LINES))])
    text = "\n".join(lines)
    return damage_text(text, rng, most=2) if rng.random() < 0.5 else text


def _program_reply(rng: Random) -> str:
    head = f"NAME: n\nHYPOTHESIS: h\nEXPECTED: {rng.choice(EXPECTED)}\n"
    if rng.random() < 0.5:
        body = f"```python\n{_program(rng)}```"
    else:
        lines = DRAFT.split("\n")
        start = int(rng.integers(len(lines) - 1))
        sought = "\n".join(lines[start : start + int(rng.integers(1, 4))])
        new = str(_LINES[rng.integers(len(_LINES))]) if rng.random() < 0.5 else sought + "  # same"
        body = f"<<<<<<< SEARCH\n{sought}\n=======\n{new}\n>>>>>>> REPLACE"
    return damage_text(head + body, rng, most=3)


def _read_edits(text: str) -> str:
    pattern = parse_reply(text, View(edit_space())).pattern
    return "" if keeps_catalogue(edit_space(), pattern) else f"a list that is forbidden: {pattern}"


def _read_program_reply(text: str) -> str:
    view = View(PROGRAMS, parents=(Trial(0, DRAFT, "ok", 0.0),))
    return forbidden_token(parse_reply(text, view).pattern)


def _read_program(text: str) -> str:
    try:
        PROGRAMS.identity(PROGRAMS.validate(text))
    except InvalidPattern as error:
        if "\n" in str(error):
            return "a refusal of more than a line"
        raise
    return forbidden_token(text)


def keeps_catalogue(space: EditSpace, candidate: str) -> bool:
    """Whether a list has known edits, each once and in range, and none that means nothing."""
    if candidate == DEFAULT:
        return True
    pairs = [pair.split("=") for pair in candidate.split(" ")]
    given = {name: value for name, value in pairs}
    known = {edit.name: edit for edit in space.edits}
    values = {name: edit.default for name, edit in known.items()} | given
    if len(given) < len(pairs) or not set(given) <= set(known):
        return False
    for name, value in given.items():
        edit = known[name]
        fits = edit.low <= float(value) <= edit.high if edit.is_ordered else value in edit.values
        stands = all(values[other] in allowed for other, allowed in edit.requires)
        if not fits or not stands or value == edit.default or set(edit.excludes) & set(given):
            return False
    return True


def forbidden_token(source: str) -> str:
    """What a program holds that it may not: names, or modules that it imports; empty for none."""
    tokens = [
        one
        for one in tokenize.generate_tokens(io.StringIO(source).readline)
        if one.type not in (tokenize.COMMENT, tokenize.STRING, tokenize.NL)
    ]
    words = [unicodedata.normalize("NFKC", one.string) for one in tokens]
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        # An attribute, a keyword argument or an alias of that name is another thing.
        if word in FORBIDDEN_NAMES and before not in (".", "as", "def") and after != "=":
            return f"the name {word}"
    lines = " ".join(words)
    imported = re.findall(r"(?:^|\n\s*)import (\w[\w .,]*)", lines)
    modules = [name.replace(" ", "") for one in imported for name in one.split(",")]
    if any(module.partition(".")[0].split("as")[0] == "os" for module in modules):
        return "an import of os"
    joined = "".join(words)
    return next((f"the module {one}" for one in FORBIDDEN_MODULES if one + "(" in joined), "")
