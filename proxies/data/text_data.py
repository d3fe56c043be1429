"""The settings of text, and the task that they select.

With only `path` and `length`, files are read into memory as bytes (`text.py`), which is enough for
a few megabytes. With any other setting the corpus is written to disk as shards on first use: in a
folder that the user names, otherwise in the cache under a hash of the request. A folder with shards
needs nothing else, not even a network; any other setting given with it must agree with the one it
was written with.
"""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nasarena.proxies.data import documents, shard_writer, tokenizer
from nasarena.proxies.data.corpus import SourceFile, find_files
from nasarena.proxies.data.documents import Document, file_documents, files_signature, row_documents
from nasarena.proxies.data.hub import DatasetSource
from nasarena.proxies.data.shard_writer import write_corpus
from nasarena.proxies.data.shards import FORMAT, Shards, has_shards
from nasarena.proxies.data.shipped_text import shipped_files
from nasarena.proxies.data.task import TaskSplit
from nasarena.proxies.data.text import TextTask
from nasarena.proxies.data.text_settings import TextSettings
from nasarena.proxies.data.token_text import TokenText
from nasarena.proxies.data.tokenizer import parse_tokenizer
from nasarena.search.errors import InvalidSetting
from nasarena.search.hashes import code_hash, config_hash
from nasarena.search.machine import cache_folder

_LOG = logging.getLogger(__name__)
_REPORT_EVERY_S = 30.0
_ROWS = 100_000  # of a data set where no number of documents is given: hubs hold terabytes


class ByteText(TextTask):
    """Bytes in memory, asked what tokens on disk are asked."""

    def num_tokens(self, split: TaskSplit) -> int:
        """Bytes of one split."""
        return len(self._corpus.splits[split])

    def bytes_per_token(self, split: TaskSplit, num_examples: int) -> float:
        """One: as `TokenText.bytes_per_token`."""
        return 1.0


def text_task(settings: TextSettings, batch_size: int) -> ByteText | TokenText:
    """The task of these settings; its shards are written where they are missing.

    Raises InvalidSetting for a corpus of less than one batch and for all that cannot be read,
    ProxyFailed for damaged shards and data sets out of reach.
    """
    task: ByteText | TokenText
    if settings.is_in_memory:
        task = ByteText(
            None if settings.path is None else settings.paths, settings.length, settings.shipped
        )
    else:
        task = TokenText(open_corpus(settings), settings.length)
    needed = batch_size * settings.length + 1
    if task.num_tokens("train") < needed:
        raise InvalidSetting(
            f"a corpus must hold one batch to train on, {needed} tokens ({batch_size} x "
            f"{settings.length} and one), got {task.num_tokens('train')}; give more text, or a "
            f"smaller train.batch_size or data.length"
        )
    return task


def open_corpus(settings: TextSettings) -> Shards:
    """The shards of these settings, written now if there are none.

    Raises InvalidSetting for a folder without shards and without a source to write them from.
    """
    asked = parse_tokenizer(settings.tokenizer)
    if settings.shards is not None:
        folder = Path(settings.shards).expanduser()
        if has_shards(folder):
            return _agreeing(Shards(folder), settings, asked.name)
        if settings.dataset is None and settings.path is None:
            raise InvalidSetting(
                f"data.shards must be a folder that holds shards, got {settings.shards!r}; "
                f"give data.path or data.dataset too, and they are written there"
            )
    source = _Source(settings)
    if settings.shards is None:
        code = code_hash(*(module.__name__ for module in (documents, shard_writer, tokenizer)))
        request = [FORMAT, source.description, asked.name, code]
        folder = cache_folder() / "shards" / config_hash({"request": request})
    if not has_shards(folder):
        write_corpus(
            folder,
            lambda: _log_progress(source.documents(), folder),
            asked,
            source.description,
            source.origin,
        )
    return Shards(folder)


class _Source:
    """Where documents come from: `description` tells two sources apart, `origin` is for people."""

    def __init__(self, settings: TextSettings) -> None:
        self.documents: Callable[[], Iterator[Document]]
        self.description: dict[str, Any]
        if settings.dataset is None:
            files = (
                shipped_files(settings.shipped)
                if settings.path is None
                else find_files(settings.paths)
            )
            self.origin = ", ".join(settings.paths) or "the shipped text"
            self.documents = lambda: file_documents(files, settings.documents)
            self.description = {"files": files_signature(files), "documents": settings.documents}
            return
        files = find_files(settings.paths)
        limit = settings.documents or _ROWS
        dataset = DatasetSource(
            settings.dataset, settings.subset, settings.column, [str(file.path) for file in files]
        )
        self.origin = f"data set {settings.dataset}"
        self.documents = lambda: row_documents(dataset.texts(), limit)
        self.description = {
            "dataset": settings.dataset,
            "subset": settings.subset,
            "column": settings.column,
            "documents": limit,
            "files": files_signature([*files, *_local(settings.dataset)]),
        }


def _log_progress(documents: Iterator[Document], folder: Path) -> Iterator[Document]:
    """`documents`, with a line in the log now and then: a large corpus takes minutes."""
    start = last = time.monotonic()
    num_documents = num_characters = 0
    for document in documents:
        yield document
        num_documents += 1
        num_characters += len(document.text)
        if time.monotonic() - last > _REPORT_EVERY_S:
            last = time.monotonic()
            _LOG.warning(
                "writing shards to %s, once: %d documents, %.0f million characters after %.0f s",
                folder, num_documents, num_characters / 1e6, last - start,
            )  # fmt: skip


def _local(dataset: str) -> list[SourceFile]:
    """The files of a data set that is a folder here."""
    return find_files([dataset]) if Path(dataset).expanduser().is_dir() else []


def _agreeing(corpus: Shards, settings: TextSettings, asked: str) -> Shards:
    """`corpus`, unless another tokenizer or source is asked for than it was written with."""
    manifest, folder = corpus.manifest, corpus.folder
    if settings.tokenizer is not None and asked not in (manifest.tokenizer, manifest.vocabulary):
        raise InvalidSetting(
            f"data.tokenizer must be the one that the shards in {folder} were written with, "
            f"{manifest.tokenizer} ({manifest.vocabulary}), got {settings.tokenizer} ({asked}); "
            f"leave it out, or name another folder"
        )
    asked_source = (settings.path, settings.dataset, settings.documents)
    is_free = all(setting is None for setting in asked_source)
    if not is_free and dict(manifest.source) != _Source(settings).description:
        raise InvalidSetting(
            f"the shards in {folder} were written from another source or from files that have "
            f"changed since ({manifest.source}); leave data.path, data.dataset and data.documents "
            f"out to use them as they are, or name another folder"
        )
    return corpus
