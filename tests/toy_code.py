"""Small spaces of code for tests, and a proxy that scores their candidates without a training."""

import ast
from collections.abc import Callable, Sequence
from typing import Any

from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.candidates.program_check import Interface
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.proxy import Direction, Proxy, Split, TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.trial import Cost, Outcome

DRAFT = (
    "import math\n\ndef height(x):\n    a = 3\n    b = 2.0\n    return a * math.sin(x) + b * x\n"
)
PROGRAMS = ProgramSpace(
    "toy", Interface((("height", ("x",)),), ("math",), 2000, 500), (("draft", DRAFT),)
)
EDITS = EditSpace(
    "toy",
    (
        Edit("depth", "int", "4", "layers", low=1, high=8),
        Edit("rate", "log", "0.01", "learning rate", low=0.0001, high=1),
        Edit("loss", "choice", "cross_entropy", "loss", choices=("cross_entropy", "focal")),
        Edit(
            "gamma", "float", "2", "of focal", low=0, high=5, requires=(("loss", ("focal",)),)
        ),
        Edit("tie", "switch", "off", "tied embeddings"),
        Edit("head", "choice", "zero", "head", choices=("zero", "normal"), excludes=("tie",)),
        Edit("clip", "switch", "off", "of gradients"),
    ),
    (("the script", "default"),),
)  # fmt: skip
PLANTED = {"depth": 0.3, "rate": 0.2, "tie": 0.1}  # what giving an edit adds to the score


class ToyProxy(Proxy):
    """`score` of the candidate plus noise of the seed."""

    space: Any

    def __init__(self, space: Any, score: Callable[[str], float], noise: float = 0.0) -> None:
        self.name, self.space, self.version = "toy", space, "1"
        self.metric, self.score_range = "value", (-float("inf"), float("inf"))
        self.direction: Direction = "max"
        self.asked: list[str] = []
        self._score, self._noise = score, noise

    def cost(self, pattern: str) -> Cost:
        return Cost(flops=10, tokens=1, device_seconds=1.0)

    def evaluate(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], split: Split = "search"
    ) -> list[Outcome]:
        self.asked += patterns
        return [self._one(p, seed, split) for p, seed in zip(patterns, seeds, strict=True)]

    def _one(self, pattern: str, seed: TrialSeed, split: Split) -> Outcome:
        name = self.space.identity(pattern)
        rng = stream(seed.run, "toy", name, seed.replicate, split)
        score = self._score(pattern) + self._noise * float(rng.normal())
        return Outcome("ok", score, self.cost(pattern), {"value": score})


def sum_of_numbers(source: str) -> float:
    """Programs are better the larger their numbers are."""
    nodes = ast.walk(ast.parse(source))
    return float(sum(n.value for n in nodes if isinstance(n, ast.Constant) and n.value == n.value))


def planted_score(candidate: str) -> float:
    """Three edits are worth something, the others nothing."""
    return sum(PLANTED.get(name, 0.0) for name in EDITS.given(candidate))
