"""Lists of edits as patterns of letters, for a model that reads nothing else.

A place of the pattern is an edit of the catalogue, `A` its default, `B` to `E` its other values:
all of a choice, of a number four that are spread over its range. A number between these is shown as
the nearest of them, and a letter that an edit has no value for stands for one that it has, so that
every pattern can be read; edits that mean nothing beside the others are dropped, as those of every
searcher are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.space import PatternSpace

LETTERS = "ABCDE"  # the values of an edit, its default first
_CHANGE = re.compile(rf"\b(\d+)([{LETTERS}])\b")
_SPREAD = (0.1, 0.3, 0.5, 0.7, 0.9)  # of a number: places on its range


@dataclass(frozen=True, slots=True)
class EditLetters:
    """`true` lists as patterns of `space`, and back. `values` are those of each edit, by letter."""

    true: EditSpace
    space: PatternSpace
    values: tuple[tuple[str, ...], ...] = field(repr=False)
    order: tuple[int, ...] = field(repr=False)  # which edit stands at each place

    @classmethod
    def draw(cls, space: EditSpace, rng: np.random.Generator | None = None) -> "EditLetters":
        """In the order of the catalogue; with `rng`, in a random one.

        Raises InvalidSetting for an edit with more values than there are letters.
        """
        count = len(space.edits)
        order = range(count) if rng is None else rng.permutation(count).tolist()
        values = tuple(values_by_letter(space.edits[place]) for place in order)
        return cls(space, PatternSpace(LETTERS, count), values, tuple(order))

    def show(self, candidate: str) -> str:
        """A valid list as a pattern."""
        given = self.true.values(candidate)
        shown = []
        for place, values in zip(self.order, self.values, strict=True):
            edit = self.true.edits[place]
            shown.append(LETTERS[_nearest(edit, given[edit.name], values)])
        return "".join(shown)

    def reveal(self, pattern: str) -> str:
        """The list that a pattern stands for, in canonical form."""
        names = [self.true.edits[place].name for place in self.order]
        letters = map(LETTERS.index, pattern)
        return self.true.repair(
            {
                name: values[_fold(letter, len(values))]
                for name, letter, values in zip(names, letters, self.values, strict=True)
            }
        )

    def explain(self, text: str) -> str:
        """What the model says with edits instead of places: `set 2B` as `set skip=on`."""
        return _CHANGE.sub(self._name_change, text)

    def _name_change(self, found: re.Match[str]) -> str:
        place, letter = int(found[1]) - 1, LETTERS.index(found[2])
        if not 0 <= place < len(self.order):
            return found[0]
        values = self.values[place]
        return f"{self.true.edits[self.order[place]].name}={values[_fold(letter, len(values))]}"


def values_by_letter(edit: Edit) -> tuple[str, ...]:
    """The values that an edit can have here, the default first.

    Raises InvalidSetting where a choice has more of them than there are letters.
    """
    values = list(edit.values)
    if edit.is_ordered and (not values or len(values) > len(LETTERS)):
        spread = [edit.from_unit(unit) for unit in _SPREAD]
        del spread[_nearest(edit, edit.default, spread)]
        values = spread
    others = [value for value in dict.fromkeys(values) if value != edit.default]
    if len(others) >= len(LETTERS):
        raise InvalidSetting(
            f"the embedded agent knows at most {len(LETTERS)} values of a choice, and "
            f"{edit.name} has {len(others) + 1}: choose another model"
        )
    return (edit.default, *others)


def _nearest(edit: Edit, value: str, values: Sequence[str]) -> int:
    """The place of a value, or of that nearest on the edit's range; of equal ones the last."""
    if value in values:
        return values.index(value)
    here = edit.to_unit(value)
    return min(range(len(values)), key=lambda n: (abs(edit.to_unit(values[n]) - here), -n))


def _fold(letter: int, count: int) -> int:
    """A letter that is one of `count`: what is no default stays none."""
    return letter if letter < count else 1 + (letter - 1) % (count - 1)
