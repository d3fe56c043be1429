"""The texts that ship with the package, the same bytes on every machine.

- `code`: sources of the Python 3.11.7 standard library, 7.8 MB. The library of the running Python
  would not do: from 3.11 to 3.12 it moves the score of one pattern by several times the noise of a
  training. Licence: PSF-2.0, `shipped_text.LICENSE` beside the archive.
- `prose`: addresses of presidents of the United States to Congress, 1790 to 2021, 4 MB of English.
  Public domain (CC0): https://github.com/stdlib-js/datasets-sotu.

    python -m nasarena.proxies.data.shipped_text code                 (under that Python)
    python -m nasarena.proxies.data.shipped_text prose FOLDER         (of that package's `data`)

packs one of them anew.
"""

import hashlib
import io
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from nasarena.proxies.data.corpus import SourceFile, walk_files
from nasarena.search.errors import ProxyFailed

ShippedText = Literal["code", "prose"]
ARCHIVES: Mapping[ShippedText, Path] = {
    "code": Path(__file__).parent / "shipped_text.tar.xz",
    "prose": Path(__file__).parent / "shipped_prose.tar.xz",
}
SHA256: Mapping[ShippedText, str] = {
    "code": "9dd02e65f86da4605bb3add589469b5aa8234e490a8eac6a1544a17c63a9290c",
    "prose": "f656a95f1d3e16cd0e8de4f32332a367d2edead30dff0adcff315b37cceb3cd9",
}
PROSE_BYTES = 4_000_000

# Parts of the standard library that some machines lack (packaged apart or gone in 3.12), or that
# are tables and not code.
_NOT_EVERYWHERE = {"distutils", "ensurepip", "idlelib", "lib2to3", "tkinter", "turtledemo", "venv"}
_TABLES = {"encodings", "pydoc_data"}
_TESTS = {"test", "tests", "idle_test"}


@lru_cache(maxsize=2)
def shipped_files(name: ShippedText = "code") -> tuple[SourceFile, ...]:
    """The files of a text. Raises ProxyFailed where it is missing or not what was shipped."""
    file = ARCHIVES[name]
    try:
        packed = file.read_bytes()
    except OSError as error:
        raise ProxyFailed(
            f"the text that ships with nasarena cannot be read ({file}: {error.strerror}); "
            f"install nasarena again, or give data.path"
        ) from error
    if hashlib.sha256(packed).hexdigest() != SHA256[name]:
        raise ProxyFailed(
            f"the text that ships with nasarena has been changed ({file}); scores on it would "
            f"compare with nobody's: install nasarena again, or give data.path"
        )
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:xz") as archive:
        return tuple(
            SourceFile(member.name, file / member.name, opened.read())
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


def prose_files(folder: Path) -> list[SourceFile]:
    """Whole addresses in the order of their splits' hash, until there are PROSE_BYTES of them."""
    found, size = list[SourceFile](), 0
    every = (SourceFile(path.name, path) for path in folder.glob("*.txt"))
    for file in sorted(every, key=lambda file: file.position):
        if size < PROSE_BYTES:
            found.append(file)
            size += len(file.read())
    return found


def pack(files: Iterable[SourceFile], archive: Path) -> str:
    """Write files to `archive`, the same bytes each time; its SHA-256."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz", preset=9, format=tarfile.USTAR_FORMAT) as packed:
        for file in sorted(files, key=lambda file: file.name):
            content = file.read()
            member = tarfile.TarInfo(file.name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    archive.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


if __name__ == "__main__":
    if sys.argv[1] == "code":
        print("code", sys.version.split()[0], pack(library_files(), ARCHIVES["code"]))
    else:
        print("prose", pack(prose_files(Path(sys.argv[2])), ARCHIVES["prose"]))
