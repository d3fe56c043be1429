"""What all searchers with a language model share, and the agent that runs a policy.

A searcher keeps the trials told and nothing else; trees, islands, lessons and repairs are read off
them at each ask. Its options are its own, those of its policy and `AgentOptions`, in one flat list
which `build_searcher` can check: it is made from the dataclasses when a class is declared.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar, cast

import numpy as np

from nasarena.agents.consultant import Consultant
from nasarena.agents.context.view import View
from nasarena.agents.flat_signature import flat_signature
from nasarena.agents.hints import find_hint
from nasarena.agents.languages.candidate import Candidate
from nasarena.agents.llm.client import Answer, Client
from nasarena.agents.llm.text import one_line, printable_lines
from nasarena.agents.options import AgentOptions
from nasarena.agents.policies.policy import Move, Policy, own
from nasarena.agents.view_builder import ViewBuilder
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.candidates.protocol import identity
from nasarena.search.errors import InvalidSetting
from nasarena.search.searcher import spec_of
from nasarena.search.seeding import stable_hash, stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import LlmCost, Proposal, Trial

NO_PROGRAMS = (
    "the embedded agent reads layer patterns and lists of edits, no programs: give the address of "
    "another model with llm.base_url=..., or one to serve with llm=vllm llm.model=..."
)
_OF_CODE = {"prompt": "full", "notation": "letters", "rationale": None, "example": False}
_UNUSABLE = "unusable: "
_INVALID_TEXT = 200  # characters of an unusable reply that stand in for a pattern


class LlmSearcher:
    """Trials, eyes and a consultant; `ask` is left to the subclasses.

    `defaults` are the values of `AgentOptions` that suit a subclass better than the general ones;
    `policy_class` is the dataclass whose fields are options too, if there is a policy.
    """

    defaults: ClassVar[dict[str, Any]] = {}
    policy_class: ClassVar[type[Any] | None] = None
    patterns_only: ClassVar[bool] = True  # what it does besides asking is made for letters

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        groups = [AgentOptions] if cls.policy_class is None else [cls.policy_class, AgentOptions]
        signature = flat_signature(cls, groups, cls.defaults)
        cls.__signature__ = signature  # type: ignore[attr-defined]

    def __init__(
        self,
        space: Any,
        rng: np.random.Generator,
        llm: object,
        num_trials: int | None = None,
        **options: Any,
    ) -> None:
        if llm is None:
            raise InvalidSetting(
                "a searcher with a language model needs one: choose llm=scribe or llm=vllm, "
                "or give the address of a server with llm.base_url=..."
            )
        self.space = space
        self._refuse_senseless(space, options)
        self.options = AgentOptions(**{**self.defaults, **options})
        self.trials: list[Trial] = []
        self.seed = int(rng.integers(2**62))
        self.sight = ViewBuilder(space, self.options, self.seed)
        self.consultant = Consultant(cast(Client, llm), self.options, self.seed)
        self._num_trials = num_trials

    def _refuse_senseless(self, space: Any, options: Mapping[str, Any]) -> None:
        """Raise InvalidSetting for what does not work on this space."""
        if isinstance(space, PatternSpace):
            if options.get("literature", "off") != "off":
                raise InvalidSetting("literature is about code: it needs nasarena design")
            return
        if self.patterns_only:
            raise InvalidSetting(f"{spec_of(type(self)).name} works on layer patterns alone")
        if options.get("prompt") == "compact":
            if isinstance(space, ProgramSpace):
                raise InvalidSetting(NO_PROGRAMS)
            options = {**options, "prompt": "full"}
        for name in ("prompt", "notation", "rationale", "example"):
            if options.get(name, _OF_CODE[name]) != _OF_CODE[name]:
                raise InvalidSetting(
                    f"{name}={options[name]} is about layer patterns: code has one form of prompt"
                )

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember the trials, whatever became of them."""
        self.trials.extend(trials)

    def stream(self, *role: str | int) -> np.random.Generator:
        """A random stream of this searcher, fixed by its seed and the role alone."""
        return stream(self.seed, *role)

    def consult(
        self,
        move: Move,
        known: Sequence[Trial],
        pending: Sequence[Proposal],
        wish: float | None = None,
        variant: int = 0,
    ) -> Proposal:
        """What the model makes of a move, whether usable or not.

        `variant` numbers several answers to one and the same question.
        """
        if self.options.control == "no_history":
            move = Move("draft", (), move.details)
        index = len(self.trials) + len(pending)
        budget_left = self._remaining_budget(index)
        learned, cost = self._lesson(known, index) if variant == 0 else ({}, LlmCost())
        view = self.sight.build(known, move, pending, budget_left=budget_left, wish=wish)
        view, asked, spent = self.take_readings(view, known, pending, index)
        view, told = self._with_hint(view, move, known, index)
        made: tuple[Trial | Proposal, ...] = (*self.trials, *pending)
        tried = {self._name(one.pattern) for one in made}
        answer = self.consultant.candidate(
            move.operator,
            view,
            (index, variant),
            lambda text: self._name(self.sight.reveal(text)) in tried,
        )
        details = {"operator": move.operator, **move.details, **learned, **asked, **told}
        return Proposal(
            self._pattern(answer),
            answer.provenance,
            move.parents,
            details | _reply_details(answer, self.sight.explain),
            answer.cost + cost + spent,
        )

    def take_readings(
        self, view: View, known: Sequence[Trial], pending: Sequence[Proposal], index: int
    ) -> tuple[View, dict[str, str], LlmCost]:
        """The view as a subclass's instrument completes it, details, and the cost; here nothing."""
        return view, {}, LlmCost()

    def _with_hint(
        self, view: View, move: Move, known: Sequence[Trial], index: int
    ) -> tuple[View, Mapping[str, str]]:
        """The view with what is known from outside, and details of that."""
        if self.options.control == "anonymous_letters":  # it would name what is hidden
            return view, {}
        failed = [trial for trial in own(known) if trial.status == "failed"]
        hint = find_hint(
            self.space,
            self.options,
            move.operator,
            view.parents[0] if view.parents else None,
            failed[-1] if failed and self.options.control != "no_history" else None,
            stable_hash(self.seed, "hint", index),
        )
        return (replace(view, hint=hint.text) if hint.text else view), hint.details

    def _name(self, pattern: str) -> str:
        """What a candidate is told from others by; what is none is told by itself."""
        return identity(self.space, pattern) if pattern in self.space else pattern

    def _pattern(self, answer: Answer[Candidate]) -> str:
        """The true pattern, or the beginning of a text that was none, even where it looks so."""
        if answer.value is not None:
            return self.sight.reveal(answer.value.pattern)
        if isinstance(self.space, ProgramSpace):
            text = printable_lines(answer.text, self.space.text_limit - len(_UNUSABLE))
        else:
            text = one_line(answer.text, _INVALID_TEXT)
        return f"{_UNUSABLE}{text}" if text in self.space else text

    def _lesson(self, known: Sequence[Trial], index: int) -> tuple[dict[str, str], LlmCost]:
        """A new lesson when one is due, to be remembered with the next proposal."""
        every = self.options.lessons_every
        if not every or self.options.control == "no_history":
            return {}, LlmCost()
        since = 0
        for trial in reversed(own(known)):
            since += 1
            if "lesson" in trial.details:
                break
        if since < every or not any(trial.status == "ok" for trial in known):
            return {}, LlmCost()
        answer = self.consultant.lesson(self.sight.build(known, Move("draft")), (index, 0))
        return {"lesson": answer.value.text if answer.value else ""}, answer.cost

    def _remaining_budget(self, index: int) -> float | None:
        if not self._num_trials:
            return None
        return max(0.0, 1 - index / self._num_trials)


