"""The embedded agent as a `Client`: the ordinary requests, answered in this process.

It answers what it was taught: the compact prompt, with the schema of a candidate. Every reply keeps
the schema by construction, and is what the same weights say behind a vLLM server. Anything else is
refused in one line, as a server would refuse it.
"""

import hashlib
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.agents.llm.errors import ContextTooSmall, LlmRefused
from nasarena.agents.llm.messages import Reply, Request, TokenChoice, llm_cost
from nasarena.agents.scribe.card import FILE, MODEL_DIR
from nasarena.agents.scribe.writer import Choice, Writer
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

MODEL_NAME = "scribe"
_PATTERN = re.compile(r"\^\[([A-Za-z]+)\]\{([0-9]+)\}\$")


class ScribeClient:
    """Completes requests with the model in `folder`; the weights are loaded once a process."""

    def __init__(self, folder: Path = MODEL_DIR) -> None:
        self.model = MODEL_NAME if folder == MODEL_DIR else folder.name
        self._writer = _writer(folder)
        self.revision = _revision(folder)
        self.active_params = self._writer.decoder.num_parameters

    def complete(self, request: Request) -> Reply:
        """The reply; see `Client`. Equal requests have equal replies."""
        start_s = time.perf_counter()
        space = _space(request)
        rng = stream(request.seed, "scribe")
        try:
            written = self._writer.answer(request.messages, space, request.temperature, rng)
        except ContextTooSmall:
            if not request.may_overflow:
                raise
            return Reply("", llm_cost(0, 0), finish_reason="context", model=self.model)
        text, finish_reason = written.text, "stop"
        num_tokens = min(written.completion_tokens, request.max_tokens)
        if num_tokens < written.completion_tokens:
            kept = [choice.token for choice in written.choices[:num_tokens]]
            text, finish_reason = self._writer.tokenizer.decode(kept), "length"
        return Reply(
            text=text,
            cost=llm_cost(
                written.prompt_tokens,
                num_tokens,
                seconds=round(time.perf_counter() - start_s, 6),
                active_params=self.active_params,
            ),
            tokens=self._token_choices(written.choices[:num_tokens], request.logprobs),
            finish_reason=finish_reason,
            constraint="schema",
            model=self.model,
            revision=self.revision,
            server="in process",
        )

    def close(self) -> None:
        """Nothing to close; clients of servers have this too."""

    def _token_choices(self, choices: tuple[Choice, ...], count: int) -> tuple[TokenChoice, ...]:
        """The tokens with log-probabilities of the `count` likeliest and of themselves."""
        if not count:
            return ()
        return tuple(self._token_choice(choice, count) for choice in choices)

    def _token_choice(self, choice: Choice, count: int) -> TokenChoice:
        decode = self._writer.tokenizer.decode
        if choice.logits is None:
            return TokenChoice(decode([choice.token]), {decode([choice.token]): 0.0})
        logits = choice.logits.astype(np.float64)
        logprobs = logits - np.logaddexp.reduce(logits)
        likeliest = [*np.argsort(-logprobs)[:count].tolist(), choice.token]
        shown = {decode([token]): float(logprobs[token]) for token in likeliest}
        return TokenChoice(decode([choice.token]), shown)


@lru_cache(maxsize=4)
def _writer(folder: Path) -> Writer:
    if not all((folder / name).is_file() for name in ("model.safetensors", FILE)):
        raise InvalidSetting(
            f"llm=scribe needs weights in {folder}, as agents.scribe.train writes them; "
            f"for another language model choose llm=vllm or llm=server too"
        )
    return Writer(folder)


@lru_cache(maxsize=4)
def _revision(folder: Path) -> str:
    weights = (folder / "model.safetensors").read_bytes()
    return hashlib.sha256(weights).hexdigest()[:12]


def _space(request: Request) -> PatternSpace:
    """The space of the candidates that a request asks for; LlmRefused if it asks for others."""
    if request.top_p != 1:
        raise LlmRefused(f"llm=scribe samples with top_p=1, got {request.top_p}; set temperature")
    properties: Mapping[str, Any] = (request.schema or {}).get("properties", {})
    pattern = properties.get("pattern", {}).get("pattern", "")
    if (found := _PATTERN.fullmatch(pattern)) is None or set(properties) != _KEYS:
        raise LlmRefused(
            f"llm=scribe writes candidates with {', '.join(sorted(_KEYS))} and nothing else; "
            f"turn lessons off or choose another model"
        )
    return PatternSpace(found[1], int(found[2]))


_KEYS = {"name", "hypothesis", "expected", "pattern"}
