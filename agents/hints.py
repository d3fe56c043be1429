"""What an agent is told besides its record: the one place where knowledge from outside comes in.

`find_hint` is asked before every proposal. What it returns stands in the prompt just before the
instruction, and its details are recorded with the proposal. It must be a pure function of its
arguments, for a run that is resumed asks the same again. What is told are cards of the literature,
where the option `literature` says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nasarena.agents.literature.library import read_literature
from nasarena.agents.options import AgentOptions
from nasarena.search.seeding import stream
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

    `space`, of code, says what its task is about. `parent` is the first trial that the operator
    acts on, `failure` the newest trial of the agent that failed; both as the agent may know them,
    None where there is none. `seed` belongs to this proposal alone.
    """
    if options.literature == "off":  # as on patterns, always
        return Hint()
    found = read_literature(
        options.literature,
        space.about or space.task,
        parent.pattern if parent else "",
        f"{failure.note} {failure.details.get('error', '')}" if failure else "",
        parent.details.get("literature", "").split() if parent else (),
        None if parent else stream(seed, "literature"),
    )
    return Hint(found.text, {"literature": " ".join(found.ids)} if found.ids else {})
