"""The agents by name: a policy each, with the memory that suits it.

They all need `llm`, a client; every field of their policy and of `AgentOptions` is an option.
"""

from nasarena.agents.agent_searcher import Agent
from nasarena.agents.instrumented_agent import AgentWithInstrument
from nasarena.agents.policies.evolution import Evolution
from nasarena.agents.policies.greedy import Greedy
from nasarena.agents.policies.independent import DraftForEver
from nasarena.agents.policies.mcts import Mcts
from nasarena.agents.policies.one_shot import OneShot
from nasarena.search.searcher import searcher

# Enough for the whole history of a run of a few hundred trials.
_WHOLE_HISTORY = {"memory": "recent", "memory_trials": 400, "memory_tokens": 12_000}


@searcher("agent-one-shot", uses_llm=True)
class OneShotAgent(Agent):
    """Proposes once, without feedback."""

    policy_class = OneShot
    defaults = {"memory": "none"}


@searcher("agent-iid", uses_llm=True)
class IidAgent(Agent):
    """Independent samples: the model's prior, drawn from until the budget is spent."""

    policy_class = DraftForEver
    defaults = {"memory": "none"}


@searcher("agent-sequential", uses_llm=True)
class SequentialAgent(Agent):
    """Sees everything that was tried, and proposes the next; no scaffold at all."""

    policy_class = DraftForEver
    defaults = _WHOLE_HISTORY


@searcher("agent-paced", uses_llm=True, budget_aware=True)
class PacedAgent(Agent):
    """The sequential agent, which is also told how much of the budget is left."""

    policy_class = DraftForEver
    defaults = _WHOLE_HISTORY


@searcher("agent-instrumented", uses_llm=True)
class InstrumentedAgent(AgentWithInstrument):
    """The sequential agent, which may also question a model of the scores before it proposes."""

    defaults = _WHOLE_HISTORY


@searcher("agent-greedy", uses_llm=True)
class GreedyAgent(Agent):
    """Drafts, mends failures, then always improves the best."""

    policy_class = Greedy


@searcher("agent-mcts", uses_llm=True)
class MctsAgent(Agent):
    """Tree search over improvements."""

    policy_class = Mcts


@searcher("agent-islands", uses_llm=True)
class IslandsAgent(Agent):
    """Evolution on islands, with the model as variation operator."""

    policy_class = Evolution
