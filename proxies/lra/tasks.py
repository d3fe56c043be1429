"""The three tasks at their sizes, and their data: lists of operators, documents, pairs of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from nasarena.proxies.lra.examples import (
    SPLITS,
    LabelledData,
    collect,
    encode_text,
)
from nasarena.proxies.lra.labelled_text import (
    ORIGINS,
    Document,
    aan_pairs,
    imdb_documents,
    package_documents,
)
from nasarena.proxies.lra.listops import ListOpsRules, draw_trees, encode_tree
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream

SizeName = Literal["tiny", "cpu", "published"]
TASKS = ("lra-listops", "lra-text", "lra-retrieval")


@dataclass(frozen=True, slots=True)
class LraSize:
    """`length` of a document in tokens, its first one included; of the encoder, width to
    `mlp_width`; of the training, batch and learning rate; `counts` of examples by split.

    `amount` is the time of a training on the clock of modelled seconds, `steps` the published one.
    """

    length: int
    width: int
    depth: int
    heads: int
    mlp_width: int
    num_classes: int
    counts: tuple[int, int, int]
    num_documents: int = 1
    batch: int = 32
    rate: float = 0.002
    amount: float = 3.0
    steps: int = 5000
    rules: ListOpsRules = ListOpsRules()

    @property
    def counts_by_split(self) -> dict[str, int]:
        """`counts` under the names of their splits."""
        return dict(zip(SPLITS, self.counts, strict=True))


_SMALL_TREES = ListOpsRules(max_depth=4, max_arguments=5, min_length=10, max_length=47)
SIZES: dict[tuple[str, SizeName], LraSize] = {
    ("lra-listops", "cpu"): LraSize(48, 32, 2, 2, 64, 10, (12_000, 2000, 2000), rules=_SMALL_TREES),
    ("lra-text", "cpu"): LraSize(128, 32, 2, 2, 64, 2, (8000, 1500, 1500)),
    ("lra-retrieval", "cpu"): LraSize(96, 32, 2, 2, 64, 2, (8000, 1500, 1500), num_documents=2),
    ("lra-listops", "published"): LraSize(2001, 512, 4, 8, 1024, 10, (96_000, 2000, 2000)),
    ("lra-text", "published"): LraSize(
        1000, 256, 4, 4, 1024, 2, (25_000, 25_000, 25_000), steps=20_000
    ),
    ("lra-retrieval", "published"): LraSize(
        4000, 128, 4, 4, 512, 2, (147_086, 18_090, 17_437), num_documents=2
    ),
}
# For tests: few examples, and all else as on a CPU.
SIZES |= {(task, "tiny"): replace(SIZES[task, "cpu"], counts=(300, 60, 60)) for task in TASKS}


@cache
def load_data(task: str, size: SizeName, folder: str | None, seed: int = 0) -> LabelledData:
    """The data of a task, from a folder of the published ones or, without it, the default.

    Raises InvalidSetting for a folder that holds other things, and for a missing package.
    """
    found = SIZES[task, size]
    if folder is not None and not Path(folder).expanduser().is_dir():
        raise InvalidSetting(f"data must be a folder, got {folder}")
    place = None if folder is None else Path(folder).expanduser()
    return _LOADERS[task](found, place, seed)


def _listops(size: LraSize, folder: Path | None, seed: int) -> LabelledData:
    """Trees in order of drawing: the first train, the last are held out."""
    if folder is not None:
        raise InvalidSetting("lra-listops is generated: leave data out")
    trees = draw_trees(size.rules, sum(size.counts), seed)
    names = [name for name, count in size.counts_by_split.items() for _ in range(count)]
    found = (
        (name, (encode_tree(text, size.length),), value)
        for name, (text, value) in zip(names, trees, strict=True)
    )
    splits = collect(found, size.counts_by_split, "ListOps")
    return LabelledData(splits, tuple("0123456789"), "ListOps, drawn by its published rules")


def _text(size: LraSize, folder: Path | None, seed: int) -> LabelledData:
    """Reviews good or bad; of 20 Newsgroups, whether a document is of `comp` or `rec`."""
    if folder is not None:
        documents, labels, origin = imdb_documents(folder), ("neg", "pos"), "IMDb"
    else:
        every, labels = package_documents("newsgroups"), ("comp", "rec")
        documents = [(s, text, group.partition(".")[0]) for s, text, group in every]
        origin = f"in the form of LRA-Text, data {ORIGINS['newsgroups']}"
    found = (
        (split, (encode_text(text, size.length),), labels.index(label))
        for split, text, label in documents
        if label in labels
    )
    return LabelledData(collect(found, size.counts_by_split, origin), labels, origin)


def _retrieval(size: LraSize, folder: Path | None, seed: int) -> LabelledData:
    """Papers of which one cites the other; of Reuters, news of one topic."""
    if folder is not None:
        pairs, origin = aan_pairs(folder), "AAN"
        labels = ("no citation", "citation")
    else:
        origin = f"in the form of LRA-Retrieval, data {ORIGINS['reuters']}"
        pairs = _pairs_of(package_documents("reuters"), size.counts_by_split, seed)
        labels = ("other topic", "same topic")
    found = (
        (split, (encode_text(one, size.length), encode_text(other, size.length)), label)
        for split, one, other, label in pairs
    )
    return LabelledData(collect(found, size.counts_by_split, origin), labels, origin)


def _pairs_of(
    documents: Sequence[Document], most: Mapping[str, int], seed: int
) -> Iterator[tuple[str, str, str, int]]:
    """Pairs of different documents of one split, half of them of one topic."""
    for split in SPLITS:
        own = [(text, label) for name, text, label in documents if name == split]
        names = sorted({label for _, label in own})
        topics = {name: [text for text, label in own if label == name] for name in names}
        rest = {name: [text for text, label in own if label != name] for name in names}
        rng = stream(seed, "lra pairs", split)
        # Half of them, in random order: the place of a pair must not give its label away.
        for alike in rng.permutation(np.arange(most[split]) % 2).tolist():
            text, label = own[int(rng.integers(len(own)))]
            others = topics[label] if alike else rest[label]
            other = others[int(rng.integers(len(others)))]
            if other == text:  # rare; the next one, which is another, for no text comes twice
                other = others[(others.index(text) + 1) % len(others)]
            yield split, text, other, alike


_LOADERS: dict[str, Callable[[LraSize, Path | None, int], LabelledData]] = {
    "lra-listops": _listops,
    "lra-text": _text,
    "lra-retrieval": _retrieval,
}
