"""The growing file of rows: appended and flushed population by population, never rewritten.

After a kill the file holds every finished population; a torn last line is cut off when the file is
opened again. A file that another version of the proxy wrote is refused, never mixed.
"""

import fcntl
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from nasarena.proxies.patternbench.rows import Row, header_line, parse_rows, row_line
from nasarena.search.errors import RunFolderRefused

# What must agree for rows to be of one sample; the rest of a header only says where from.
IDENTITY = ("proxy", "version", "design")


class RowLog:
    """The one writer of a file of rows; `rows` holds all there are."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Create the file, or open the one that the same proxy and design wrote before.

        Raises RunFolderRefused for a file of something else, or one that is being written to.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file: IO[bytes] = open(path, "ab+")
        try:
            self._lock()
            self.rows = self._open(header)
        except BaseException:
            self._file.close()
            raise

    def append(self, rows: Iterable[Row]) -> None:
        """Write the rows of one population in one piece, down to the disk."""
        new = list(rows)
        self._write("".join(map(row_line, new)))
        self.rows += new

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunFolderRefused(f"{self.path} is being written to by another process") from error

    def _open(self, header: Mapping[str, Any]) -> list[Row]:
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._file.truncate(len(whole))
        if whole.count(b"\n") < 2:  # not even the header was whole
            self._file.truncate(0)
            self._write(header_line(header))
            return []
        try:
            found, rows = parse_rows(whole.decode().splitlines())
        except (ValueError, KeyError) as error:
            raise RunFolderRefused(f"{self.path} is no file of rows ({error}); move it") from error
        for key in IDENTITY:
            if found.get(key) != header[key]:
                raise RunFolderRefused(
                    f"{self.path} holds rows of {key} {found.get(key)!r}, expected "
                    f"{header[key]!r}; name another file with out=..."
                )
        return rows

    def _write(self, text: str) -> None:
        self._file.write(text.encode())
        self._file.flush()
        os.fsync(self._file.fileno())
