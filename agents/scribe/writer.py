"""How the embedded agent writes a reply in process: decide, force, draft, verify.

Only what the model decides is decoded one token at a time: how many changes, which, and what to
expect. Fixed parts of the reply are fed in one go. The pattern is drafted from the decided changes
and checked by the model in a single pass; where the model would write another letter, its letter
stands and decoding goes on from there. So the text is the one that plain decoding gives, greedy or
sampled, in a tenth of the passes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasarena.agents.llm.errors import ContextTooSmall
from nasarena.agents.scribe.card import MODEL_DIR
from nasarena.agents.scribe.decoder import Array, Cache, Decoder
from nasarena.agents.scribe.landscapes import DEPTHS, LETTERS
from nasarena.agents.scribe.vocabulary import (
    CLOSING,
    DIRECTIONS,
    EXPECTED,
    GAINS,
    HYPOTHESIS,
    OPENING,
    PATTERN,
    chat_text,
)
from nasarena.search.errors import InvalidSetting
from nasarena.search.space import PatternSpace

MAX_REPLY_TOKENS = 9 + 2 * DEPTHS[1]  # fixed parts and decisions, changes, letters


@dataclass(frozen=True, slots=True)
class Choice:
    """A token of a reply; `logits` over the vocabulary before it, None where it was forced."""

    token: int
    logits: Array | None


@dataclass(frozen=True, slots=True)
class Written:
    """A reply, how it was spelled, and how many tokens the prompt had."""

    text: str
    choices: tuple[Choice, ...]
    prompt_tokens: int

    @property
    def completion_tokens(self) -> int:
        """Tokens of the reply with the one that ends it."""
        return len(self.choices) + 1


class Writer:
    """The model in `folder` with its tokenizer; it keeps no state between replies."""

    def __init__(self, folder: Path = MODEL_DIR) -> None:
        from tokenizers import Tokenizer

        self.decoder = Decoder(folder)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._ids: dict[str, int] = self.tokenizer.get_vocab()
        self._opening, self._hypothesis, self._expected, self._pattern, self._closing = (
            self._encode(text)[0] for text in (OPENING, HYPOTHESIS, EXPECTED, PATTERN, CLOSING)
        )
        # An older model has fewer places, and no gains.
        self.max_depth = max(n for n in range(1, DEPTHS[1] + 1) if self._knows(f" {n}A"))
        self._numbers = self._single_tokens(str(n) for n in range(1, self.max_depth + 1))
        self._directions = self._single_tokens(DIRECTIONS)
        self._gains = self._single_tokens(GAINS) if self._knows(GAINS[0]) else []

    def write(
        self, history: str, space: PatternSpace, temperature: float, rng: np.random.Generator
    ) -> Written:
        """A reply to a compact prompt; greedy at temperature 0."""
        return self.answer([{"role": "user", "content": history}], space, temperature, rng)

    def answer(
        self,
        messages: Sequence[Mapping[str, str]],
        space: PatternSpace,
        temperature: float,
        rng: np.random.Generator,
    ) -> Written:
        """A reply to a conversation whose first user message is a compact prompt.

        Raises InvalidSetting for a space, ContextTooSmall for a prompt it was not made for.
        """
        prompt = self._check(messages, space)
        history = next(message["content"] for message in messages if message["role"] == "user")
        sentence = _Sentence(self.decoder, prompt, temperature, rng)
        sentence.force(self._opening)
        sentence.choose(self._numbers[: space.depth])
        sentence.force(self._hypothesis)
        changes = self._write_changes(sentence, space)
        if self._gains:
            sentence.force(self._expected)
        sentence.choose(self._directions)
        sentence.force(self._pattern)
        self._write_pattern(sentence, space, _draft(history, space, changes))
        sentence.force(self._closing)
        text = self.tokenizer.decode([choice.token for choice in sentence.choices])
        return Written(text, tuple(sentence.choices), len(prompt))

    def _check(self, messages: Sequence[Mapping[str, str]], space: PatternSpace) -> list[int]:
        """The tokens of a conversation; raises what `answer` says."""
        if space.depth > self.max_depth or not set(space.alphabet) <= set(LETTERS):
            raise InvalidSetting(
                f"llm=scribe knows up to {self.max_depth} layers and the letters {LETTERS}, "
                f"got {space.depth} layers of {space.alphabet}; choose another model"
            )
        prompt = self._encode(chat_text(messages))
        most = self.decoder.max_tokens - MAX_REPLY_TOKENS
        if len(prompt) > most:
            raise ContextTooSmall(
                f"llm=scribe reads at most {most} tokens, got "
                f"{len(prompt)}; it understands prompt=compact and nothing longer"
            )
        return prompt

    def _write_changes(self, sentence: "_Sentence", space: PatternSpace) -> dict[int, str]:
        """Places, from 0, and their new letters, until the model goes on."""
        changes: dict[int, str] = {}
        ends = self._gains or [self._expected]
        while True:
            free = {
                self._encode(f" {place + 1}{letter}")[0]: (place, letter)
                for place in range(space.depth)
                for letter in space.alphabet
                if place not in changes
            }
            chosen = sentence.choose([*free, *ends])
            if chosen in ends:
                return changes
            place, letter = free[chosen]
            changes[place] = letter

    def _write_pattern(self, sentence: "_Sentence", space: PatternSpace, draft: str) -> None:
        letters = self._single_tokens(space.alphabet)
        drafted = [letters[space.alphabet.index(letter)] for letter in draft]
        written = 0
        while written < space.depth:
            written += sentence.choose_along(drafted[written:], letters)

    def _single_tokens(self, texts: Iterable[str]) -> list[int]:
        return [self._encode(text)[0] for text in texts]

    def _knows(self, text: str) -> bool:
        return text.replace(" ", "\u0120") in self._ids

    def _encode(self, text: str) -> list[int]:
        known = self._ids.get(text.replace(" ", "\u0120"))
        return [known] if known is not None else self.tokenizer.encode(text).ids


class _Sentence:
    """A prompt and the reply so far; tokens not yet fed to the model wait for the next choice."""

    def __init__(
        self, decoder: Decoder, prompt: list[int], temperature: float, rng: np.random.Generator
    ) -> None:
        self.choices: list[Choice] = []
        self._ids = prompt
        self._decoder, self._temperature, self._rng = decoder, temperature, rng
        self._cache = Cache()

    def force(self, token: int) -> None:
        """Append a token that is no choice."""
        self._append(token, None)

    def choose(self, allowed: Sequence[int]) -> int:
        """Append one of `allowed`, as the model likes it."""
        logits = self._decoder.extend(self._cache, self._ids[self._cache.length :])[0]
        return self._append(self._pick(logits, allowed), logits)

    def choose_along(self, draft: Sequence[int], allowed: Sequence[int]) -> int:
        """Append choices as long as they agree with the draft, and the first that does not.

        Returns how many were appended, at least one.
        """
        waiting = self._ids[self._cache.length :]
        before = self._cache.copy()
        logits = self._decoder.extend(self._cache, [*waiting, *draft[:-1]], len(draft))
        for count, drafted in enumerate(draft, start=1):
            chosen = self._append(self._pick(logits[count - 1], allowed), logits[count - 1])
            if chosen != drafted:
                self._cache = before
                return count
        return len(draft)

    def _append(self, token: int, logits: Array | None) -> int:
        self._ids.append(token)
        self.choices.append(Choice(token, logits))
        return token

    def _pick(self, logits: Array, allowed: Sequence[int]) -> int:
        wanted = logits[list(allowed)].astype(np.float64)
        if self._temperature > 0:
            wanted = wanted / self._temperature + self._rng.gumbel(size=len(wanted))
        return allowed[int(wanted.argmax())]


def _draft(history: str, space: PatternSpace, changes: dict[int, str]) -> str:
    """The best pattern of a prompt with the changes; the first letter throughout if there is none.

    Only a guess at what the model will write, so an unusual prompt costs time, never correctness.
    """
    letters = [space.alphabet[0]] * space.depth
    lines = history.split("\n")
    for change in lines[1].split()[1:] if len(lines) > 1 and lines[1][:2] == "99" else []:
        place, letter = change[:-1], change[-1]
        if place.isdigit() and 1 <= int(place) <= space.depth and letter in space.alphabet:
            letters[int(place) - 1] = letter
    for index, letter in changes.items():
        letters[index] = letter
    return "".join(letters)
