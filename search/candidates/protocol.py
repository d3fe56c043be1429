"""What the loop, the ledger, resuming and caching ask of a space, whatever its candidates are.

A candidate is a string and the space is its judge. `PatternSpace` is a `Space` as it stands: a
pattern is its own identity. In a `CodeSpace` two texts may be the same candidate (comments, names
of local variables, the order of edits), so it says who is who, and describes itself for the record.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nasarena.search.space import PatternSpace


@runtime_checkable
class Space(Protocol):
    """All candidates, and the moves between them that searchers make."""

    @property
    def size(self) -> float:
        """Number of candidates, or a bound above it; infinity where there is none."""
        ...

    def validate(self, candidate: object, /) -> str:
        """The candidate in the form in which it is recorded. Raises InvalidPattern."""
        ...

    def __contains__(self, candidate: object, /) -> bool: ...

    def __hash__(self) -> int: ...

    def sample(self, rng: np.random.Generator) -> str:
        """One random candidate."""
        ...

    def sample_distinct(self, count: int, rng: np.random.Generator) -> list[str]:
        """`count` different ones; the first of them are the same for a larger count."""
        ...

    def neighbours(self, candidate: str, /) -> Iterator[str]:
        """What one small change makes of it, always in the same order."""
        ...

    def mutate(self, candidate: str, /, rng: np.random.Generator, num_changes: int = 1) -> str:
        """What `num_changes` random changes make of it."""
        ...

    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str:
        """A child of two candidates."""
        ...


@runtime_checkable
class CodeSpace(Space, Protocol):
    """A space whose candidates are, or become, programs."""

    @property
    def text_limit(self) -> int:
        """Characters of a candidate that the record keeps."""
        ...

    @property
    def num_places(self) -> int:
        """In how many places a candidate can be changed."""
        ...

    def identity(self, candidate: str, /) -> str:
        """Equal exactly for texts that are one candidate. Raises InvalidPattern."""
        ...

    def distance(self, first: str, second: str, /) -> float:
        """How far apart two candidates are; 0 exactly for one and the same."""
        ...

    def difference(self, first: str, second: str, /) -> str:
        """What was changed from the first to the second, for people."""
        ...

    def describe(self) -> dict[str, Any]:
        """The space as plain values, for `run.json`; equal exactly for equal spaces."""
        ...

    def known_candidates(self) -> Mapping[str, str]:
        """Candidates with a name of their own, such as the script that is given."""
        ...


def identity(space: Space, candidate: str) -> str:
    """What a valid candidate is told from others by; a pattern is told by itself."""
    code = _code_space(space)
    return candidate if code is None else code.identity(candidate)


def describe_space(space: Space) -> dict[str, Any]:
    """The space as `run.json` holds it."""
    if isinstance(space, PatternSpace):
        return asdict(space)
    assert isinstance(space, CodeSpace)
    return space.describe()


def num_places(space: Space) -> int:
    """In how many places a candidate can be changed; in a pattern, its letters."""
    if isinstance(space, PatternSpace):
        return space.depth
    assert isinstance(space, CodeSpace)
    return space.num_places


def text_limit(space: Space) -> int:
    """Characters of a proposal that the record keeps, whatever was proposed."""
    code = _code_space(space)
    return 200 if code is None else code.text_limit


def _code_space(space: Space) -> CodeSpace | None:
    """The space if its candidates are code.

    Patterns are known by their class: each trial asks several times, and to ask whether a class has
    all methods of a protocol takes 20 µs.
    """
    if isinstance(space, PatternSpace):
        return None
    return space if isinstance(space, CodeSpace) else None
