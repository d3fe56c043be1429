"""The letter control: the same searcher, shown every letter under the name of another.

The proxy scores true patterns, the searcher proposes and is told permuted ones, in a space that
looks as it always does. Whoever knows a letter by its place in the alphabet alone must do as well
as before; whoever leans on what a letter stands for is misled. The permutation leaves no letter in
its place and belongs to the run seed, so that all controls of a seed are fooled alike.

    nasarena compare controls=[permuted_letters]
    nasarena compare searchers=[evolution,{name:evolution,control:permuted_letters}]
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nasarena.experiments.settings.config import Control, SearcherConfig
from nasarena.search.errors import InvalidSetting
from nasarena.search.notation import LetterMap
from nasarena.search.searcher import Searcher
from nasarena.search.seeding import stream
from nasarena.search.trial import Proposal, Trial


class Permutation(LetterMap):
    """Both sides hold the same letters, none in its own place."""

    __slots__ = ()

    @classmethod
    def of_seed(cls, alphabet: str, run_seed: int) -> "Permutation":
        """A uniform one among those that move every letter; InvalidSetting for a single letter."""
        if len(alphabet) < 2:
            raise InvalidSetting(
                f"control permuted_letters needs two letters or more, the space has {alphabet!r}"
            )
        rng = stream(run_seed, "letter permutation")
        while True:
            order = rng.permutation(len(alphabet))
            if not np.any(order == np.arange(len(alphabet))):
                return cls(alphabet, "".join(alphabet[place] for place in order))


class PermutedLetters:
    """A searcher behind a permutation; implements `nasarena.search.searcher.Searcher`."""

    def __init__(self, searcher: Searcher, permutation: Permutation) -> None:
        self._searcher, self._permutation = searcher, permutation

    def ask(self, n: int) -> Any:
        """What is no list of patterns goes through as it is, for the loop to complain about."""
        answer = self._searcher.ask(n)
        if isinstance(answer, str) or not isinstance(answer, Sequence):
            return answer
        return [self._reveal(item) for item in answer]

    def tell(self, trials: Sequence[Trial]) -> None:
        self._searcher.tell([self._show(trial) for trial in trials])

    @property
    def recommend(self) -> Callable[[int], Any] | None:
        """As the searcher's own, in true letters; None from one that recommends nothing."""
        inner = getattr(self._searcher, "recommend", None)
        return inner and (lambda k: [self._permutation.reveal(item) for item in inner(k)])

    def _reveal(self, item: str | Proposal) -> str | Proposal:
        if isinstance(item, str):
            return self._permutation.reveal(item)
        if isinstance(item, Proposal) and isinstance(item.pattern, str):
            return replace(item, pattern=self._permutation.reveal(item.pattern))
        return item

    def _show(self, trial: Trial) -> Trial:
        """The note of an invalid proposal quotes it in true letters, which would tell."""
        note = "not one of the allowed patterns" if trial.status == "invalid" else trial.note
        return replace(trial, pattern=self._permutation.show(trial.pattern), note=note)


def with_controls(
    searchers: Sequence[SearcherConfig], controls: Sequence[Control]
) -> list[SearcherConfig]:
    """All searchers, then each of them once more under every control that is asked for."""
    twins = [
        replace(searcher, control=control)
        for control in dict.fromkeys(controls)
        for searcher in searchers
        if searcher.control == "none"
    ]
    return [*searchers, *(twin for twin in twins if twin not in searchers)]
