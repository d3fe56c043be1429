"""How talking to a language model ends a run: always in one line, always resumable.

    NasArenaError
    +-- LlmUnavailable      no server, or one that stays down, overloaded or broken
    +-- LlmRefused          the server understood and said no: model name, key, schema, template
    |   +-- ContextTooSmall prompt and max_tokens exceed the model's context
    +-- LlmRecordBroken     a run folder whose recorded requests or replies are missing or damaged
    +-- VllmFailed          a vLLM server that cannot be started here, or ended by itself

A model that answers badly is no error: that is an `invalid` trial.
"""

from nasarena.search.errors import NasArenaError


class LlmUnavailable(NasArenaError):
    """Nobody answers, though waited for; the same command goes on once the server is back."""


class LlmRefused(NasArenaError):
    """The server will not serve such a request, however often it is asked."""


class ContextTooSmall(LlmRefused):
    """A prompt that, with room for the reply, exceeds the context of the model."""


class LlmRecordBroken(NasArenaError):
    """The record of a run does not hold what its events say was asked or answered."""


class VllmFailed(NasArenaError):
    """vLLM is not installed, did not become healthy, or ended."""
