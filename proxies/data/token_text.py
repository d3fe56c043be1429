"""Language modelling on shards of tokens: predict each token of a window from those before.

Windows are those of bytes in memory (`text.py`): drawn with replacement, across documents. Training
windows depend on the run seed; evaluation windows are one fixed set per split.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nasarena.proxies.data import documents, shard_writer, shards, tokenizer
from nasarena.proxies.data.shards import Shards
from nasarena.proxies.data.task import Batch, TaskSplit
from nasarena.search.errors import InvalidSetting
from nasarena.search.hashes import code_hash
from nasarena.search.seeding import stream


class TokenText:
    """Next-token prediction on windows of `length` tokens of a corpus; implements Task.

    Raises InvalidSetting for a length below 1, and where a split has no whole window.
    """

    name = "text"
    num_train = 0
    head: Literal["language_model"] = "language_model"

    def __init__(self, corpus: Shards, length: int) -> None:
        if length < 1:
            raise InvalidSetting(f"data.length must be at least 1, got {length}")
        self.length, self.vocab_size, self._corpus = length, corpus.manifest.vocab_size, corpus
        self._sizes = {split: corpus.manifest.num_tokens(split) for split in shards.SPLITS}
        smallest = min(self._sizes.values())
        if smallest <= length:
            raise InvalidSetting(
                f"a corpus must hold at least {length + 1} tokens for each of train, search and "
                f"held_out, got {smallest} for the smallest; give more text or a smaller length"
            )
        modules = (documents, shard_writer, shards, tokenizer)
        code = code_hash(*(module.__name__ for module in modules), __name__)
        self.fingerprint = f"tokens-{length}-{corpus.manifest.fingerprint}-{code}"

    def num_tokens(self, split: TaskSplit) -> int:
        """Tokens of one split."""
        return self._sizes[split]

    def sample(self, run_seed: int, split: TaskSplit, num_examples: int) -> Batch:
        """Windows of one split and the tokens that follow, both `(num_examples, length)`."""
        windows = self._corpus.take(split, self._places(run_seed, split, num_examples))
        return Batch(windows[:, :-1], windows[:, 1:])

    def bytes_per_token(self, split: TaskSplit, num_examples: int) -> float:
        """Bytes of text per target of the first `num_examples` windows that are scored on."""
        targets = self._places(0, split, num_examples)[:, 1:]
        return self._corpus.num_bytes(split, targets) / targets.size

    def _places(self, run_seed: int, split: TaskSplit, num_examples: int) -> NDArray[np.int64]:
        rng = stream(run_seed if split == "train" else 0, "data", self.name, split)
        # random() and not integers(): one double per window, so a longer sample begins the same.
        starts = rng.random(num_examples) * (self._sizes[split] - self.length)
        return starts.astype(np.int64)[:, None] + np.arange(self.length + 1)
