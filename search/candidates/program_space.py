"""A candidate as a whole program: the text of one Python file.

Two texts are one candidate where their syntax trees agree but for docstrings and names of local
variables (`syntax_tree.py`), so a comment is no new trial.

What a search without a model has: where the task has a catalogue of edits, random lists of them as
the programs that they make, and moves of such lists; of every other program, numbers changed.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from difflib import unified_diff
from math import inf
from typing import Any

import numpy as np

from nasarena.search.candidates.edit_space import DEFAULT, EditSpace
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
# How a program that a list of edits makes says which; whether it is true is looked up.
_SAID = re.compile(r"^Edits of the given (?:script|encoder): (.{1,4000})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Edits of a given script; `render` makes the program of a list of them.

    That program should hold a line as `Edits of the given script: depth=6`.
    """

    edits: EditSpace
    render: Callable[[str], str]

    def list_of(self, program: str) -> str | None:
        """The list that makes this very program; None where no list is known to."""
        said = _SAID.search(program)
        edits = said[1].strip() if said else DEFAULT
        if edits not in self.edits:
            return None
        return edits if program_hash(self.render(edits)) == program_hash(program) else None


@dataclass(frozen=True, slots=True)
class ProgramSpace:
    """All programs with the interface of `task`; `drafts` are some of them, each with its name.

    `about` says in words what is scored. `catalogue` holds edits of the first draft.

    Raises InvalidPattern for a draft that is not one.
    """

    task: str
    interface: Interface
    drafts: tuple[tuple[str, str], ...]
    about: str = ""
    catalogue: Catalogue | None = None

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
        """The program of a random list of edits, or a draft with up to 3 numbers changed."""
        if self.catalogue is not None:
            return self.catalogue.render(self.catalogue.edits.sample(rng))
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
        """One edit moved by a step, or one number halved or doubled."""
        if self.catalogue and (edits := self.catalogue.list_of(candidate)):
            yield from map(self.catalogue.render, self.catalogue.edits.neighbours(edits))
            return
        yield from (source for source in scaled_numbers(candidate) if source in self)

    def mutate(self, candidate: str, rng: np.random.Generator, num_changes: int = 1) -> str:
        """`num_changes` moves in the list of edits, or numbers halved or doubled."""
        if self.catalogue and (edits := self.catalogue.list_of(candidate)):
            return self.catalogue.render(self.catalogue.edits.mutate(edits, rng, num_changes))
        for _ in range(num_changes):
            candidate = scale_random_number(candidate, rng)
        return candidate

    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str:
        """Edits from either parent, or functions and classes of the same name; the first parent if
        that fails."""
        if self.catalogue:
            one, other = self.catalogue.list_of(first), self.catalogue.list_of(second)
            if one and other:
                return self.catalogue.render(self.catalogue.edits.crossover(one, other, rng))
        child = mix_functions(first, second, rng)
        return child if child in self else first

    def list_of(self, candidate: str) -> str | None:
        """The list of edits that makes this very program; None where no list is known to."""
        return self.catalogue.list_of(candidate) if self.catalogue else None

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
        rules: dict[str, Any] = {"interface": asdict(self.interface), "drafts": self.drafts}
        if self.catalogue is not None:
            rules["catalogue"] = self.catalogue.edits.describe()
        return {"task": self.task, "functions": functions, "rules": config_hash(rules)}
