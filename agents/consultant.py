"""From a move to a proposal: how the model is asked, and what its answer becomes.

The one place in which a searcher meets the client. An unusable reply is mended in one more turn,
then sampled again; a pattern that was tried before is sampled again too. In the end what came is
passed on: a reply that stays unusable becomes an `invalid` trial with its text and its cost, never
a pattern from a random generator.

Every call has a seed of its own, hash(searcher's seed, trial, operator, attempt), so an ask is a
pure function of options, seed, trials told and recorded replies.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from nasarena.agents.context import compact_prompt as compact
from nasarena.agents.context.view import View
from nasarena.agents.llm.client import Client, Request, ask_and_parse
from nasarena.agents.llm.messages import TokenChoice, call_seed
from nasarena.agents.operators import analyze, draft
from nasarena.agents.operators.analyze import Lesson
from nasarena.agents.operators.candidate import Candidate
from nasarena.agents.operators.catalogue import OPERATORS
from nasarena.agents.operators.prompt import Prompt
from nasarena.agents.options import AgentOptions
from nasarena.search.trial import LlmCost

Result = TypeVar("Result")
# Sampling again at temperature 0 would bring the same reply again.
_RESAMPLE_TEMPERATURE = 0.8
# Log-probabilities asked for at each token: enough for all letters and their pairs.
_ALTERNATIVES = 20


@dataclass(frozen=True, slots=True)
class Answer(Generic[Result]):
    """What came of a question: a result, or None with the text that could not be used and why.

    `provenance` is `llm`, `llm-repaired` (after the turn that quotes the error), `llm-resampled`,
    `llm-salvaged` (dug out of its packaging) or `llm-invalid`.
    """

    result: Result | None
    text: str
    provenance: str
    llm: LlmCost
    error: str = ""
    prompt_version: str = ""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate, if the reply was usable, and the tokens that spelled the reply."""

    candidate: Candidate | None
    tokens: tuple[TokenChoice, ...]
    llm: LlmCost


class Consultant:
    """Asks a language model on behalf of one searcher."""

    def __init__(self, client: Client, options: AgentOptions, seed: int) -> None:
        self._client, self._options, self._seed = client, options, seed

    def candidate(
        self, operator: str, view: View, place: tuple[int, int], is_tried: Callable[[str], bool]
    ) -> Answer[Candidate]:
        """A candidate, in the letters of the view. `place` is (trial, variant), for the seed.

        `is_tried` tells whether a pattern, in those letters, would be a duplicate.
        """
        prompt = self._prompt(operator, view)
        parse = OPERATORS[operator].parse
        spent = LlmCost()
        resamples = repeats = 0
        while True:
            attempt = resamples + repeats
            request = self._request(prompt, operator, place, attempt)
            typed = ask_and_parse(self._client, request, lambda text: parse(text, view))
            spent += typed.llm
            candidate = typed.value
            if candidate is None and resamples < self._options.resamples:
                resamples += 1
            elif candidate and is_tried(candidate.pattern) and repeats < self._options.distinct:
                repeats += 1
            else:
                return Answer(
                    candidate,
                    typed.text,
                    _provenance(candidate, typed.repaired, attempt),
                    spent,
                    typed.error,
                    prompt.version,
                )

    def lesson(self, view: View, place: tuple[int, int]) -> Answer[Lesson]:
        """A lesson from the trials in view; asked for once, mended once."""
        prompt = analyze.build(view)
        request = self._request(prompt, "analyze", place, 0)
        typed = ask_and_parse(self._client, request, lambda text: analyze.parse(text, view))
        provenance = _provenance(typed.value, typed.repaired, 0)
        return Answer(typed.value, typed.text, provenance, typed.llm, typed.error, prompt.version)

    def draft_with_logprobs(self, view: View, place: tuple[int, int]) -> Weighed:
        """A draft together with the log-probabilities of its tokens, for a prior."""
        prompt = self._prompt("draft", view)
        request = replace(self._request(prompt, "draft", place, 0), logprobs=_ALTERNATIVES)
        typed = ask_and_parse(self._client, request, lambda text: draft.parse(text, view))
        return Weighed(typed.value, typed.tokens, typed.llm)

    def _prompt(self, operator: str, view: View) -> Prompt:
        prompt = OPERATORS[operator].build(view)
        if self._options.prompt == "full":
            return prompt
        text = compact.render(view.space, view.trials)
        return Prompt(({"role": "user", "content": text},), prompt.schema, "compact")

    def _request(
        self, prompt: Prompt, operator: str, place: tuple[int, int], attempt: int
    ) -> Request:
        temperature = self._options.temperature
        trial, variant = place
        return Request(
            messages=prompt.messages,
            schema=prompt.schema,
            temperature=max(temperature, _RESAMPLE_TEMPERATURE) if attempt else temperature,
            max_tokens=self._options.max_tokens,
            seed=call_seed(self._seed, trial, f"{operator} {variant}", attempt),
        )


def _provenance(result: Candidate | Lesson | None, repaired: bool, attempt: int) -> str:
    if result is None:
        return "llm-invalid"
    if attempt:
        return "llm-resampled"
    if repaired:
        return "llm-repaired"
    return "llm-salvaged" if result.salvaged else "llm"
