"""The embedded agent's text: its reply format and its tokenizer.

A place with its letter (` 11A`), a level at the start of a line (`\\n87`) and each fixed part of a
reply are one token each, so a whole history takes some 150 tokens and a reply two dozen. Every
other text falls back to single bytes, so that a server can constrain the reply to any JSON.
The fixed parts are cut out before byte-level BPE, which has no merges of its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nasarena.agents.context.compact_prompt import FAILED
from nasarena.agents.scribe.landscapes import DEPTHS, LETTERS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, USER, ASSISTANT, END = "<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"
MAX_TOKENS = 2048

# The reply, cut where the model decides something.
OPENING = '{"name":"step of '
HYPOTHESIS = '","hypothesis":"set'
EXPECTED = '","expected":"'
PATTERN = '","pattern":"'
CLOSING = '"}'
DIRECTIONS = ("better", "same", "worse")
# By how much the true score is above the best shown, in percent of the range of scores shown.
PERCENTS = (
    *(-100, -75, -50, -35, -25, -18, -12, -8, -5, -3, -1, 0),
    *(1, 3, 5, 8, 12, 18, 25, 35, 50, 75, 100, 150),
)
GAINS = tuple(f" by {percent:+d}%" for percent in PERCENTS)

# Only what the user and the model said: it has learned no instructions, so it reads none.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}<|user|>{{ message['content'] }}"
    "{% elif message['role'] == 'assistant' %}<|assistant|>{{ message['content'] }}<|end|>"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says of one proposal; `changes` in the order in which it weighs them.

    `gain` is one of `GAINS`, or nothing in the replies of a model that was taught none.
    """

    changes: str
    expected: str
    pattern: str
    gain: str = ""

    def text(self) -> str:
        """The JSON text, keys in the order of the contract."""
        return self.rationale() + PATTERN + self.pattern + CLOSING

    def rationale(self) -> str:
        """The text up to and with the expected direction, without its closing quote."""
        return f"{self.claim()}{EXPECTED}{self.expected}"

    def claim(self) -> str:
        """The text up to and with the gain."""
        return f"{OPENING}{len(self.changes.split())}{HYPOTHESIS}{self.changes}{self.gain}"


def chat_text(messages: Sequence[Mapping[str, str]]) -> str:
    """What the chat template makes of a conversation that asks for a reply."""
    parts = []
    for message in messages:
        if message["role"] == "user":
            parts.append(USER + message["content"])
        elif message["role"] == "assistant":
            parts.append(ASSISTANT + message["content"] + END)
    return "".join(parts) + ASSISTANT


def prompt_text(history: str) -> str:
    """The conversation that training knows: one user message, the compact prompt."""
    return chat_text([{"role": "user", "content": history}])


def build_tokenizer() -> "Tokenizer":
    """The tokenizer, the same whenever it is built; nothing in it is learned from data."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    vocabulary = [PAD, USER, ASSISTANT, END, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocabulary += [byte_level.pre_tokenize_str(text)[0][0] for text in _chunks()]
    model = models.BPE({text: i for i, text in enumerate(vocabulary)}, [], ignore_merges=True)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_splitter()), "isolated"), byte_level]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [
        AddedToken(text, special=True, normalized=False) for text in (PAD, USER, ASSISTANT, END)
    ]
    tokenizer.add_special_tokens(special)
    return tokenizer


def save_tokenizer(folder: Path) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json` with the chat template."""
    build_tokenizer().save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": MAX_TOKENS,
        "pad_token": PAD,
        "eos_token": END,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def _chunks() -> list[str]:
    """Every text longer than a byte that is one token."""
    places = [f" {place}{sign}" for place in range(1, DEPTHS[1] + 1) for sign in LETTERS]
    levels = [f"\n{level:02d}" for level in range(100)] + [f"\n{FAILED}"]
    numbers = [str(number) for number in range(10, DEPTHS[1] + 1)]
    return [*_FIXED, *levels, *numbers, *places]


_FIXED = (OPENING, HYPOTHESIS, EXPECTED, PATTERN, CLOSING, *DIRECTIONS, *GAINS)


def _splitter() -> str:
    """One alternative per kind of token, longest first; what matches none is cut into bytes."""
    escaped = "|".join(
        "".join("\\" + sign if sign in '{}"|.+' else sign for sign in text) for text in _FIXED
    )
    numbers = "|".join(str(number) for number in range(DEPTHS[1], 9, -1))
    places = f" (?:{numbers}|[1-9])[{LETTERS}](?![0-9A-Za-z])"
    return rf"{escaped}|\n(?:[0-9]{{2}}|{FAILED})(?= |$)|{places}|{numbers}|[\s\S]"
