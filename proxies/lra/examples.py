"""What a task of Long Range Arena consists of: rows of bytes with their labels, in three splits."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nasarena.search.errors import InvalidSetting

Bytes = NDArray[np.uint8]
SPLITS = ("train", "search", "held_out")
_FIRST = 1  # begins every document; 0 fills it up


@dataclass(frozen=True, slots=True)
class Examples:
    """`inputs` is `(n, documents * length)`, `labels` `(n,)`."""

    inputs: Bytes
    labels: Bytes

    def rows(self) -> Bytes:
        """Label and input of each example, one after the other, shape `(n * (1 + width),)`."""
        return np.concatenate([self.labels[:, None], self.inputs], axis=1).ravel()


@dataclass(frozen=True)
class LabelledData:
    """The splits, what the labels are called, and a sentence on where the data come from."""

    splits: Mapping[str, Examples]
    labels: tuple[str, ...]
    origin: str

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all examples."""
        digest = hashlib.blake2b(digest_size=8)
        for name in SPLITS:
            digest.update(self.splits[name].rows().tobytes())
        return digest.hexdigest()

    def chance(self, split: str) -> float:
        """Accuracy of always giving the commonest label."""
        return float(np.bincount(self.splits[split].labels).max() / len(self.splits[split].labels))


def encode_text(text: str, length: int) -> Bytes:
    """The first bytes of a document as a row, begun by 1 and filled up with 0."""
    data = text.encode("utf-8", "replace").translate(_CLEAN)[: length - 1]
    row = np.zeros(length, dtype=np.uint8)
    row[0], row[1 : len(data) + 1] = _FIRST, np.frombuffer(data, dtype=np.uint8)
    return row


_CLEAN = bytes([32, 32, *range(2, 256)])


def collect(
    found: Iterable[tuple[str, tuple[Bytes, ...], int]], most: Mapping[str, int], origin: str
) -> Mapping[str, Examples]:
    """Examples from (split, documents, label), of each split the first `most`.

    Raises InvalidSetting where a split is empty.
    """
    inputs: dict[str, list[Bytes]] = {name: [] for name in SPLITS}
    labels: dict[str, list[int]] = {name: [] for name in SPLITS}
    for split, documents, label in found:
        if len(labels[split]) < most[split]:
            inputs[split].append(np.concatenate(documents))
            labels[split].append(label)
        elif all(len(labels[name]) >= most[name] for name in SPLITS):
            break
    empty = [name for name in SPLITS if len(set(labels[name])) < 2]
    if empty:
        raise InvalidSetting(f"{origin}: no examples of two labels for the split {empty[0]}")
    return {name: _stack(inputs[name], labels[name]) for name in SPLITS}


def _stack(inputs: Sequence[Bytes], labels: Sequence[int]) -> Examples:
    return Examples(np.stack(inputs), np.array(labels, dtype=np.uint8))
