"""Programs as candidates: which texts are one, which are refused, and the whole loop on them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from toy_code import DRAFT, EDITS, PROGRAMS, ToyProxy, sum_of_numbers

from nasarena.baselines.evolution import regularized_evolution
from nasarena.search.budget import Budget
from nasarena.search.candidates.protocol import CodeSpace, Space
from nasarena.search.candidates.syntax_tree import program_hash, tree_distance
from nasarena.search.errors import InvalidPattern
from nasarena.search.loop import LoopSettings, run_to_end
from nasarena.search.run_folder import RunFolder, read_run
from nasarena.search.searcher import Searcher, build_searcher, searcher, spec_of
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial


def test_all_spaces_keep_the_protocol() -> None:
    assert isinstance(PatternSpace(), Space)
    assert not isinstance(PatternSpace(), CodeSpace)
    assert isinstance(PROGRAMS, CodeSpace)
    assert isinstance(EDITS, CodeSpace)


@pytest.mark.parametrize(
    "same",
    [
        DRAFT.replace("    a = 3\n", "    a = 3  # three\n\n"),
        DRAFT.replace("a ", "first ").replace("    b", "    other").replace("+ b", "+ other"),
        DRAFT.replace("(x):\n", '(x):\n    """Doc."""\n'),
        DRAFT.replace("2.0", "2.00").replace("3", "(3)"),
    ],
)
def test_comments_local_names_and_spelling_do_not_matter(same: str) -> None:
    assert same != DRAFT
    assert program_hash(same) == program_hash(DRAFT)
    assert tree_distance(same, DRAFT) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x):\n    a = 1\n    return a\n", "def f(y):\n    a = 1\n    return a\n"),
        ("def f():\n    a = 1\n    return a\n", "def f():\n    a = 1\n    return b\n"),
        # The global `n` and a local of that name are not the same variable.
        ("def f():\n    m = [n for n in range(3)]\n    return n\n",
         "def f():\n    m = [k for k in range(3)]\n    return k\n"),
        ("def f():\n    global a\n    a = 1\n", "def f():\n    global b\n    b = 1\n"),
        ("class C:\n    a = 1\n", "class C:\n    b = 1\n"),
        ("def f():\n    a = 1\n    b = 2\n    return a - b\n",
         "def f():\n    a = 1\n    b = 2\n    return b - a\n"),
        ("import math\n", "import cmath\n"),
        ("x = [1, [2]]\n", "x = [1, 2]\n"),
    ],
)  # fmt: skip
def test_programs_that_may_act_otherwise_have_other_names(one: str, other: str) -> None:
    assert program_hash(one) != program_hash(other)
    assert tree_distance(one, other) > 0


def test_a_variable_of_an_outer_function_is_followed_into_the_inner_one() -> None:
    text = "def f():\n    a = 1\n    def g():\n        return a\n    return g\n"
    assert program_hash(text) == program_hash(text.replace("a", "q").replace("q", "b"))
    assert program_hash(text) != program_hash(text.replace("return a", "return c"))


def test_distance_counts_what_changed() -> None:
    near, far = DRAFT.replace("3", "4"), "import math\n\ndef height(x):\n    return x\n"
    assert 0 < tree_distance(DRAFT, near) < tree_distance(DRAFT, far)
    assert "-    a = 3\n+    a = 4" in PROGRAMS.difference(DRAFT, near)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (3, "must be text, got int"),
        ("def height(x:\n", "does not parse"),
        ("def height(x):\n  return '\x00'\n", "control characters"),
        ("x = '\ud800'\ndef height(x): pass\n", "UTF-8"),
        ("def other(x): pass\n", r"must define def height\(x\)"),
        ("def height(y): pass\n", "must define"),
        ("def height(x, y): pass\n", "must define"),
        ("import os\n" + DRAFT, "import of 'os'"),
        ("from .a import b\n" + DRAFT, "no package"),
        ("open('a')\n" + DRAFT, "open is not allowed"),
        ("height = ().__class__.__bases__\n" + DRAFT, "__bases__"),
        (DRAFT + "#" * 2000, "at most 2000 characters"),
        (DRAFT + "x = [" + "1," * 600 + "]\n", "at most 500 nodes"),
        (DRAFT + "x = " + "(" * 900 + ")" * 900, "does not parse"),
    ],
)  # fmt: skip
def test_what_the_task_would_not_run_is_refused_in_a_line(text: object, said: str) -> None:
    with pytest.raises(InvalidPattern, match=said) as caught:
        PROGRAMS.validate(text)
    assert "\n" not in str(caught.value)
    assert text not in PROGRAMS


def test_samples_and_moves_stay_in_the_space() -> None:
    rng = np.random.default_rng(0)
    sampled = PROGRAMS.sample_distinct(5, rng)
    assert sampled[0] == DRAFT
    assert len({program_hash(one) for one in sampled}) == 5
    assert all(one in PROGRAMS for one in sampled)
    assert PROGRAMS.crossover(sampled[1], sampled[2], rng) in PROGRAMS
    assert len(list(PROGRAMS.neighbours(DRAFT))) == 4  # two numbers, each halved and doubled


def _run(folder: Path, proxy: ToyProxy, make: object = regularized_evolution) -> list[Trial]:
    def build(rng: np.random.Generator) -> Searcher:
        return build_searcher(spec_of(make), proxy.space, rng, {})

    settings = LoopSettings(
        3, Budget("trials", 20), finalists=2, final_replicates=1, finalists_by="score"
    )
    with RunFolder(folder, {"toy": True}, {}) as opened:
        return run_to_end(opened, build, proxy, settings)


def test_a_list_of_edits_in_another_order_is_recorded_in_canonical_form(tmp_path: Path) -> None:
    @searcher("disorderly")
    class Disorderly:
        def __init__(self, space: Space, rng: np.random.Generator) -> None:
            self._left = ["rate=0.020 depth=6", "tie=on depth=4", "no=1"]

        def ask(self, n: int) -> list[Proposal]:
            asked, self._left = self._left[:n], self._left[n:]
            return [Proposal(one) for one in asked]

        def tell(self, trials: Sequence[Trial]) -> None: ...

    proxy = ToyProxy(EDITS, lambda one: float(len(one)))
    _run(tmp_path / "run", proxy, Disorderly)
    record = read_run(tmp_path / "run")  # refuses a record that contradicts itself
    asked = [one for event in record.of_kind("asked") for one in event["patterns"]]
    assert asked[-3:] == ["depth=6 rate=0.02", "tie=on", "no=1"]
    assert [event["trial"]["status"] for event in record.of_kind("settled")][-1] == "invalid"


def test_the_whole_loop_runs_on_programs_and_resumes(tmp_path: Path) -> None:
    proxy = ToyProxy(PROGRAMS, sum_of_numbers)
    trials = _run(tmp_path / "whole", proxy)
    assert sum(trial.status == "ok" for trial in trials) == 20
    assert max(t.score or 0 for t in trials) > sum_of_numbers(DRAFT)
    events = (tmp_path / "whole" / "events.jsonl").read_text().splitlines()
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / "run.json").write_bytes((tmp_path / "whole" / "run.json").read_bytes())
    (cut / "events.jsonl").write_text("\n".join(events[:25]) + "\n")
    again = ToyProxy(PROGRAMS, sum_of_numbers)
    assert _run(cut, again) == trials
    assert 0 < len(again.asked) < len(proxy.asked)
    assert [e["trial"] for e in read_run(cut).of_kind("settled")] == [
        e["trial"] for e in read_run(tmp_path / "whole").of_kind("settled")
    ]


def test_the_same_program_in_other_words_is_a_free_duplicate(tmp_path: Path) -> None:
    class InOtherWords:
        def __init__(self, space: object, rng: np.random.Generator) -> None:
            self.left = [DRAFT + "# again\n", "no program", DRAFT.replace("3", "5")]

        def ask(self, n: int) -> list[str]:
            return [self.left.pop(0)] if self.left else []

        def tell(self, trials: object) -> None: ...

    proxy = ToyProxy(PROGRAMS, sum_of_numbers)
    trials = _run(tmp_path / "run", proxy, InOtherWords)
    assert [trial.status for trial in trials[4:]] == ["duplicate", "invalid", "ok"]
    assert trials[4].duplicate_of == 0
    assert trials[4].pattern.endswith("# again\n")
