"""A candidate as a whole program: the text of one Python file.

Two texts are one candidate where their syntax trees agree but for docstrings and names of local
variables (`syntax_tree.py`), so a comment is no new trial. Random programs are the drafts that the
task gives, with numbers changed: what a search without a model has.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import unified_diff
from math import inf
from typing import Any

import numpy as np

from nasarena.search.candidates.program_check import Interface, check_program
from nasarena.search.candidates.program_moves import (
    mix_functions,
    scale_random_number,
    scaled_numbers,
)
from nasarena.search.candidates.syntax_tree import node_labels, program_hash, tree_distance
from nasarena.search.errors import InvalidPattern, InvalidSetting
from nasarena.search.hashes import config_hash

_MOST_CHANGES = 3  # of a draft, for a random program
_TRIES = 100


@dataclass(frozen=True, slots=True)
class ProgramSpace:
    """All programs with the interface of `task`; `drafts` are some of them, each with its name.

    Raises InvalidPattern for a draft that is not one.
    """

    task: str
    interface: Interface
    drafts: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        if not self.drafts:
            raise InvalidSetting(f"the programs of {self.task} need a draft to begin with")
        for _, source in self.drafts:
            self.validate(source)

    @property
    def text_limit(self) -> int:
        """Every program that may be valid is kept whole."""
        return self.interface.most_characters

    @property
    def num_places(self) -> int:
        """A program counts as one: a move changes one thing of it."""
        return 1

    @property
    def size(self) -> float:
        """There is always a longer program."""
        return inf

    def validate(self, candidate: object) -> str:
        """The program itself. Raises InvalidPattern for what the task would not run."""
        source = check_program(candidate, self.interface)
        node_labels(source)  # refuses what is nested too deeply to be named
        return source

    def __contains__(self, candidate: object) -> bool:
        try:
            self.validate(candidate)
        except InvalidPattern:
            return False
        return True

    def identity(self, candidate: str) -> str:
        """The hash of its normal form."""
        return program_hash(candidate)

    def sample(self, rng: np.random.Generator) -> str:
        """A draft with up to 3 numbers changed."""
        _, source = self.drafts[rng.integers(len(self.drafts))]
        return self.mutate(source, rng, int(rng.integers(_MOST_CHANGES + 1)))

    def sample_distinct(self, count: int, rng: np.random.Generator) -> list[str]:
        """The first draft, then random programs, no two of them the same candidate."""
        found = {program_hash(self.drafts[0][1]): self.drafts[0][1]} if count else {}
        for _ in range(_TRIES * (count + 1)):
            if len(found) == count:
                return list(found.values())
            source = self.sample(rng)
            found.setdefault(program_hash(source), source)
        raise InvalidSetting(f"the drafts of {self.task} lead to fewer than {count} programs")

    def neighbours(self, candidate: str) -> Iterator[str]:
        """Every program with one number halved or doubled."""
        yield from (source for source in scaled_numbers(candidate) if source in self)

    def mutate(self, candidate: str, rng: np.random.Generator, num_changes: int = 1) -> str:
        """`num_changes` numbers halved or doubled."""
        for _ in range(num_changes):
            candidate = scale_random_number(candidate, rng)
        return candidate

    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str:
        """Functions and classes of the same name from either parent; the first if that fails."""
        child = mix_functions(first, second, rng)
        return child if child in self else first

    def distance(self, first: str, second: str) -> float:
        """Edit distance of the syntax trees."""
        return tree_distance(first, second)

    def difference(self, first: str, second: str) -> str:
        """A unified diff of the texts."""
        lines = unified_diff(
            first.splitlines(), second.splitlines(), "before", "after", lineterm=""
        )
        return "\n".join(lines)

    def known_candidates(self) -> dict[str, str]:
        """The drafts."""
        return dict(self.drafts)

    def describe(self) -> dict[str, Any]:
        """Task, functions that it calls, and a hash of the rules and the drafts."""
        functions = [name for name, _ in self.interface.functions]
        rules = config_hash({"interface": asdict(self.interface), "drafts": self.drafts})
        return {"task": self.task, "functions": functions, "rules": rules}
