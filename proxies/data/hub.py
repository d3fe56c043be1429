"""Documents from Hugging Face `datasets`: a name on the hub, or local files of any kind it reads.

Rows are streamed, so that no more is downloaded than is read, in the order of the data set. The
library is imported here and nowhere else: it is an extra, and slow to import.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from nasarena.search.errors import InvalidSetting, ProxyFailed

# Short names of corpora that architecture searches were published on: hub name and subset.
# TinyStories stands in for BabiStories, which is published as archives: unpack it for data.path.
KNOWN: Mapping[str, tuple[str, str | None]] = {
    "dclm": ("mlfoundations/dclm-baseline-1.0-parquet", None),
    "fineweb-edu": ("HuggingFaceFW/fineweb-edu", "sample-10BT"),
    "tinystories": ("roneneldan/TinyStories", None),
}


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """A data set: `name` on the hub or a short one, or a kind of file (json, parquet) and `files`.

    `name` may also be a local folder. `column` holds the text.
    """

    name: str
    subset: str | None
    column: str
    files: Sequence[str] = ()

    def texts(self) -> Iterator[str]:
        """The column of every row of `train`; rows without text are empty.

        Raises ProxyFailed where the data cannot be reached or read, InvalidSetting where the
        library is missing or the column is.
        """
        try:
            datasets = import_module("datasets")
        except ImportError as error:
            raise InvalidSetting(
                "data.dataset needs the library datasets, which is not installed: "
                "pip install datasets, or give local text as data.path"
            ) from error
        name, subset = KNOWN.get(self.name, (self.name, None))
        given: dict[str, Any] = {"data_files": list(self.files)} if self.files else {}
        with self._explain_errors():
            rows = datasets.load_dataset(
                name, self.subset or subset, split="train", streaming=True, **given
            )
            for row in rows:
                yield self._text(row)

    def _text(self, row: Mapping[str, Any]) -> str:
        if self.column not in row:
            raise InvalidSetting(
                f"data.column must be a column of {self.name}, got {self.column!r}; "
                f"it has {', '.join(row)}"
            )
        text = row[self.column]
        if not isinstance(text, str | None):
            raise InvalidSetting(
                f"data.column must hold text, got {type(text).__name__} in column "
                f"{self.column!r} of {self.name}"
            )
        return text or ""

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Whatever the library raises as one line, without its warnings before it."""
        chatty = [logging.getLogger(name) for name in ("datasets", "huggingface_hub", "fsspec")]
        levels = [logger.level for logger in chatty]
        for logger in chatty:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        except (InvalidSetting, GeneratorExit):
            raise
        except ConnectionError as error:
            raise ProxyFailed(
                f"data.dataset {self.name!r} cannot be reached: {_one_line(error)}; connect to the "
                f"network, or give data.shards that were written where there is one"
            ) from error
        except Exception as error:  # readers of a dozen formats, each with errors of its own
            raise ProxyFailed(
                f"data.dataset {self.name!r} cannot be read: {type(error).__name__}: "
                f"{_one_line(error)}"
            ) from error
        finally:
            for logger, level in zip(chatty, levels, strict=True):
                logger.setLevel(level)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
