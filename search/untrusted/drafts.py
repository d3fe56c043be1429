"""Files written beside and moved into place, so that each is there as it was or whole.

A link in the way is replaced, never followed: a comparison may come from somebody else, archives
keep symbolic links, and `report.md` could point to any file of yours.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft_of(file: Path) -> Iterator[Path]:
    """A new file beside `file` that takes its place when the block has ended without an error."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}.draft")
    draft.touch(exist_ok=False)  # never opens what is there already
    try:
        yield draft
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def replace_text(file: Path, text: str) -> None:
    """Write `file` whole or not at all; signs that UTF-8 does not have become escapes."""
    with draft_of(file) as draft:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")


def make_subfolder(folder: Path, name: str) -> None:
    """The folder `name` in `folder`. Raises OSError where that is a link."""
    inner = folder / name
    if inner.is_symlink():
        words = f"{inner} must be a folder, got a link to {os.readlink(inner)}; remove the link"
        raise OSError(errno.ELOOP, words)
    inner.mkdir(exist_ok=True)
