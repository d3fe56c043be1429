"""The agent with an instrument: query -> reading, a few times, then the proposal.

Each step is a prompt of its own, in which all readings so far stand: no conversation has to be kept
together, and a server's prefix cache serves what the steps have in common. All calls are charged to
the trial that they led to, and its detail `queries` says what was asked. A reply that is no
question, mended once, ends the asking.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from nasarena.agents.agent_searcher import Agent
from nasarena.agents.context.instrument import Instrument, Query
from nasarena.agents.context.view import View
from nasarena.agents.policies.instrumented import Instrumented
from nasarena.search.trial import LlmCost, Proposal, Trial


class AgentWithInstrument(Agent):
    """Runs the policy `Instrumented`."""

    policy_class = Instrumented
    patterns_only = True

    def take_readings(
        self, view: View, known: Sequence[Trial], pending: Sequence[Proposal], index: int
    ) -> tuple[View, dict[str, str], LlmCost]:
        """The view with what the instrument said, what was asked, and the cost of asking."""
        policy = cast(Instrumented, self.policy)
        evidence = self.sight.show_all(known, pending)
        instrument = Instrument(evidence.space, evidence.trials, evidence.pending, policy.num_best)
        if not policy.queries or not instrument.is_ready:
            return view, {}, LlmCost()
        if self.options.prompt != "full":
            reading = instrument.answer(Query("best"), view.style)
            return replace(view, readings=(reading,)), {"queries": "best, unasked"}, LlmCost()
        asked, cost = list[str](), LlmCost()
        for number in range(policy.queries):
            answer = self.consultant.query(view, policy.queries - number, (index, number))
            cost += answer.cost
            asked.append(answer.value.kind if answer.value else "unusable")
            if answer.value is None or answer.value.kind == "none":
                break
            reading = instrument.answer(answer.value, view.style)
            view = replace(view, readings=(*view.readings, reading))
        return view, {"queries": ", ".join(asked)}, cost
