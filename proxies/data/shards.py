"""Token ids on disk: written once, addressed by content, mapped into memory to be read.

    manifest.json              what stands where, written last
    tokenizer.json             where the tokens are not bytes
    <checksum>.tokens          ids, one array of an unsigned type
    <checksum>.widths          bytes of text per token; not there for bytes

`shard_writer.py` writes them. Every shard is checked against its size and its checksum when a
folder is opened, once per process.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.proxies.data.corpus import SPLIT_ENDS
from nasarena.proxies.data.task import TaskSplit
from nasarena.search.errors import ProxyFailed

FORMAT = 1  # of the folder
SPLITS: tuple[TaskSplit, ...] = tuple(SPLIT_ENDS)


@dataclass(frozen=True, slots=True)
class Array:
    """One file: its checksum, which is its name, and what it holds."""

    checksum: str
    dtype: str
    size: int


@dataclass(frozen=True, slots=True)
class Shard:
    """Consecutive tokens of one split; `widths` is None where every token is a byte."""

    tokens: Array
    widths: Array | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder of shards holds, and from what it was made.

    `source` and `tokenizer` are what the user asked for, `vocabulary` is the fingerprint of the
    tokenizer that came of it.
    """

    format: int
    source: Mapping[str, Any]
    tokenizer: str
    vocabulary: str
    vocab_size: int
    num_documents: Mapping[TaskSplit, int]
    splits: Mapping[TaskSplit, Sequence[Shard]]

    @property
    def fingerprint(self) -> str:
        """Hash of the tokens themselves, whatever they were made from."""
        content = [
            self.vocab_size,
            {name: [asdict(s) for s in self.splits[name]] for name in SPLITS},
        ]
        return hashlib.blake2b(json.dumps(content).encode(), digest_size=8).hexdigest()

    def num_tokens(self, split: TaskSplit) -> int:
        """Tokens of one split."""
        return sum(shard.tokens.size for shard in self.splits[split])


class Shards:
    """A folder of shards, read: `take` gathers ids by their place within a split.

    Raises ProxyFailed for a shard or manifest that is missing, truncated or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.manifest = folder, _read_manifest(folder)
        self._tokens = {split: self._map_arrays(split, "tokens") for split in SPLITS}
        self._widths = {split: self._map_arrays(split, "widths") for split in SPLITS}

    def take(self, split: TaskSplit, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Token ids at `places` of a split, in their shape."""
        return _gather(self._tokens[split], places)

    def num_bytes(self, split: TaskSplit, places: NDArray[np.int64]) -> int:
        """Bytes of text that the tokens at `places` stand for."""
        if not self._widths[split]:
            return places.size
        return int(_gather(self._widths[split], places).sum())

    def _map_arrays(self, split: TaskSplit, kind: str) -> list[NDArray[Any]]:
        arrays = [getattr(shard, kind) for shard in self.manifest.splits[split]]
        return [
            _map(self.folder / f"{array.checksum}.{kind}", array)
            for array in arrays
            if array is not None
        ]


_AGAIN = "the shards are written again, in a folder of data.shards where their source is given too"


def has_shards(folder: Path) -> bool:
    """Whether a finished corpus stands there. Raises ProxyFailed for a folder out of reach."""
    try:
        (folder / "manifest.json").stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ProxyFailed(
            f"the folder of shards must be readable, got {folder}: {error.strerror}; "
            f"make it readable or name another with data.shards"
        ) from error
    return True


def _gather(arrays: Sequence[NDArray[Any]], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Values at `places` of the arrays laid end to end."""
    ends = np.cumsum([len(array) for array in arrays])
    which = np.searchsorted(ends, places.ravel(), side="right")
    order = np.argsort(which, kind="stable")  # by array, so that each is gone through once
    bounds = np.searchsorted(which[order], np.arange(len(arrays) + 1))
    found = np.empty(places.size, dtype=np.int64)
    for index, array in enumerate(arrays):
        chosen = order[bounds[index] : bounds[index + 1]]
        found[chosen] = array[places.ravel()[chosen] - (ends[index] - len(array))]
    return found.reshape(places.shape)


def _read_manifest(folder: Path) -> Manifest:
    path = folder / "manifest.json"
    try:
        values = json.loads(path.read_text())
        values["splits"] = {
            split: [_shard(entry) for entry in values["splits"][split]] for split in SPLITS
        }
        manifest = Manifest(**values)
    except OSError as error:
        raise ProxyFailed(
            f"the manifest of shards {path} cannot be read: {error.strerror}"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise ProxyFailed(
            f"the manifest of shards {path} is damaged ({type(error).__name__}); "
            f"remove it, and {_AGAIN}"
        ) from error
    if manifest.format != FORMAT:
        raise ProxyFailed(
            f"shards of format {FORMAT} are expected in {folder}, got {manifest.format}; "
            f"remove its manifest.json, and {_AGAIN}"
        )
    return manifest


def _shard(entry: Mapping[str, Any]) -> Shard:
    widths = entry["widths"]
    return Shard(Array(**entry["tokens"]), Array(**widths) if widths else None)


def _map(path: Path, array: Array) -> NDArray[Any]:
    expected = array.size * np.dtype(array.dtype).itemsize
    try:
        num_bytes = path.stat().st_size
        if num_bytes != expected:
            raise _damage_error(path, f"{expected} bytes", f"{num_bytes}")
        mapped: NDArray[Any] = np.memmap(path, dtype=array.dtype, mode="r")
    except OSError as error:
        raise ProxyFailed(
            f"the shard {path} cannot be read: {error.strerror}; remove the manifest.json beside "
            f"it, and {_AGAIN}"
        ) from error
    found = checksum_of(mapped.data.cast("B"))
    if found != array.checksum:
        raise _damage_error(path, f"checksum {array.checksum}", found)
    return mapped


def _damage_error(path: Path, expected: str, found: str) -> ProxyFailed:
    return ProxyFailed(
        f"the shard {path} is damaged: {expected} expected, got {found}; remove the manifest.json "
        f"beside it, and {_AGAIN}"
    )


def checksum_of(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
