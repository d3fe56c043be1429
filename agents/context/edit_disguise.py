"""Edits under neutral names: the control `anonymous_letters` for lists of edits.

Edits are called e1, e2, ... and their choices v1, v2, ..., both in an order drawn by seed; ranges
of numbers, defaults and what excludes what stay, for without them no valid list could be written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace


@dataclass(frozen=True, slots=True)
class EditDisguise:
    """`space` is the catalogue as it is shown; names and choices go both ways."""

    true: EditSpace
    space: EditSpace
    names: Mapping[str, str] = field(repr=False)
    choices: Mapping[str, Mapping[str, str]] = field(repr=False)  # by true name

    @classmethod
    def draw(cls, space: EditSpace, rng: np.random.Generator) -> "EditDisguise":
        """A random disguise."""
        order = [space.edits[place] for place in rng.permutation(len(space.edits))]
        names = {edit.name: f"e{number}" for number, edit in enumerate(order, start=1)}
        choices = {edit.name: _draw_names(edit, rng) for edit in order}
        edits = tuple(_disguise(edit, names, choices) for edit in order)
        return cls(space, EditSpace("anonymous", edits), names, choices)

    def show(self, candidate: str) -> str:
        """A valid candidate in the names that are shown."""
        given = self.true.given(candidate)
        return self.space.repair(
            {self.names[name]: self._choice(name, value) for name, value in given.items()}
        )

    def reveal(self, candidate: str) -> str:
        """The inverse of `show`."""
        given = self.space.given(candidate)
        true_names = {shown: name for name, shown in self.names.items()}
        values = {true_names[shown]: value for shown, value in given.items()}
        for name, value in values.items():
            back = {shown: choice for choice, shown in self.choices[name].items()}
            values[name] = back.get(value, value)
        return self.true.repair(values)

    def _choice(self, name: str, value: str) -> str:
        return self.choices[name].get(value, value)


def _draw_names(edit: Edit, rng: np.random.Generator) -> dict[str, str]:
    """The choices of an edit by their neutral names; none of a number."""
    if edit.is_ordered:
        return {}
    places = rng.permutation(len(edit.values)).tolist()
    return {value: f"v{place + 1}" for value, place in zip(edit.values, places, strict=True)}


def _disguise(
    edit: Edit, names: Mapping[str, str], choices: Mapping[str, Mapping[str, str]]
) -> Edit:
    own = choices[edit.name]
    return replace(
        edit,
        name=names[edit.name],
        about="",
        requires=tuple(
            (names[other], tuple(sorted(choices[other].get(one, one) for one in allowed)))
            for other, allowed in edit.requires
        ),
        excludes=tuple(names[other] for other in edit.excludes),
        kind="choice" if own else edit.kind,
        choices=tuple(sorted(own.values())),
        default=own.get(edit.default, edit.default),
    )
