"""A candidate as a list of edits of one script: `depth=6 activation=gelu matrix_lr=0.02`.

The canonical form has the edits in the order of the catalogue, and none that has its default;
without any it is `default`. What is left out has its default, so every list is one point of a mixed
space, and a point of that space is a list: edits that mean nothing there are dropped by `repair`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from nasarena.search.candidates.edit import Edit
from nasarena.search.errors import InvalidPattern, InvalidSetting, nearest
from nasarena.search.hashes import config_hash

DEFAULT = "default"
_MOST_EDITS = 6  # of a random list
_TRIES = 100
_PAIR = re.compile(r"([a-z][a-z0-9_]*)=(\S+)")
_LONGEST = 4000  # characters of a text that is read at all


@dataclass(frozen=True, slots=True)
class EditSpace:
    """All lists of `edits` of the script of `task`. `known` names some of them; `about` says in
    words what is scored, for those who read.

    Raises InvalidSetting for a catalogue that names an edit twice, or one that it does not have.
    """

    task: str
    edits: tuple[Edit, ...]
    known: tuple[tuple[str, str], ...] = ()
    about: str = ""

    def __post_init__(self) -> None:
        names = [edit.name for edit in self.edits]
        others = [one for edit in self.edits for one in edit.excludes]
        others += [name for edit in self.edits for name, _ in edit.requires]
        if len(set(names)) < len(names) or not set(others) <= set(names):
            raise InvalidSetting(f"the catalogue of {self.task} must name every edit once")
        for _, candidate in self.known:
            self.validate(candidate)

    @property
    def text_limit(self) -> int:
        """Every list of edits is kept whole."""
        return _LONGEST

    @property
    def num_places(self) -> int:
        """Edits of the catalogue."""
        return len(self.edits)

    @property
    def size(self) -> float:
        """Number of points of the mixed space: at least that of different lists."""
        return prod(edit.num_values for edit in self.edits)

    def validate(self, candidate: object) -> str:
        """The canonical form. Raises InvalidPattern for what is no list of these edits."""
        if not isinstance(candidate, str):
            raise InvalidPattern(
                f"a candidate must be edits such as 'depth=6', got {type(candidate).__name__}"
            )
        return _canonical(self, candidate)

    def __contains__(self, candidate: object) -> bool:
        try:
            return self.validate(candidate) == candidate
        except InvalidPattern:
            return False

    def identity(self, candidate: str) -> str:
        """Its canonical form."""
        return self.validate(candidate)

    def given(self, candidate: str) -> dict[str, str]:
        """The edits of a valid candidate by name, without defaults."""
        return dict(_parse(self, self.validate(candidate)))

    def values(self, candidate: str) -> dict[str, str]:
        """The value of every edit, in order of the catalogue."""
        given = self.given(candidate)
        return {edit.name: given.get(edit.name, edit.default) for edit in self.edits}

    def repair(self, values: Mapping[str, str]) -> str:
        """The candidate of these values, in canonical form; what is not named has its default.

        Edits are dropped whose requirements do not hold, and of two that exclude one another the
        later one. Raises InvalidPattern for a value that an edit cannot have.
        """
        kept = {edit.name: edit.parse(values[edit.name]) for edit in self.edits
                if edit.name in values}  # fmt: skip
        kept = {edit.name: kept[edit.name] for edit in self.edits
                if kept.get(edit.name, edit.default) != edit.default}  # fmt: skip
        while wrong := [edit.name for edit in self.edits if self.objection(edit, kept)]:
            del kept[wrong[-1]]
        return " ".join(f"{name}={value}" for name, value in kept.items()) or DEFAULT

    def objection(self, edit: Edit, given: Mapping[str, str]) -> str:
        """Why an edit that is given cannot stand among `given`; empty where it can."""
        if edit.name not in given:
            return ""
        for name, allowed in edit.requires:
            if given.get(name, self.edit(name).default) not in allowed:
                return f"edit {edit.name} requires {name}={'|'.join(allowed)}"
        excluded = [name for name in edit.excludes if name in given]
        return f"edit {edit.name} excludes {excluded[0]}" if excluded else ""

    def edit(self, name: str) -> Edit:
        """The edit of this name. Raises InvalidPattern for an unknown one."""
        for edit in self.edits:
            if edit.name == name:
                return edit
        raise InvalidPattern(
            f"no edit is called {name[:40]!r}; {nearest(name[:40], [e.name for e in self.edits])}"
        )

    def sample(self, rng: np.random.Generator) -> str:
        """A list of 1 to 6 different edits, each uniform; what clashes is dropped."""
        count = 1 + int(rng.integers(min(_MOST_EDITS, len(self.edits))))
        chosen = rng.permutation(len(self.edits))[:count]
        return self.repair({self.edits[i].name: self.edits[i].sample(rng) for i in chosen})

    def sample_distinct(self, count: int, rng: np.random.Generator) -> list[str]:
        """The script as it is, then random lists: whoever improves a script has that script."""
        found = {DEFAULT: None} if count else {}
        for _ in range(_TRIES * (count + 1)):
            if len(found) == count:
                return list(found)
            found[self.sample(rng)] = None
        raise InvalidSetting(f"the space of {self.task} has fewer than {count} candidates")

    def neighbours(self, candidate: str) -> Iterator[str]:
        """One value moved by a step, by edit; moves that change nothing are left out."""
        values, seen = self.values(candidate), {candidate}
        for edit in self.edits:
            for value in edit.neighbours(values[edit.name]):
                made = self.repair({**values, edit.name: value})
                if made not in seen:
                    seen.add(made)
                    yield made

    def mutate(self, candidate: str, rng: np.random.Generator, num_changes: int = 1) -> str:
        """`num_changes` times: an edit taken back, one added, or one moved by a step."""
        for _ in range(num_changes):
            before = candidate
            for _ in range(_TRIES):
                candidate = self._change(before, rng)
                if candidate != before:
                    break
        return candidate

    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str:
        """Every value from either parent with probability 1/2; what clashes is dropped."""
        one, other = self.values(first), self.values(second)
        coins = rng.random(len(self.edits)) < 0.5
        taken = zip(self.edits, coins, strict=True)
        return self.repair({edit.name: (one if coin else other)[edit.name] for edit, coin in taken})

    def distance(self, first: str, second: str) -> float:
        """Sum over the edits: how far numbers are apart on their range, 1 for other choices."""
        one, other = self.values(first), self.values(second)
        return sum(
            abs(edit.to_unit(one[edit.name]) - edit.to_unit(other[edit.name]))
            if edit.is_ordered
            else float(one[edit.name] != other[edit.name])
            for edit in self.edits
        )

    def difference(self, first: str, second: str) -> str:
        """The values that changed, as `depth: 4 -> 6`."""
        one, other = self.values(first), self.values(second)
        changed = [name for name in one if one[name] != other[name]]
        return ", ".join(f"{name}: {one[name]} -> {other[name]}" for name in changed)

    def known_candidates(self) -> dict[str, str]:
        """Those with a name of their own, in canonical form."""
        return {name: self.validate(candidate) for name, candidate in self.known}

    def describe(self) -> dict[str, Any]:
        """Task, names of the edits, and a hash of all that the catalogue says."""
        catalogue = {"edits": [asdict(edit) for edit in self.edits], "known": self.known}
        names = [edit.name for edit in self.edits]
        return {"task": self.task, "edits": names, "catalogue": config_hash(catalogue)}

    def _change(self, candidate: str, rng: np.random.Generator) -> str:
        given = self.given(candidate)
        move = int(rng.integers(3)) if given else 1
        if move == 0:
            del given[list(given)[rng.integers(len(given))]]
        elif move == 1:
            edit = self.edits[rng.integers(len(self.edits))]
            given[edit.name] = edit.sample(rng)
        else:
            name = list(given)[rng.integers(len(given))]
            steps = self.edit(name).neighbours(given[name])
            given[name] = steps[rng.integers(len(steps))]
        return self.repair(given)


@lru_cache(maxsize=4096)
def _canonical(space: EditSpace, candidate: str) -> str:
    given = {
        name: value for name, value in _parse(space, candidate) if value != space.edit(name).default
    }
    for edit in space.edits:
        if words := space.objection(edit, given):
            raise InvalidPattern(words)
    return space.repair(given)


def _parse(space: EditSpace, candidate: str) -> Iterator[tuple[str, str]]:
    """Name and canonical value of each edit. Raises InvalidPattern."""
    if len(candidate) > _LONGEST:
        raise InvalidPattern(f"a candidate has at most {_LONGEST} characters, got {len(candidate)}")
    words = candidate.split(" ") if candidate != DEFAULT else []
    seen = set[str]()
    for word in words:
        pair = _PAIR.fullmatch(word)
        if pair is None:
            raise InvalidPattern(f"an edit must be name=value, got {word[:40]!r}")
        name, value = pair[1], pair[2]
        if name in seen:
            raise InvalidPattern(f"edit {name} is given twice")
        seen.add(name)
        yield name, space.edit(name).parse(value)
