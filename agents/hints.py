"""What an agent is told besides its record: the one place where knowledge from outside comes in.

`find_hint` is asked before every proposal. What it returns stands in the prompt just before the
instruction, and its details are recorded with the proposal. It must be a pure function of its
arguments, for a run that is resumed asks the same again. Nothing is told so far.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nasarena.agents.options import AgentOptions
from nasarena.search.trial import Trial


@dataclass(frozen=True, slots=True)
class Hint:
    """Text for a prompt, empty for none, and what is remembered of it, such as ids of sources."""

    text: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


def find_hint(
    space: Any,
    options: AgentOptions,
    operator: str,
    parent: Trial | None,
    failure: Trial | None,
    seed: int,
) -> Hint:
    """What the agent is told for one proposal.

    `space` names its task (`space.task`, of code). `parent` is the first trial that the operator
    acts on, `failure` the newest trial of the agent that failed; both as the agent may know them,
    None where there is none. `seed` belongs to this proposal alone.
    """
    return Hint()
