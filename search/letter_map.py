"""Letters under other names: what a searcher is shown, and what is meant by what it answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LetterMap:
    """`true[i]` is shown as `shown[i]`, letters each used once; other signs stay as they are."""

    true: str
    shown: str

    def show(self, pattern: str) -> str:
        """A true pattern as it is shown."""
        return pattern.translate(str.maketrans(self.true, self.shown))

    def reveal(self, pattern: str) -> str:
        """The true pattern behind a shown one."""
        return pattern.translate(str.maketrans(self.shown, self.true))
