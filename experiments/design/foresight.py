"""How long trainings will take here, said before they begin, from one of them.

That one is done in any case: with the evaluation cache it is not done twice. A machine that others
use takes longer than is said.
"""

from collections.abc import Sequence

from rich.console import Console

from nasarena.experiments.commands.evaluate import score_patterns
from nasarena.experiments.comparison.run_spec import RunSpec
from nasarena.experiments.settings.config import CompareConfig
from nasarena.proxies.lra.programs import framework_of
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.candidates.protocol import CodeSpace
from nasarena.search.machine import num_cores
from nasarena.search.proxy import Split

# Of a trial's three sandboxes, beside the training; JAX is imported and compiles in each.
_FENCES_S = {"torch": 1.5, "flax": 12.0}
_PARTS = 8  # edits of a winner, or hunks


def announce_time(
    config: CompareConfig, num_trainings: int, split: Split, console: Console
) -> None:
    """Train what the space names first, on the first seed, and say how long so many may take."""
    if not config.cache or not num_trainings:
        return
    assert isinstance(config.space, CodeSpace)
    first = next(iter(config.space.known_candidates().values()))
    ((outcome,),) = score_patterns(
        [first], [config.first_seed], config.proxy, config.space, True, 1, console, split
    )
    space = config.space
    fences_s = _FENCES_S[framework_of(space)] if isinstance(space, ProgramSpace) else 0.0
    workers = min(num_trainings, config.workers or num_cores())
    one_s = max(outcome.measured_s, outcome.cost.device_seconds)  # one on record takes no time
    words = foresee(num_trainings, one_s + fences_s, workers)
    console.print(words, markup=False, soft_wrap=True)


def foresee(num_trainings: int, one_s: float, workers: int) -> str:
    """In a sentence."""
    minutes = num_trainings * one_s / workers / 60
    return (
        f"some {num_trainings} trainings of {one_s:.1f} s, {workers} at once: about {minutes:.1f} "
        f"min on a quiet machine; what is cut off goes on with the same command"
    )


def count_trainings(cells: Sequence[RunSpec], attribution_seeds: int) -> int:
    """Of these runs from the start, and of taking apart a winner of `_PARTS` parts.

    `attribution_seeds` is 0 where that is not done.
    """
    if not cells:
        return 0
    space = cells[0].space
    assert isinstance(space, CodeSpace)
    apart = attribution_seeds * (2 * _PARTS + 1 + len(space.known_candidates()))
    return apart + sum(
        int(cell.settings.budget.amount) + cell.settings.finalists * cell.settings.final_replicates
        for cell in cells
    )
