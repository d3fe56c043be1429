"""The text that ships with the package: sources of the Python 3.11.7 standard library, 7.8 MB.

A score must mean the same on every machine, and the library of the running Python does not: from
3.11 to 3.12 it moves the score of one pattern by several times the noise of a training. So one
version is packed once (`python -m nasarena.proxies.data.shipped_text`, under that Python) and read
by everybody. Licence: PSF-2.0, `shipped_text.LICENSE` beside the archive.
"""

import hashlib
import io
import sys
import sysconfig
import tarfile
from functools import lru_cache
from pathlib import Path

from nasarena.proxies.data.corpus import SourceFile, walk_files
from nasarena.search.errors import ProxyFailed

ARCHIVE = Path(__file__).parent / "shipped_text.tar.xz"
SHA256 = "9dd02e65f86da4605bb3add589469b5aa8234e490a8eac6a1544a17c63a9290c"

# Parts of the standard library that some machines lack (packaged apart or gone in 3.12), or that
# are tables and not code.
_NOT_EVERYWHERE = {"distutils", "ensurepip", "idlelib", "lib2to3", "tkinter", "turtledemo", "venv"}
_TABLES = {"encodings", "pydoc_data"}
_TESTS = {"test", "tests", "idle_test"}


@lru_cache(maxsize=1)
def shipped_files() -> tuple[SourceFile, ...]:
    """The files of the archive. Raises ProxyFailed where it is missing or not what was shipped."""
    try:
        packed = ARCHIVE.read_bytes()
    except OSError as error:
        raise ProxyFailed(
            f"the text that ships with nasarena cannot be read ({ARCHIVE}: {error.strerror}); "
            f"install nasarena again, or give data.path"
        ) from error
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise ProxyFailed(
            f"the text that ships with nasarena has been changed ({ARCHIVE}); scores on it would "
            f"compare with nobody's: install nasarena again, or give data.path"
        )
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:xz") as archive:
        return tuple(
            SourceFile(member.name, ARCHIVE / member.name, opened.read())
            for member in archive
            if (opened := archive.extractfile(member)) is not None
        )


def library_files() -> list[SourceFile]:
    """The `*.py` files of the running Python's own library, without its tests and tables.

    Taken are the modules that `sys.stdlib_module_names` lists, so nothing that was installed on
    top, minus the two sets above and every folder of tests.
    """
    root = Path(sysconfig.get_path("stdlib"))
    modules = sys.stdlib_module_names - _NOT_EVERYWHERE - _TABLES
    files = []
    for path in walk_files(root, skip=_TESTS | {"site-packages", "dist-packages"}):
        relative = path.relative_to(root)
        if path.suffix == ".py" and relative.parts[0].removesuffix(".py") in modules:
            files.append(SourceFile(relative.as_posix(), path))
    return files


def pack(archive: Path) -> str:
    """Write the running Python's library to `archive`, the same bytes each time; its SHA-256."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz", preset=9, format=tarfile.USTAR_FORMAT) as packed:
        for file in sorted(library_files(), key=lambda file: file.name):
            content = file.read()
            member = tarfile.TarInfo(file.name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    archive.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


if __name__ == "__main__":
    print(f"{ARCHIVE}: Python {sys.version.split()[0]}, SHA-256 {pack(ARCHIVE)}")