class Agent(LlmSearcher):
    """A searcher that runs one policy; subclasses name it and declare themselves."""

    patterns_only = False

    def __init__(
        self,
        space: Any,
        rng: np.random.Generator,
        llm: object = None,
        num_trials: int | None = None,
        **options: Any,
    ) -> None:
        assert self.policy_class is not None, "an agent without a policy cannot act"
        names = {field.name for field in fields(self.policy_class)}
        chosen = {name: options.pop(name) for name in list(options) if name in names}
        self.policy: Policy = self.policy_class(**chosen)
        super().__init__(space, rng, llm, num_trials, **options)

    def ask(self, n: int) -> list[Proposal]:
        """Up to `n` proposals, one after the other; fewer when the policy has come to its end."""
        pending: list[Proposal] = []
        while len(pending) < n:
            index = len(self.trials) + len(pending)
            known = self.sight.visible_trials(self.trials, index)
            move = self.policy.next_move(known, pending, self.stream("policy", index))
            if move is None:
                break
            pending.append(self.consult(move, known, pending))
        return pending


def _reply_details(answer: Answer[Candidate], explain: Callable[[str], str]) -> dict[str, str]:
    """What the model said about its proposal, or why it could not be used."""
    prompt = {"prompt": answer.prompt_version}
    if answer.value is None:
        return {**prompt, "error": answer.error}
    candidate = answer.value
    said = {
        "name": candidate.name,
        "hypothesis": explain(candidate.hypothesis),
        "expected": candidate.expected,
    }
    return {**prompt, **{key: text for key, text in said.items() if text}, **candidate.notes}
