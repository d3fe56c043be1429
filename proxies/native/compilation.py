"""Compiling the kernels once for this processor, and trusting what lies in the cache no further.

A library runs code as it is loaded, and one that was cut short ends the process by a signal. So a
kept library is loaded only if it is a file that nobody else could have written, whose bytes are
those that were compiled; otherwise it is compiled again, or refused.
"""

import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from nasarena.search.machine import cache_folder

# No -ffast-math: a training that diverges must show it.
_FLAGS = (
    "-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math",
    "-shared", "-fPIC", "-pthread",
)  # fmt: skip
_COMPILER_S = 300.0  # a compiler that takes longer hangs; ours takes some ten seconds


def compile_sources(sources: Path) -> Path:
    """The library of the sources in a folder, from the cache or compiled now.

    Raises OSError without a compiler or where the cache belongs to somebody else,
    subprocess.SubprocessError where compiling fails, ValueError for a CXX that cannot be read.
    """
    compiler = shlex.split(os.environ.get("CXX") or "") or ["c++"]
    if shutil.which(compiler[0]) is None:
        raise FileNotFoundError(f"no C++ compiler ({compiler[0]})")
    command = [*compiler, *_FLAGS]
    chosen = os.environ.get("NASARENA_KERNELS")
    folder = Path(chosen) if chosen else cache_folder() / "native"
    folder.mkdir(parents=True, exist_ok=True)
    _check_owner(folder)
    library = folder / f"{_name(command, sources)}.so"
    if not _is_whole(library):
        _compile(command, sources / "population.cpp", library)
    return library


def _name(command: list[str], sources: Path) -> str:
    """Hash of all that the library depends on."""
    # What the compiler takes this processor for: a cache may be shared by machines.
    target = _run([*command, "-dM", "-E", "-x", "c++", os.devnull])
    files = [file.read_bytes() for file in sorted(sources.glob("*.[ch]*"))]
    digest = hashlib.sha256(b"\n".join([" ".join(command).encode(), target.encode(), *files]))
    return digest.hexdigest()[:16]


def _compile(command: list[str], source: Path, library: Path) -> None:
    """Written beside and moved, its hash last: what is there is whole or is compiled again."""
    folder = library.parent
    with tempfile.TemporaryDirectory(dir=folder) as drafts:
        draft, digest = Path(drafts) / library.name, Path(drafts) / "digest"
        _run([*command, str(source), "-o", str(draft)])
        digest.write_text(_digest(draft))
        for file in (draft, digest):
            with file.open("rb") as written:
                os.fsync(written.fileno())
        if library.is_dir():
            raise IsADirectoryError(f"{library} must be a file: remove it")
        draft.replace(library)
        digest.replace(_digest_file(library))


def _run(command: list[str]) -> str:
    return subprocess.run(
        command, capture_output=True, check=True, text=True, timeout=_COMPILER_S,
        stdin=subprocess.DEVNULL,
    ).stdout  # fmt: skip


def _is_whole(library: Path) -> bool:
    """Whether the bytes are those that were compiled; a pipe or a link is no library of ours."""
    try:
        if not stat.S_ISREG(library.lstat().st_mode):
            return False
        _check_owner(library)
        return _digest(library) == _digest_file(library).read_text()
    except FileNotFoundError:
        return False


def _check_owner(path: Path) -> None:
    """Raises PermissionError for a path that somebody else could have written."""
    found = path.stat()
    group_may_write = found.st_mode & stat.S_IWGRP and found.st_gid != os.getegid()
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH or group_may_write:
        raise PermissionError(
            f"{path} may be written by others, so no kernel is loaded from there: remove it, or "
            f"set NASARENA_CACHE to a folder of your own"
        )


def _digest_file(library: Path) -> Path:
    return library.with_suffix(".sha256")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
