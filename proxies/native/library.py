"""The CPU's kernels: C++ sources of this folder, compiled for this processor once and kept.

A compiler's vectors are as wide as the processor's, which no ready-made file could know; so the
sources are compiled where they run, in a few seconds, into `NASARENA_KERNELS` or else the cache.
Without a C++ compiler training goes through torch, several times as slow. `CXX` names another
compiler than `c++`.
"""

import ctypes
import hashlib
import logging
import multiprocessing
import re
import subprocess
from functools import lru_cache
from pathlib import Path

from nasarena.proxies.native.compilation import compile_sources

SOURCES = Path(__file__).parent
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_LOG = logging.getLogger(__name__)


class Sizes(ctypes.Structure):
    """As in native/sizes.h."""

    _fields_ = [
        (name, ctypes.c_int32)
        for name in (
            "T", "D", "V", "attention_heads", "kv_heads", "K", "F", "activation",
            "E", "N", "mamba_heads", "groups", "taps", "decodes", "tied",
        )
    ]  # fmt: skip


class Models(ctypes.Structure):
    """`Population` of native/population.cpp."""

    _fields_ = [
        ("sizes", Sizes),
        ("count", ctypes.c_int32),
        ("depth", ctypes.c_int32),
        ("kinds", ctypes.c_char_p),
        *((name, ctypes.c_void_p) for name in ("offsets", "segments", "segment_ends")),
        *((name, ctypes.c_void_p) for name in ("weights", "gradient", "first", "second")),
        *((name, ctypes.c_void_p) for name in ("turns", "positions")),
    ]


class Update(ctypes.Structure):
    """As in native/population.cpp."""

    _fields_ = [
        *(
            (name, ctypes.c_float)
            for name in ("rate", "beta1", "beta2", "weight_decay", "clip", "limit")
        ),
        ("number", ctypes.c_double),
    ]


@lru_cache(maxsize=1)
def native_library() -> ctypes.CDLL | None:
    """The compiled kernels, or nothing where they cannot be had: then the reason is logged."""
    try:
        return _load(compile_sources(SOURCES))
    except (OSError, ValueError, AttributeError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        _say(reason[0] if reason else type(error).__name__)
        return None


@lru_cache(maxsize=1)
def kernel_hash() -> str:
    """Hash of the C++ sources without comments and indentation."""
    sources = [file.read_text() for file in sorted(SOURCES.glob("*.[ch]*"))]
    code = [_COMMENT.sub("", source).split() for source in sources]
    return hashlib.sha256("\n".join(" ".join(words) for words in code).encode()).hexdigest()


def require_library() -> ctypes.CDLL:
    """The kernels, for a step that was chosen because they exist.

    Raises RuntimeError if they could not be compiled here.
    """
    library = native_library()
    if library is None:
        raise RuntimeError("the kernels were not compiled here: see nasarena doctor")
    return library


def _say(reason: str) -> None:
    """Once: the workers of a comparison would say the same."""
    if multiprocessing.parent_process() is None:
        _LOG.warning("patterns train through torch, three times as slow: %s", reason)


def _load(file: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(file))
    pointer, int32 = ctypes.c_void_p, ctypes.c_int32
    library.nasarena_workspace.argtypes, library.nasarena_workspace.restype = [int32], pointer
    library.nasarena_release.argtypes, library.nasarena_release.restype = [pointer], None
    library.nasarena_step.argtypes = [
        pointer, ctypes.POINTER(Models), int32, pointer, pointer, ctypes.POINTER(Update), pointer,
        pointer,
    ]  # fmt: skip
    library.nasarena_step.restype = ctypes.c_bool
    library.nasarena_score.argtypes = [
        pointer, ctypes.POINTER(Models), int32, *[pointer] * 4
    ]  # fmt: skip
    library.nasarena_score.restype = ctypes.c_bool
    library.nasarena_products.argtypes = [*[int32] * 4, *[pointer] * 3]
    library.nasarena_products.restype = None
    for name, sizes in (("kept", [int32]), ("room", [int32, int32])):
        function = getattr(library, f"nasarena_{name}_bytes")
        function.argtypes = [ctypes.POINTER(Sizes), int32, ctypes.c_char_p, *sizes]
        function.restype = ctypes.c_size_t
    library.nasarena_most_bytes.argtypes, library.nasarena_most_bytes.restype = [], ctypes.c_size_t
    return library
