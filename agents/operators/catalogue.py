"""All operators that answer with a candidate, by name."""

from collections.abc import Callable
from dataclasses import dataclass

from nasarena.agents.context.view import View
from nasarena.agents.operators import crossover, debug, draft, improve, wish
from nasarena.agents.operators.candidate import Candidate
from nasarena.agents.operators.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Operator:
    """A pure pair: what to ask, and how to read the answer (raises UnusableReply)."""

    build: Callable[[View], Prompt]
    parse: Callable[[str, View], Candidate]


OPERATORS = {
    "draft": Operator(draft.build, draft.parse),
    "improve": Operator(improve.build, improve.parse),
    "debug": Operator(debug.build, debug.parse),
    "crossover": Operator(crossover.build, crossover.parse),
    "wish": Operator(wish.build, wish.parse),
}
