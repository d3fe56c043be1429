"""Documents and the split that each belongs to: a document is never in two splits.

A file is a document, and so is a row of a data set. Its key decides the split by a stable hash, so
that adding documents moves no other: the relative name for a file, the text itself for a row, which
also keeps two copies of one text in one split. Text that is not UTF-8 gets the replacement
character before anything else happens, so that every tokenizer reads the same text.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from nasarena.proxies.data.corpus import SPLIT_ENDS, SourceFile
from nasarena.proxies.data.task import TaskSplit
from nasarena.search.seeding import stable_hash


@dataclass(frozen=True, slots=True)
class Document:
    """One text and the key that decides its split."""

    key: str
    text: str

    @property
    def split(self) -> TaskSplit:
        """The split of the whole document: 80, 10 and 10 percent of all keys."""
        position = stable_hash("corpus", self.key) / 2.0**64
        return next(split for split, end in SPLIT_ENDS.items() if position < end)


Piece = tuple[TaskSplit, str]  # text of a document, and the split it is in


def whole(document: Document) -> Iterator[Piece]:
    """The document in its own split: how a corpus of many documents is split."""
    yield document.split, document.text


def in_parts(document: Document) -> Iterator[Piece]:
    """Consecutive parts, 80, 10 and 10 percent: what is left where there are too few documents."""
    start = 0
    for split, end in SPLIT_ENDS.items():
        stop = round(end * len(document.text))
        yield split, document.text[start:stop]
        start = stop


def file_documents(files: Sequence[SourceFile], limit: int | None = None) -> Iterator[Document]:
    """Files as documents in an order of their names' hashes, so that a limit takes a sample.

    It is another hash than that of the split: a sample is of all splits. Raises InvalidSetting for
    a file that cannot be read.
    """
    ordered = sorted(files, key=lambda file: (stable_hash("document order", file.name), file.name))
    for file in ordered[:limit]:
        text = file.read().decode("utf-8", "replace")
        if text:
            yield Document(file.name, text)


def row_documents(texts: Iterable[str], limit: int | None = None) -> Iterator[Document]:
    """Rows of a data set as documents, in their order; rows without text are passed over."""
    for text in islice(filter(None, texts), limit):
        # A lone surrogate, which JSON can hold, is no text either.
        clean = text.encode("utf-8", "replace").decode()
        yield Document(hashlib.blake2b(clean.encode(), digest_size=16).hexdigest(), clean)


def files_signature(files: Sequence[SourceFile]) -> str:
    """Hash of names, sizes and times of change: says without reading whether files are the same."""
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(files, key=lambda file: file.name):
        digest.update(repr((file.name, file.signature)).encode())
    return digest.hexdigest()
