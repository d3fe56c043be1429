"""Kernels in a cache: loaded only where they are what was compiled and nobody else wrote them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nasarena.proxies.native.compilation import compile_sources

pytestmark = pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source that compiles in a moment; libraries go to `kernels` beside it."""
    (tmp_path / "population.cpp").write_text('extern "C" int answer() { return 42; }\n')
    (tmp_path / "kernels").mkdir(mode=0o755)
    monkeypatch.setenv("NASARENA_KERNELS", str(tmp_path / "kernels"))
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "damage", ["nothing", "cut short", "other bytes", "pipe", "link", "digest"]
)
def test_a_library_that_is_not_what_was_compiled_is_compiled_again(
    sources: Path, damage: str
) -> None:
    """Cut short at a page, a library ends the process by a signal as it is loaded."""
    library = compile_sources(sources)
    whole = library.read_bytes()
    if damage == "pipe":
        library.unlink()
        os.mkfifo(library)
    elif damage == "link":
        library.unlink()
        library.symlink_to("/dev/zero")
    elif damage == "digest":
        library.with_suffix(".sha256").unlink()
    else:
        made = {"nothing": b"", "cut short": whole[:4096], "other bytes": whole[:-1] + b"?"}
        library.write_bytes(made[damage])
    assert compile_sources(sources).read_bytes() == whole
    assert not library.is_symlink()
    assert sorted(file.suffix for file in library.parent.iterdir()) == [".sha256", ".so"]


def test_a_whole_library_is_not_compiled_again(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = compile_sources(sources).stat().st_mtime_ns
    assert compile_sources(sources).stat().st_mtime_ns == stamp


@pytest.mark.parametrize("place", ["folder", "library"])
def test_a_library_that_others_could_have_written_is_not_loaded(sources: Path, place: str) -> None:
    library = compile_sources(sources)
    (library.parent if place == "folder" else library).chmod(0o777)
    with pytest.raises(PermissionError, match="may be written by others"):
        compile_sources(sources)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_library_of_somebody_else_is_not_loaded(sources: Path) -> None:
    os.chown(compile_sources(sources), 12345, -1)
    with pytest.raises(PermissionError, match="may be written by others"):
        compile_sources(sources)


@pytest.mark.parametrize("compiler", ["", " ", "c++"])
def test_no_name_means_the_usual_compiler(
    sources: Path, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    assert compile_sources(sources).suffix == ".so"


def test_a_compiler_that_hangs_is_given_up(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = sources / "hanging"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("CXX", str(hanging))
    monkeypatch.setattr("nasarena.proxies.native.compilation._COMPILER_S", 0.2)
    with pytest.raises(subprocess.TimeoutExpired):
        compile_sources(sources)
