"""Text to token ids, and how many bytes of the text each token stands for.

Three kinds: bytes, a `tokenizer.json` of the `tokenizers` library, or a byte-level BPE trained on
the corpus itself (Sennrich et al. 2016; bytes as in Radford et al. 2019, section 2.2). All of them
see the same text, its documents joined by one line break; where a vocabulary has a token for the
end of a document, that token stands for the line break. So the bytes of all tokens of a corpus add
up to the same number whatever the tokenizer, and losses can be compared in bits per byte.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from nasarena.search.errors import InvalidSetting

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

END = "<|endoftext|>"
# What ends a document in the vocabularies that are about, the first that is there.
_KNOWN_ENDS = (END, "<|end_of_text|>", "</s>", "<eos>", "<|eot_id|>", "[SEP]")
_SMALLEST_VOCABULARY = 256 + 1  # every byte, and the end of a document

Ids = NDArray[np.int64]
Widths = NDArray[np.int64]


class TextTokenizer(Protocol):
    """What turns documents into tokens."""

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        ...

    @property
    def fingerprint(self) -> str:
        """Equal for tokenizers that do the same."""
        ...

    @property
    def definition(self) -> str | None:
        """None for bytes, else the JSON that the tokenizer can be built from again."""
        ...

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Ids, Widths]]:
        """Per document its token ids and, for each token, the bytes of text it stands for."""
        ...


class ByteTokenizer:
    """A token per byte of UTF-8; implements TextTokenizer."""

    vocab_size = 256
    fingerprint = "bytes"
    definition = None

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Ids, Widths]]:
        """The bytes of each document, with a line break at its end."""
        for text in texts:
            ids = np.frombuffer(f"{text}\n".encode(), dtype=np.uint8).astype(np.int64)
            yield ids, np.ones_like(ids)


@dataclass(frozen=True)
class VocabularyTokenizer:
    """A tokenizer of the `tokenizers` library, from its JSON; implements TextTokenizer."""

    definition: str

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what the JSON says, whatever its spaces and the order of its keys."""
        text = json.dumps(json.loads(self.definition), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @cached_property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return max(self._tokenizer.get_vocab().values()) + 1

    @cached_property
    def end(self) -> int | None:
        """Id of the token that ends a document, if there is one."""
        ids = (self._tokenizer.token_to_id(token) for token in _KNOWN_ENDS)
        return next((found for found in ids if found is not None), None)

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Ids, Widths]]:
        """Ids and widths of each document with its end."""
        texts = texts if self.end is not None else [f"{text}\n" for text in texts]
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        for text, encoding in zip(texts, encodings, strict=True):
            ids = np.array(encoding.ids, dtype=np.int64)
            widths = self._widths(text, ids, encoding)
            if self.end is not None:
                # The line break, and what no token stands for in a text that is all blanks.
                rest = len(text.encode()) + 1 - widths.sum()
                ids, widths = np.append(ids, self.end), np.append(widths, rest)
            yield ids, widths

    def _widths(self, text: str, ids: Ids, encoding: "Encoding") -> Widths:
        """Bytes of each token: by the vocabulary where that is exact, else by place in the text.

        By place, a token has the bytes from the end of the one before to its own end, the last one
        all that is left: blanks that a tokenizer drops are counted too.
        """
        num_bytes = len(text.encode())
        if self._byte_lengths is not None:
            lengths = self._byte_lengths[ids]
            if lengths.sum() == num_bytes:
                return lengths
        ends = byte_ends(text)[[end for _, end in encoding.offsets]]
        ends = np.maximum.accumulate(ends)
        ends[-1:] = num_bytes
        return np.diff(ends, prepend=0)

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self.definition)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _byte_lengths(self) -> NDArray[np.int64] | None:
        """By id the bytes of a token, for a vocabulary of bytes; None for any other."""
        if '"ByteLevel"' not in json.dumps(json.loads(self.definition).get("decoder")):
            return None
        lengths = np.zeros(self.vocab_size, dtype=np.int64)
        for token, index in self._tokenizer.get_vocab(with_added_tokens=False).items():
            lengths[index] = len(token)  # a character stands for a byte
        for index, added in self._tokenizer.get_added_tokens_decoder().items():
            lengths[index] = len(added.content.encode())
        return lengths


def byte_ends(text: str) -> NDArray[np.int64]:
    """Bytes of UTF-8 before each place between two characters, `(len(text) + 1,)`."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    sizes = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
    return np.concatenate([[0], sizes.cumsum()])


def read_tokenizer(path: str) -> VocabularyTokenizer:
    """The tokenizer of a `tokenizer.json`. Raises InvalidSetting for what is none."""
    try:
        tokenizer = VocabularyTokenizer(Path(path).expanduser().read_text(encoding="utf-8"))
        tokenizer.vocab_size  # noqa: B018 - builds it
    except OSError as error:
        raise InvalidSetting(
            f"data.tokenizer must be a tokenizer.json, train:<vocabulary size> or none, "
            f"got {path!r}: {error.strerror}"
        ) from error
    except Exception as error:  # the library raises plain Exception
        reason = " ".join(str(error).split())
        raise InvalidSetting(
            f"data.tokenizer must be a file that the tokenizers library can read, "
            f"got {path!r}: {reason}"
        ) from error
    return tokenizer


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> VocabularyTokenizer:
    """A byte-level BPE of `vocab_size` tokens (fewer where the texts have no more to merge)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return VocabularyTokenizer(tokenizer.to_str())


@dataclass(frozen=True, slots=True)
class AskedTokenizer:
    """What `data.tokenizer` asks for; `name` tells two requests apart.

    `vocab_size` is given where the tokenizer has yet to be trained, else `ready` is.
    """

    name: str
    vocab_size: int | None
    ready: TextTokenizer | None

    def make(self, texts: Iterable[str]) -> TextTokenizer:
        """The tokenizer, trained on `texts` if that was asked."""
        if self.ready is not None:
            return self.ready
        assert self.vocab_size is not None
        return train_tokenizer(texts, self.vocab_size)


def parse_tokenizer(setting: str | None) -> AskedTokenizer:
    """`data.tokenizer` understood: none, a file, or `train:<vocabulary size>`.

    Raises InvalidSetting for anything else.
    """
    if setting is None:
        return AskedTokenizer("bytes", None, ByteTokenizer())
    kind, _, size = setting.partition(":")
    if kind != "train":
        tokenizer = read_tokenizer(setting)
        return AskedTokenizer(tokenizer.fingerprint, None, tokenizer)
    if not size.isdecimal() or int(size) < _SMALLEST_VOCABULARY:
        raise InvalidSetting(
            f"data.tokenizer=train:<vocabulary size> needs at least {_SMALLEST_VOCABULARY}, "
            f"for every byte and the end of a document, got {setting!r}"
        )
    return AskedTokenizer(setting, int(size), None)
