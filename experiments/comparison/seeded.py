"""The control of equal knowledge: the same searcher, told the hand-made patterns before it begins.

What people and language models know of good patterns by heart is no merit of a search. So each
reference that the space can spell is a trial of the run, after the initial design and before the
searcher's first proposal, charged like any other and told to the searcher. A lead that is gone
against the seeded twin of another searcher was prior knowledge.

    nasarena compare controls=[seeded]
    nasarena compare searchers=[evolution,{name:evolution,control:seeded}]
"""

from collections.abc import Sequence
from typing import Any

from nasarena.baselines.references import reference_patterns
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_config import REFERENCES
from nasarena.search.searcher import Searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

PROVENANCE = "reference"


def seed_patterns(space: PatternSpace) -> list[str]:
    """The different patterns that a seeded searcher is told, in order of the references."""
    return list(dict.fromkeys(pattern for pattern, _ in reference_patterns(space).values()))


def refuse_senseless_seeds(
    searcher: str, space: PatternSpace, initial_design: int, num_trials: int
) -> None:
    """Raise InvalidSetting where there is nothing to tell, or nothing left to search afterwards.

    `num_trials` is how many average patterns the budget pays for.
    """
    count = len(seed_patterns(space))
    if searcher == REFERENCES:
        raise InvalidSetting(f"control seeded needs a searcher, {REFERENCES!r} searches nothing")
    if not count:
        raise InvalidSetting(
            f"control seeded needs a reference pattern that the space can spell, "
            f"{space.depth} letters from {space.alphabet} spell none"
        )
    if initial_design + count >= num_trials:
        raise InvalidSetting(
            f"control seeded needs a budget beyond {initial_design} patterns of the initial design "
            f"and {count} references, got one of {num_trials} average patterns; raise "
            f"budget.patterns"
        )


class Seeded:
    """Asks the given patterns first, then what its searcher asks; implements `Searcher`.

    A name would tell a model whose letters are anonymous what is searched: so patterns have none.
    """

    def __init__(self, searcher: Searcher, patterns: Sequence[str]) -> None:
        self._searcher = searcher
        self._left = [Proposal(pattern, PROVENANCE) for pattern in patterns]

    def ask(self, n: int) -> Any:
        """Up to `n` of the given patterns; when none is left, the searcher's own answer."""
        if not self._left:
            return self._searcher.ask(n)
        batch, self._left = self._left[:n], self._left[n:]
        return batch

    def tell(self, trials: Sequence[Trial]) -> None:
        self._searcher.tell(trials)

    @property
    def recommend(self) -> Any:
        """The searcher's own; None from one that recommends nothing."""
        return getattr(self._searcher, "recommend", None)
