"""Writing shards: encoded documents in their order, into files named by their content.

A shard is written under another name and moved to its checksum, and the manifest is moved into
place when all shards stand: a folder is whole or has no manifest. Two processes that write the same
corpus at the same time write the same files.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.proxies.data.documents import Document, Piece, in_parts, whole
from nasarena.proxies.data.shards import FORMAT, SPLITS, Array, Manifest, Shard, checksum_of
from nasarena.proxies.data.task import TaskSplit
from nasarena.proxies.data.tokenizer import AskedTokenizer, TextTokenizer
from nasarena.search.errors import InvalidSetting

SHARD_TOKENS = 2**22
_BATCH_CHARACTERS = 2**20  # encoded at once: a tokenizer works on a list of texts with all cores
_TRAIN_CHARACTERS = 20_000_000  # of training text, for a tokenizer that is trained
_TOO_SMALL = 0.02  # share of the smallest split below which documents are cut; 0.1 is meant


class ShardWriter:
    """Takes encoded pieces and writes shards; `finish` makes them a corpus."""

    def __init__(self, folder: Path, tokenizer: TextTokenizer) -> None:
        self._folder, self._tokenizer = folder, tokenizer
        self._waiting: dict[TaskSplit, list[tuple[NDArray[Any], NDArray[Any]]]]
        self._waiting = {split: [] for split in SPLITS}
        self._room = dict.fromkeys(SPLITS, SHARD_TOKENS)
        self._shards: dict[TaskSplit, list[Shard]] = {split: [] for split in SPLITS}
        self._num_documents: dict[TaskSplit, int] = dict.fromkeys(SPLITS, 0)
        self._written: list[Path] = []
        self._num_tokens: dict[TaskSplit, int] = dict.fromkeys(SPLITS, 0)

    def add(self, split: TaskSplit, ids: NDArray[np.int64], widths: NDArray[np.int64]) -> None:
        """One document (or part of one) at the end of a split."""
        """One document, or part of one, at the end of a split."""
        self._num_documents[split] += 1
        self._num_tokens[split] += len(ids)
        while len(ids):
            room = self._room[split]
            self._waiting[split].append((ids[:room], widths[:room]))
            self._room[split] -= len(ids[:room])
            ids, widths = ids[room:], widths[room:]
            if self._room[split] == 0:
                self._flush(split)

    @property
    def num_tokens(self) -> int:
        """Tokens so far."""
        return sum(self._num_tokens.values())

    @property
    def smallest_share(self) -> float:
        """Share of all tokens that the smallest split has."""
        return min(self._num_tokens.values()) / self.num_tokens

    def finish(self, source: Mapping[str, Any], tokenizer: str) -> Manifest:
        """Write what is left, and then the manifest."""
        for split in SPLITS:
            if self._waiting[split]:
                self._flush(split)
        if self._tokenizer.definition is not None:
            _write(self._folder / "tokenizer.json", self._tokenizer.definition.encode())
        manifest = Manifest(
            FORMAT, source, tokenizer, self._tokenizer.fingerprint, self._tokenizer.vocab_size,
            self._num_documents, self._shards,
        )  # fmt: skip
        _write(self._folder / "manifest.json", json.dumps(asdict(manifest), indent=1).encode())
        return manifest

    def discard(self) -> None:
        """Remove what was written."""
        for path in self._written:
            path.unlink(missing_ok=True)

    def _flush(self, split: TaskSplit) -> None:
        ids, widths = (np.concatenate(parts) for parts in zip(*self._waiting[split], strict=True))
        is_bytes = self._tokenizer.definition is None
        shard = Shard(
            self._store(ids, self._tokenizer.vocab_size - 1, "tokens"),
            None if is_bytes else self._store(widths, int(widths.max()), "widths"),
        )
        self._shards[split].append(shard)
        self._waiting[split], self._room[split] = [], SHARD_TOKENS

    def _store(self, values: NDArray[np.int64], largest: int, kind: str) -> Array:
        dtype = np.min_scalar_type(largest).newbyteorder("<")
        content = values.astype(dtype).tobytes()
        checksum = checksum_of(content)
        path = self._folder / f"{checksum}.{kind}"
        _write(path, content)
        self._written.append(path)
        return Array(checksum, dtype.str, len(values))


def write_corpus(
    folder: Path,
    documents: Callable[[], Iterator[Document]],
    asked: AskedTokenizer,
    source: Mapping[str, Any],
    origin: str,
) -> Manifest:
    """Write all documents as shards. Where too few leave a split too small, each is cut in three.

    `documents` begins anew with every call; `origin` names them in errors. Raises InvalidSetting
    where there is no text, or no room for it.
    """
    for cut in (whole, in_parts):
        pieces: Iterator[Piece] = (piece for document in documents() for piece in cut(document))
        tokenizer, pieces = _make_tokenizer(asked, pieces)
        writer = ShardWriter(folder, tokenizer)
        for batch in _batch(pieces):
            encoded = tokenizer.encode([text for _, text in batch])
            for (split, _), (ids, widths) in zip(batch, encoded, strict=True):
                writer.add(split, ids, widths)
        if writer.num_tokens == 0:
            raise InvalidSetting(f"a corpus must hold text, got {origin}, which has none")
        if writer.smallest_share >= _TOO_SMALL:
            break
        if cut is whole:
            writer.discard()
    return writer.finish(source, asked.name)


def _make_tokenizer(
    asked: AskedTokenizer, pieces: Iterator[Piece]
) -> tuple[TextTokenizer, Iterator[Piece]]:
    """The tokenizer, trained if need be on the first training text, and all pieces."""
    read: list[Piece] = []
    num_characters = 0
    if asked.vocab_size is not None:
        for split, text in pieces:
            read.append((split, text))
            num_characters += len(text) if split == "train" else 0
            if num_characters >= _TRAIN_CHARACTERS:
                break
    tokenizer = asked.make(text for split, text in read if split == "train")
    return tokenizer, chain(read, pieces)


def _batch(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece[1])
        if size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(content)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidSetting(
            f"shards must be written to a folder with room, got {path.parent}: {error.strerror}; "
            f"name another with data.shards or NASARENA_CACHE"
        ) from error
