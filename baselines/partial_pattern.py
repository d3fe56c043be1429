"""Patterns with frozen layers and open positions, for incremental search.

Composer's incremental variants (arXiv 2510.00379) score ever deeper models; our proxies score
patterns of full depth. So frozen layers are at their final positions, and the letters of the
current step are repeated over all open positions. A step then has len(alphabet)^n options as in the
paper, the scores of all steps are comparable, and the winner of a step is an option of the next one
(with its letters rotated), so that freezing never loses it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartialPattern:
    """Layers frozen at the bottom and at the top, with `num_open` places between them."""

    bottom: str
    top: str
    num_open: int

    def fill(self, letters: str) -> str:
        """The full pattern: `letters` repeated over the open places and cut off."""
        repeats = -(-self.num_open // len(letters))
        return self.bottom + (letters * repeats)[: self.num_open] + self.top

    def letters_of(self, pattern: str, num_letters: int) -> str | None:
        """The letters with which `fill` makes `pattern`; None if it is not an option here."""
        start = len(self.bottom)
        letters = pattern[start : start + num_letters]
        return letters if self.fill(letters) == pattern else None

    def grow_end(self, letters: str) -> "PartialPattern":
        """End-layer increment: `letters` join the bottom."""
        return PartialPattern(self.bottom + letters, self.top, self.num_open - len(letters))

    def grow_middle(self, letters: str) -> "PartialPattern":
        """Middle-layer increment: the filled design is split, half of the letters on each side."""
        open_part = self.fill(letters)[len(self.bottom) :][: self.num_open]
        num_up = len(letters) // 2
        num_down = len(letters) - num_up
        return PartialPattern(
            self.bottom + open_part[:num_down],
            open_part[self.num_open - num_up :] + self.top,
            self.num_open - len(letters),
        )
