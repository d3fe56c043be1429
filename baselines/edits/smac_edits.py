"""SMAC on edits: an integer, a real number or a choice for each edit."""

from collections.abc import Sequence
from typing import Any

from nasarena.baselines.libraries.smac_search import SmacSearch
from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.searcher import searcher


@searcher("smac", requires="smac")
class SmacEdits(SmacSearch):
    """SMAC's random forest on the mixed space."""

    _space: EditSpace

    def parameters(self) -> list[dict[str, Any]]:
        """One for each edit."""
        return [_parameter(edit) for edit in self._space.edits]

    def spell(self, point: Sequence[Any]) -> str:
        """The candidate of these values."""
        pairs = zip(self._space.edits, point, strict=True)
        return self._space.repair({edit.name: _spell(edit, value) for edit, value in pairs})

    def point_of(self, candidate: str) -> list[Any]:
        """The values of a candidate, of choices their places."""
        values = self._space.values(candidate)
        return [
            edit.read(values[edit.name])
            if edit.is_ordered
            else edit.values.index(values[edit.name])
            for edit in self._space.edits
        ]


def _parameter(edit: Edit) -> dict[str, Any]:
    if not edit.is_ordered:
        return {"kind": "choice", "count": len(edit.values)}
    number = int if edit.kind == "int" else float
    low, high = number(edit.low), number(edit.high)
    return {"kind": edit.kind, "low": low, "high": high, "start": edit.read(edit.default)}


def _spell(edit: Edit, value: Any) -> str:
    return edit.spell(value) if edit.is_ordered else edit.values[value]
