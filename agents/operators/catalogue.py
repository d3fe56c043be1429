"""All operators that answer with a candidate, by name: a pure function of what may be seen.

Every answer is read by `languages.choice.parse_reply`.
"""

from collections.abc import Callable

from nasarena.agents.context.view import View
from nasarena.agents.operators import crossover, debug, draft, improve, wish
from nasarena.agents.operators.prompt import Prompt

OPERATORS: dict[str, Callable[[View], Prompt]] = {
    "draft": draft.build,
    "improve": improve.build,
    "debug": debug.build,
    "crossover": crossover.build,
    "wish": wish.build,
}
