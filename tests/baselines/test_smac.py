"""SMAC in a process of its own: when it ends, what it says when it fails, what names do to it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("smac")

from nasarena.baselines.libraries.smac_search import Smac
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

_PROCESSES = Path("/proc")


def _children(parent: int) -> list[int]:
    """Processes of SMAC that this one started."""
    listed = (_PROCESSES / f"{parent}/task/{parent}/children").read_text().split()
    return [int(one) for one in listed if b"smac_process" in _words(one)]


def _words(process: str) -> bytes:
    return (_PROCESSES / process / "cmdline").read_bytes()


def _wait_until_gone(process: int) -> bool:
    for _ in range(200):
        if not (_PROCESSES / str(process)).exists():
            return True
        time.sleep(0.05)
    return False


def test_the_process_ends_with_the_one_that_asks() -> None:
    code = (
        "import numpy as np, sys\n"
        "from nasarena.baselines.libraries.smac_search import Smac\n"
        "from nasarena.search.space import PatternSpace\n"
        "asks = Smac(PatternSpace('AMS', 6), np.random.default_rng(0), 4)\n"
        "print(asks.ask(1), flush=True)\n"
        "sys.stdin.read()\n"
    )
    asking = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert asking.stdin is not None and asking.stdout is not None
    with asking:
        asking.stdout.readline()
        (process,) = _children(asking.pid)
        os.kill(asking.pid, signal.SIGKILL)
        asking.wait()
        assert _wait_until_gone(process)


def test_it_ends_with_the_searcher_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    built = Smac(PatternSpace("AMS", 6), np.random.default_rng(0), 4)
    built.ask(1)
    (process,) = _children(os.getpid())
    assert list(tmp_path.iterdir())
    del built
    assert _wait_until_gone(process) and not list(tmp_path.iterdir())


def test_a_process_that_has_ended_says_its_last_words() -> None:
    built = Smac(PatternSpace("AMS", 6), np.random.default_rng(0), 4)
    with pytest.raises(RuntimeError, match="SMAC ended: KeyError: 'tell'"):
        built._worker.answer({"none": 1})
    with pytest.raises(RuntimeError, match="SMAC ended"):
        built.ask(1)


def test_names_of_letters_change_nothing_and_scores_of_either_sign_are_learned_from() -> None:
    def play(alphabet: str, offset: float) -> list[str]:
        space = PatternSpace(alphabet, 5)
        built = Smac(space, np.random.default_rng(1), 4)
        asked = []
        for index in range(9):
            (pattern,) = built.ask(1)
            plain = "".join("ABC"[alphabet.index(letter)] for letter in pattern)
            asked.append(plain)
            score = None if index == 2 else plain.count("AB") + offset
            built.tell([Trial(index, pattern, "failed" if score is None else "ok", score)])
        return asked

    plain = play("ABC", 0.5)
    assert play("XYZ", 0.5) == plain == play("ABC", -7.5)
    assert len(set(plain)) == len(plain)
