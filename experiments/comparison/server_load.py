"""What the agents of a comparison will ask of a server: how many at once, and prompts how long."""

from collections.abc import Iterable, Sequence

from nasarena.agents.llm.serving_size import USUAL, Load
from nasarena.experiments.comparison.resolved_searcher import Entrant
from nasarena.experiments.comparison.run_spec import RunSpec

_FORM_TOKENS = 1000  # of a prompt beside its memory: task, form, and the turn that quotes an error
_TRIAL_TOKENS = 80  # of a trial in a memory: pattern, score, name and hypothesis


def expected_load(cells: Sequence[RunSpec], workers: int | None) -> Load:
    """The load of these runs; a compact prompt is that of a small model, and short."""
    longest = (_longest(one, cell.num_trials) for cell in cells for one in _parts(cell.entrant))
    return Load(min(len(cells), workers or USUAL.runs), max(longest, default=0))


def _parts(entrant: Entrant) -> Iterable[Entrant]:
    return [one for one in entrant.parts or (entrant,) if one.uses_llm]


def _longest(entrant: Entrant, num_trials: int) -> int:
    """Tokens of the longest prompt with its reply; a history is no longer than its run."""
    options = entrant.options
    if options.get("prompt") == "compact" or "memory_tokens" not in options:
        return 0
    memory = min(options["memory_tokens"], num_trials * _TRIAL_TOKENS)
    return int(memory + options.get("max_tokens", 0) + _FORM_TOKENS)
