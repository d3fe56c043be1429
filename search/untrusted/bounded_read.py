"""A file that somebody else may have put there, read whole or not at all.

No pipe is waited for, no device is read for ever, and no file takes all memory.
"""

import errno
from pathlib import Path

LARGEST = 1 << 30  # bytes; the events of a run of a million trials have half of it


def read_bounded(file: Path, most: int = LARGEST) -> bytes:
    """The content. Raises OSError, FileNotFoundError among them, with what is wrong in strerror."""
    if file.exists() and not file.is_file():
        words = "must be a file, got a folder, pipe or device"
        raise OSError(errno.EINVAL, words, str(file))
    size = file.stat().st_size
    if size > most:
        raise OSError(errno.EFBIG, f"has {size} bytes, more than the {most} that are read")
    return file.read_bytes()
