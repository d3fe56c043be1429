"""From a move to a proposal: how the model is asked, and what its answer becomes.

The one place in which a searcher meets the client. An unusable reply is mended in one more turn,
then sampled again; a pattern that was tried before is sampled again too. In the end what came is
passed on: a reply that stays unusable becomes an `invalid` trial with its text and its cost, never
a pattern from a random generator.

Every call has a seed of its own, hash(searcher's seed, trial, operator, attempt), so an ask is a
pure function of options, seed, trials told and recorded replies.
"""

from collections.abc import Callable
from dataclasses import replace

from nasarena.agents.context import compact_prompt as compact
from nasarena.agents.context.instrument import Query
from nasarena.agents.context.view import View
from nasarena.agents.languages.candidate import Candidate
from nasarena.agents.languages.choice import parse_reply
from nasarena.agents.llm.client import Answer, Client, Request, ask_and_parse
from nasarena.agents.llm.messages import call_seed
from nasarena.agents.operators import analyze, query
from nasarena.agents.operators.analyze import Lesson
from nasarena.agents.operators.catalogue import OPERATORS
from nasarena.agents.operators.prompt import Prompt
from nasarena.agents.options import AgentOptions
from nasarena.search.trial import LlmCost

# Sampling again at temperature 0 would bring the same reply again.
_RESAMPLE_TEMPERATURE = 0.8
# Log-probabilities asked for at each token: enough for all letters and their pairs.
_ALTERNATIVES = 20


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
        spent = LlmCost()
        resamples = repeats = 0
        while True:
            attempt = resamples + repeats
            request = self._request(prompt, operator, place, attempt)
            answer = ask_and_parse(self._client, request, lambda text: parse_reply(text, view))
            spent += answer.cost
            candidate = answer.value
            if candidate is None and resamples < self._options.resamples:
                resamples += 1
            elif candidate and is_tried(candidate.pattern) and repeats < self._options.distinct:
                repeats += 1
            else:
                provenance = _provenance(answer, attempt)
                version = prompt.version
                return replace(answer, cost=spent, provenance=provenance, prompt_version=version)

    def lesson(self, view: View, place: tuple[int, int]) -> Answer[Lesson]:
        """A lesson from the trials in view; asked for once, mended once."""
        request = self._request(analyze.build(view), "analyze", place, 0)
        return ask_and_parse(self._client, request, lambda text: analyze.parse(text, view))

    def query(self, view: View, num_left: int, place: tuple[int, int]) -> Answer[Query]:
        """A question to the instrument, one of `num_left`; asked for once, mended once."""
        request = self._request(query.build(view, num_left), "query", place, 0)
        return ask_and_parse(self._client, request, lambda text: query.parse(text, view))

    def draft_with_logprobs(self, view: View, place: tuple[int, int]) -> Answer[Candidate]:
        """A draft together with the log-probabilities of its tokens, for a prior."""
        prompt = self._prompt("draft", view)
        request = replace(self._request(prompt, "draft", place, 0), logprobs=_ALTERNATIVES)
        return ask_and_parse(self._client, request, lambda text: parse_reply(text, view))

    def _prompt(self, operator: str, view: View) -> Prompt:
        prompt = OPERATORS[operator](view)
        if self._options.prompt != "compact":
            return prompt
        expected = [one for reading in view.readings for one in reading.predictions]
        limit = self._options.lines or compact.SHOWN
        text = compact.render(view.space, view.trials, limit, expected)
        return Prompt(({"role": "user", "content": text},), prompt.schema, "compact")

    def _request(
        self, prompt: Prompt, operator: str, place: tuple[int, int], attempt: int
    ) -> Request:
        temperature = self._options.temperature
        trial, variant = place
        return Request(
            messages=prompt.messages,
            schema=prompt.schema,
            regex=prompt.regex,
            temperature=max(temperature, _RESAMPLE_TEMPERATURE) if attempt else temperature,
            max_tokens=self._options.max_tokens,
            seed=call_seed(self._seed, trial, f"{operator} {variant}", attempt),
        )


def _provenance(answer: Answer[Candidate], attempt: int) -> str:
    if answer.value is None:
        return answer.provenance
    if attempt:
        return "llm-resampled"
    salvaged = answer.provenance == "llm" and answer.value.salvaged
    return "llm-salvaged" if salvaged else answer.provenance
