"""Byte-level language modelling on real text: predict each byte of a window from those before.

A window may span two files, as in any packed pre-training corpus. Windows are drawn with
replacement. Training windows depend on the run seed. Evaluation windows are one fixed set per
split, like a validation set; otherwise two run seeds would mostly differ by their samples of text.
"""

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np

from nasarena.proxies.data import corpus
from nasarena.proxies.data.corpus import find_files, load_corpus
from nasarena.proxies.data.shipped_text import ShippedText, shipped_files
from nasarena.proxies.data.task import Batch, TaskSplit
from nasarena.search.errors import InvalidSetting
from nasarena.search.hashes import code_hash
from nasarena.search.seeding import stream

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class TextTask:
    """Next-byte prediction on windows of `length` bytes; implements Task.

    `path` is a file, a folder or a list of them; None stands for the text that ships.
    Raises InvalidSetting for a path that is missing, unreadable, empty or shorter than a window.
    """

    name = "text"
    vocab_size = 256
    num_train = 0
    head: Literal["language_model"] = "language_model"

    def __init__(
        self, path: Paths | None = None, length: int = 64, shipped: ShippedText = "code"
    ) -> None:
        if length < 1:
            raise InvalidSetting(f"data.length must be at least 1, got {length}")
        self.length = length
        files = shipped_files(shipped) if path is None else find_files(_as_list(path))
        # One byte more than a window: the target of the last position.
        origin = "the shipped text" if path is None else ", ".join(map(str, _as_list(path)))
        self._corpus = load_corpus(files, min_bytes=length + 1, origin=origin)
        code = code_hash(corpus.__name__, __name__)
        self.fingerprint = f"text-{length}-{self._corpus.fingerprint}-{code}"

    def sample(self, run_seed: int, split: TaskSplit, num_examples: int) -> Batch:
        """Windows of one split and the bytes that follow, both `(num_examples, length)`.

        `run_seed` chooses the windows of `train` alone.
        """
        text = self._corpus.splits[split]
        rng = stream(run_seed if split == "train" else 0, "data", self.name, split)
        # random() and not integers(): one double per window, so a longer sample begins the same.
        starts = (rng.random(num_examples) * (len(text) - self.length)).astype(np.int64)
        windows = text[starts[:, None] + np.arange(self.length + 1)].astype(np.int64)
        return Batch(windows[:, :-1], windows[:, 1:])


def _as_list(path: Paths) -> Sequence[str | os.PathLike[str]]:
    return [path] if isinstance(path, str | os.PathLike) else path
