"""The hash of a searcher that is a Python object: it changes with what the searcher does."""

import subprocess
import sys
from typing import Any

import pytest

from nasarena.experiments.comparison.source_hash import source_hash

SOURCE = '''
import threading
from functools import partial
import numpy as np

RATE, LOCK, TABLE = 0.25, threading.Lock(), np.arange(5)

def helper(x):
    return x + RATE

class Base:
    step = 3
    def walk(self):
        return self.step

class Searcher(Base):
    """What it does."""
    def __init__(self, space, rng, width=2):
        self.width = width
    def ask(self, n):
        # one at a time
        return [helper(self.walk()) for _ in range(n)]
    @property
    def size(self):
        return len({"a", "b", "c"} | set(TABLE))
    @staticmethod
    def limit():
        return partial(helper, x=4)

def outer(power):
    def search(history, space, rng, *, far=1):
        with LOCK:
            return [k ** power for k in range(far)]
    return search

search = outer(2)
'''


def hashes(source: str) -> tuple[str, str]:
    namespace: dict[str, Any] = {"__name__": "somewhere"}
    exec(compile(source, "<cell>", "exec"), namespace)
    return source_hash(namespace["Searcher"]), source_hash(namespace["search"])


# What is edited, and whether the class and the function are others afterwards.
EDITS = [
    ("# one at a time", "# all of them, each by itself", False, False),
    ("import threading\n", "import threading\n\n\n", False, False),
    ("RATE, LOCK, TABLE = 0.25", "RATE, LOCK, TABLE = 0.5", True, False),
    ("np.arange(5)", "np.arange(6)", True, False),
    ("return x + RATE", "return x - RATE", True, False),
    ("step = 3", "step = 4", True, False),
    ("return self.step", "return -self.step", True, False),
    ("width=2", "width=3", True, False),
    ("range(n)", "range(n + 1)", True, False),
    ('"a", "b", "c"', '"a", "b", "d"', True, False),
    ("x=4", "x=5", True, False),
    ("outer(2)", "outer(3)", False, True),
    ("far=1", "far=2", False, True),
    ("k ** power", "k * power", False, True),
]


@pytest.mark.parametrize(("old", "new", "of_class", "of_function"), EDITS)
def test_an_edit_is_another_searcher_where_it_does_something_else(
    old: str, new: str, of_class: bool, of_function: bool
) -> None:
    assert SOURCE.count(old) == 1
    before, after = hashes(SOURCE), hashes(SOURCE.replace(old, new))
    assert (before[0] != after[0], before[1] != after[1]) == (of_class, of_function)


def test_it_is_the_same_in_another_process_whatever_order_its_sets_have() -> None:
    script = f"SOURCE = {SOURCE!r}\n" + (
        "from nasarena.experiments.comparison.source_hash import source_hash\n"
        "namespace = {'__name__': 'somewhere'}\n"
        "exec(compile(SOURCE, '<other cell>', 'exec'), namespace)\n"
        "print(source_hash(namespace['Searcher']), source_hash(namespace['search']))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-"],
            input=script,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert said == {" ".join(hashes(SOURCE)) + "\n"}
