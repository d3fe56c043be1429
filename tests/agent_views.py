"""What an agent is shown in the tests of prompts: one of each kind of trial, a view an operator.

from agent_views import VIEWS, text, view
"""

from nasarena.agents.context.memory import Memory
from nasarena.agents.context.view import View, legend
from nasarena.agents.operators.prompt import Prompt
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SPACE = PatternSpace("AMS", 6)

PARENT = Trial(0, "AAAAAA", "ok", 0.5, details={"name": "all A", "hypothesis": "attention wins"})
OTHER = Trial(1, "MMMMMM", "ok", 0.25, details={"name": "MLP stack"})
BROKEN = Trial(
    2, "SSSSSS", "failed", None, note="loss became nan at step 3 of training", parents=(0,)
)
REPEATED = Trial(3, "AAAAAA", "duplicate", 0.5, duplicate_of=0)
UNREADABLE = Trial(4, "no idea, sorry", "invalid", None, details={"error": "a reply must be JSON"})
TRIALS = [PARENT, OTHER, BROKEN, REPEATED, UNREADABLE]


def view(*parents: Trial, trials: list[Trial] = TRIALS, **values: object) -> View:
    sections, lessons = Memory("combined", 16, 1500).recall(trials, parents)
    return View(
        SPACE,
        sections,
        ("mixing layers helps",),
        parents,
        PARENT,
        legend=legend(SPACE),
        **values,  # type: ignore[arg-type]
    )


VIEWS = {
    "draft": view(pending=("MMMMAA",), noise=0.01, budget_left=0.4),
    "improve": view(PARENT),
    "debug": view(BROKEN),
    "crossover": view(PARENT, OTHER),
    "wish": view(wish=0.75),
}


def text(prompt: Prompt) -> str:
    return "\n".join(message["content"] for message in prompt.messages)
