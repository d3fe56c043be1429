"""Bytes of real text, split into train, search and held-out by file.

Which files: those of `data.path`, or by default the text that ships with the package
(`shipped_text.py`). A file goes to one split by a stable hash of its relative name, so the split
does not move when files are added or the folder is moved. The `fingerprint` of names and contents
enters a proxy's version.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasarena.proxies.data.task import TaskSplit
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stable_hash

# Upper ends of the splits on the scale of the name's hash, 0 to 1: 80, 10 and 10 percent.
SPLIT_ENDS: dict[TaskSplit, float] = {"train": 0.8, "search": 0.9, "held_out": 1.0}
# Files are read in the order of their hash until a split has this many bytes, so that a corpus of
# any size loads in a moment.
MAX_BYTES: dict[TaskSplit, int] = {"train": 8_000_000, "search": 1_000_000, "held_out": 1_000_000}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a corpus; `name` is relative, with forward slashes, the same on each machine.

    `content` is given for a file of the shipped archive, which has no path of its own.
    """

    name: str
    path: Path
    content: bytes | None = None

    @property
    def position(self) -> float:
        """Where the file stands between 0 and 1: it decides the split and the order of reading."""
        return stable_hash("corpus", self.name) / 2.0**64

    def read(self, max_bytes: int | None = None) -> bytes:
        """The first `max_bytes` of the file, or all. Raises InvalidSetting where it cannot."""
        if self.content is not None:
            return self.content[:max_bytes]
        try:
            with open(self.path, "rb") as opened:
                return opened.read(-1 if max_bytes is None else max_bytes)
        except OSError as error:
            raise self._refusal(error) from error

    @property
    def signature(self) -> str:
        """What changes with the content, without reading a file on disk. Raises as `read`."""
        if self.content is not None:
            return hashlib.blake2b(self.content, digest_size=8).hexdigest()
        try:
            known = self.path.stat()
        except OSError as error:
            raise self._refusal(error) from error
        return f"{known.st_size} {known.st_mtime_ns}"

    def _refusal(self, error: OSError) -> InvalidSetting:
        return InvalidSetting(
            f"data.path must hold readable files, got {self.path}: {error.strerror}; "
            f"make it readable or leave it out"
        )


@dataclass(frozen=True, slots=True)
class Corpus:
    """The bytes of each split (`uint8`, shape `(num_bytes,)`) and the hash of all that was read."""

    splits: Mapping[TaskSplit, NDArray[np.uint8]]
    fingerprint: str


def find_files(paths: Sequence[str | os.PathLike[str]]) -> list[SourceFile]:
    """Every file under `paths` but hidden ones. A folder's files are named from the folder on.

    Raises InvalidSetting for a path that does not exist or cannot be read.
    """
    files = []
    for given in paths:
        root = Path(given).expanduser()
        if root.is_dir():
            found = [SourceFile(p.relative_to(root).as_posix(), p) for p in walk_files(root)]
        elif os.path.exists(root):  # unlike root.exists(), False for what cannot be reached
            found = [SourceFile(root.name, root)]
        else:
            raise InvalidSetting(
                f"data.path must be a file or a folder, got {os.fspath(given)!r}, "
                f"which does not exist or cannot be reached; "
                f"give an existing one, or none for the shipped text"
            )
        files += found
    return files


def load_corpus(files: Sequence[SourceFile], min_bytes: int, origin: str) -> Corpus:
    """Read and split `files`; each split gets at least `min_bytes`. Errors name their `origin`.

    Where a split by file leaves one of the three too small (a single file, a handful of them),
    every file is instead cut into three consecutive parts, 80, 10 and 10 percent.
    Raises InvalidSetting for a corpus that is empty, too small or unreadable.
    """
    ordered = sorted(files, key=lambda file: (file.position, file.name))
    if not ordered:
        raise InvalidSetting(f"data.path must hold text, got {origin}, which has no files")
    corpus = _split_by_file(ordered)
    if _smallest(corpus) < min_bytes:
        corpus = _split_within_files(ordered)
    if _smallest(corpus) < min_bytes:
        total = sum(len(part) for part in corpus.splits.values())
        raise InvalidSetting(
            f"data.path must hold at least {min_bytes} bytes for each of train, search and "
            f"held_out, got {origin} with {total} bytes in {len(ordered)} files "
            f"({_smallest(corpus)} for the smallest split); give more text or a smaller length"
        )
    return corpus


def _split_by_file(ordered: Sequence[SourceFile]) -> Corpus:
    digest = hashlib.blake2b(b"by file", digest_size=8)
    parts: dict[TaskSplit, list[bytes]] = {split: [] for split in SPLIT_ENDS}
    room = dict(MAX_BYTES)
    for file in ordered:
        split = next(split for split, end in SPLIT_ENDS.items() if file.position < end)
        if room[split] > 0:
            text = file.read(room[split])
            room[split] -= len(text)
            parts[split].append(text)
            _update(digest, file, text)
    return _corpus(parts, digest.hexdigest())


def _split_within_files(ordered: Sequence[SourceFile]) -> Corpus:
    digest = hashlib.blake2b(b"within files", digest_size=8)
    parts: dict[TaskSplit, list[bytes]] = {split: [] for split in SPLIT_ENDS}
    room = sum(MAX_BYTES.values())
    for file in ordered:
        text = file.read(room)
        room -= len(text)
        start = 0
        for split, end in SPLIT_ENDS.items():
            parts[split].append(text[start : round(end * len(text))])
            start = round(end * len(text))
        _update(digest, file, text)
    return _corpus(parts, digest.hexdigest())


def _corpus(parts: Mapping[TaskSplit, Sequence[bytes]], fingerprint: str) -> Corpus:
    joined = {split: b"\n".join(texts) for split, texts in parts.items()}
    splits = {split: np.frombuffer(text, dtype=np.uint8) for split, text in joined.items()}
    return Corpus(splits, fingerprint)


def _smallest(corpus: Corpus) -> int:
    return min(len(part) for part in corpus.splits.values())


def _update(digest: "hashlib.blake2b", file: SourceFile, text: bytes) -> None:
    # Lengths first, so that no two lists of names and contents give the same bytes.
    name = file.name.encode("utf-8", "surrogateescape")
    digest.update(f"{len(name)} {len(text)} ".encode() + name + text)


def walk_files(root: Path, skip: set[str] | frozenset[str] = frozenset()) -> Iterator[Path]:
    """Files under `root` in the order of their names; no links to folders, nothing hidden.

    Raises InvalidSetting for a folder that cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise InvalidSetting(
            f"data.path must hold readable folders, got {error.filename}: {error.strerror}; "
            f"make it readable or leave it out"
        ) from error

    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = sorted(f for f in folders if f not in skip and not f.startswith((".", "__")))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))
