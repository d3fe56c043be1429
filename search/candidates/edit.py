"""One typed, named change of a script: its kind, range and default, and what it goes with.

Values are texts in one canonical form each (`6`, `0.02`, `relu2`, `on`), so that a list of edits is
a string. Searchers that want numbers get them from `to_unit` and `from_unit`.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nasarena.search.errors import InvalidPattern

Kind = Literal["int", "log", "float", "choice", "switch"]
SWITCH = ("off", "on")
_DIGITS = 3  # significant, of a real number
_LOG_STEP, _STEPS = 1.5, 8  # a neighbour: this factor, or this part of a linear range
_LONGEST = 24  # characters of a value


@dataclass(frozen=True, slots=True)
class Edit:
    """`name=value`. Numbers have `low` and `high`, both allowed; a choice has `choices`.

    `requires`: values that other edits must have for this one to mean anything. `excludes`: edits
    that it cannot stand beside, unless they have their default. `about` says what it changes.
    """

    name: str
    kind: Kind
    default: str
    about: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()
    requires: tuple[tuple[str, tuple[str, ...]], ...] = ()
    excludes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.parse(self.default) != self.default:
            raise ValueError(f"{self.name}: the default {self.default!r} is not canonical")

    @property
    def values(self) -> tuple[str, ...]:
        """All values of an edit that has a list of them; empty for real numbers."""
        if self.kind == "switch":
            return SWITCH
        if self.kind == "int":
            return tuple(str(n) for n in range(int(self.low), int(self.high) + 1))
        return self.choices

    @property
    def is_ordered(self) -> bool:
        """Whether a value lies between others."""
        return self.kind in ("int", "log", "float")

    @property
    def num_values(self) -> int:
        """How many values it has, real numbers counted by their digits."""
        if self.values:
            return len(self.values)
        decades = math.log10(self.high / self.low) if self.kind == "log" else 1.0
        return max(2, round(900 * decades))

    def parse(self, text: str) -> str:
        """`text` in canonical form. Raises InvalidPattern for a value that it cannot have."""
        if self.kind in ("choice", "switch"):
            if text in self.values:
                return text
            raise self._refusal(text, f"one of {', '.join(self.values)}")
        wanted = f"{'an integer' if self.kind == 'int' else 'a number'} from {self.low:g} "
        wanted += f"to {self.high:g}"
        try:
            if len(text) > _LONGEST or not text.isascii() or "_" in text:
                raise ValueError
            number = int(text) if self.kind == "int" else float(text)
        except ValueError as error:
            raise self._refusal(text, wanted) from error
        if not self.low <= number <= self.high:  # also for what is not a number
            raise self._refusal(text, wanted)
        return str(number) if self.kind == "int" else self._real(number)

    def read(self, value: str) -> int | float | str:
        """A canonical value as a library takes it: a number where it is one."""
        if not self.is_ordered:
            return value
        return int(value) if self.kind == "int" else float(value)

    def spell(self, value: float | str) -> str:
        """What `read` gave, as a canonical value again; a number is cut to its range."""
        if isinstance(value, str):
            return value
        return self._number(min(max(float(value), self.low), self.high))

    def sample(self, rng: np.random.Generator) -> str:
        """A uniform value, on a logarithmic scale for `log`."""
        return self.from_unit(float(rng.random()))

    def neighbours(self, value: str) -> list[str]:
        """Values one step away: every other choice, the numbers on either side."""
        if not self.is_ordered:
            return [one for one in self.values if one != value]
        number = float(value)
        if self.kind == "int":
            near = [number - 1, number + 1]
        elif self.kind == "log":
            near = [number / _LOG_STEP, number * _LOG_STEP]
        else:
            step = (self.high - self.low) / _STEPS
            near = [number - step, number + step]
        made = [self.spell(one) for one in near]
        return [one for one in dict.fromkeys(made) if one != value]

    def to_unit(self, value: str) -> float:
        """The value as a number in [0, 1]; of a list of values, the middle of its part."""
        if self.values:
            return (self.values.index(value) + 0.5) / len(self.values)
        number, low, high = float(value), self.low, self.high
        if self.kind == "log":
            number, low, high = math.log(number), math.log(low), math.log(high)
        return min(1.0, max(0.0, (number - low) / (high - low)))

    def from_unit(self, unit: float) -> str:
        """The value at a number, which is cut to [0, 1]; the inverse of `to_unit`."""
        unit = min(1.0, max(0.0, unit))
        if self.values:
            return self.values[min(len(self.values) - 1, int(unit * len(self.values)))]
        if self.kind == "log":
            return self._number(self.low * (self.high / self.low) ** unit)
        return self._number(self.low + (self.high - self.low) * unit)

    def _number(self, number: float) -> str:
        return str(round(number)) if self.kind == "int" else self._real(number)

    def _real(self, number: float) -> str:
        rounded = float(f"{number:.{_DIGITS}g}")
        return f"{min(max(rounded, self.low), self.high):.{_DIGITS}g}"

    def _refusal(self, text: str, wanted: str) -> InvalidPattern:
        return InvalidPattern(f"edit {self.name} must be {wanted}, got {text[:40]!r}")
