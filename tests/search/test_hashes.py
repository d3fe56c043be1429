"""The hash of code: what a score depends on is in it, where and how it is written is not."""

import importlib
import sys
from pathlib import Path
from types import FrameType

import pytest

from nasarena.proxies.data.text_data import ByteText
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.native import library as native_library
from nasarena.proxies.trained import TrainedProxy
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.hashes import code_hash, reachable_modules
from nasarena.search.proxy import TrialSeed
from nasarena.search.space import PatternSpace

PLAIN = """
import json
from planted.inner import double

def score(x):
    return double(x) + 1
"""
DOCUMENTED = '''
"""A module docstring."""
from planted.inner import double  # another order
import json


def score(x):
    """What it does."""
    # why
    return double(x) + 1
'''


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a package of two modules, and hashes the outer one."""
    folder = tmp_path / "planted"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    def hash_of(outer: str, inner: str, name: str = "outer") -> str:
        (folder / "__init__.py").write_text("")
        (folder / f"{name}.py").write_text(outer)
        (folder / "inner.py").write_text(inner)
        for function in vars(importlib.import_module("nasarena.search.hashes")).values():
            getattr(function, "cache_clear", lambda: None)()
        importlib.invalidate_caches()
        return code_hash(f"planted.{name}")

    yield hash_of
    for name in [name for name in sys.modules if name.partition(".")[0] == "planted"]:
        del sys.modules[name]


def test_comments_docstrings_and_import_lines_are_not_code(planted) -> None:
    inner = "def double(x):\n    return 2 * x\n"
    assert planted(PLAIN, inner) == planted(DOCUMENTED, inner)


def test_a_file_under_another_name_is_the_same_code(planted) -> None:
    inner = "def double(x):\n    return 2 * x\n"
    assert planted(PLAIN, inner, "outer") == planted(PLAIN, inner, "moved")


@pytest.mark.parametrize(
    ("old", "new"), [("2 * x", "3 * x"), ("2 * x", "2.0 * x"), ("2 * x", "2 + x"), ("(x)", "(x=1)")]
)
def test_any_change_of_an_imported_module_is_new_code(planted, old: str, new: str) -> None:
    inner = "def double(x):\n    return 2 * x\n"
    assert planted(PLAIN, inner) != planted(PLAIN, inner.replace(old, new))


def test_an_import_inside_a_function_is_followed(planted) -> None:
    lazy = "def score(x):\n    from planted.inner import double\n    return double(x)\n"
    assert planted(lazy, "def double(x): return 2") != planted(lazy, "def double(x): return 3")


def test_every_module_that_runs_in_an_evaluation_is_hashed() -> None:
    """The oracle is the interpreter: it says whose functions an evaluation really calls."""
    space = PatternSpace("AMS", 3)
    shape, train = (
        ModelShape(width=16, num_heads=2, mamba_state=4, mamba_heads=2),
        TrainSettings(steps=2, num_eval=2),
    )
    text = ByteText(length=16)
    seen = set[str]()

    def note(frame: FrameType, event: str, argument: object) -> None:
        name = str(frame.f_globals.get("__name__"))
        if name.startswith("nasarena."):
            seen.add(name)

    for step in ("eager", "auto"):
        proxy = TrainedProxy("toy", space, [text], TrainedSettings(shape, train, step=step))
        reached = reachable_modules(type(proxy).__module__, type(text).__module__)
        sys.setprofile(note)
        try:
            (outcome,) = proxy.evaluate(["AMS"], [TrialSeed(0)])
        finally:
            sys.setprofile(None)
        assert outcome.status == "ok"
        assert "nasarena.proxies.training.trainer" in seen and "nasarena.search.seeding" in seen
        assert seen <= reached


def test_sweeps_and_bits_per_byte_are_part_of_what_they_score() -> None:
    from nasarena.proxies.bits_per_byte import BitsPerByteProxy

    space, text = PatternSpace("AMS", 3), ByteText(length=16)
    settings = TrainedSettings(
        ModelShape(width=16, num_heads=2, mamba_state=4, mamba_heads=2), TrainSettings(steps=2)
    )
    plain = TrainedProxy("toy", space, [text], settings)
    assert BitsPerByteProxy("toy", space, text, settings).version != plain.version
    assert "nasarena.proxies.trained" in reachable_modules("nasarena.proxies.sweep")


def test_comments_and_indentation_of_kernels_are_not_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_library, "SOURCES", tmp_path)

    def hash_of(source: str) -> str:
        (tmp_path / "step.cpp").write_text(source)
        native_library.kernel_hash.cache_clear()
        return native_library.kernel_hash()

    base = hash_of("int f() { return 1; }")
    assert base == hash_of("/* what\n it does */\nint f() {\n  return 1;  // why\n}")
    assert base != hash_of("int f() { return 2; }")
    native_library.kernel_hash.cache_clear()
