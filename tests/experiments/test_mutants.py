"""Planted faults: who notices which, what is refused, and that the draw is by the table alone."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from draw_mutants import Sites, draw, unique_text

from nasarena.experiments.measure.mutants import (
    Mutant,
    check_tree,
    copied_tree,
    first_failure,
    plant,
    read_mutants,
)
from nasarena.search.errors import NasArenaError

CODE = "def top(scores, default=0):\n    return max(scores) if scores else default\n"
TESTS = """from code_under_test import top

def test_top():
    assert top([1, 3, 2]) == 3
"""
SEEN = Mutant("least", "by hand", "code_under_test.py", "max(", "min(", ("test_top.py",))
UNSEEN = replace(SEEN, name="default", old="default=0", new="default=1")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project of one module, one test and the rule that shows its code to the tests."""
    (tmp_path / "code_under_test.py").write_text(CODE)
    (tmp_path / "test_top.py").write_text(TESTS)
    rule = "\t@mkdir -p $@ && ln -s ../code_under_test.py $@/\n"
    (tmp_path / "Makefile").write_text(f".typecheck:\n{rule}")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    return tmp_path


def test_a_fault_is_seen_by_a_test_that_fails_and_leaves_no_trace(tree: Path) -> None:
    with copied_tree(tree) as copy:
        check_tree(copy, [SEEN, UNSEEN])
        assert plant(copy, SEEN) == "test_top.py::test_top"
        assert plant(copy, UNSEEN) == ""
        assert (copy / SEEN.file).read_text() == CODE
    assert (tree / SEEN.file).read_text() == CODE and not copy.exists()


@pytest.mark.parametrize(("old", "count"), [("sum(", 0), ("scores", 3)])
def test_a_text_that_does_not_stand_once_in_its_file_is_refused(
    tree: Path, old: str, count: int
) -> None:
    with pytest.raises(NasArenaError, match=f"'least': .* stands there {count} times"):
        check_tree(tree, [replace(SEEN, old=old)])


def test_tests_that_fail_or_are_missing_before_anything_is_planted_are_refused(tree: Path) -> None:
    with copied_tree(tree) as copy:
        (copy / SEEN.file).write_text(CODE.replace("max(", "min("))
        with pytest.raises(NasArenaError, match="fails already: test_top.py::test_top"):
            check_tree(copy, [replace(SEEN, old="min(")])
        with pytest.raises(NasArenaError, match="ran no test of nowhere.py"):
            first_failure(copy, ["nowhere.py"])


def test_an_entry_names_its_tests_or_says_why_it_needs_none(tmp_path: Path) -> None:
    entry = '[[mutant]]\nname = "x"\norigin = "sample"\nfile = "a.py"\nold = "1"\nnew = "2"\n'
    file = tmp_path / "mutants.toml"
    file.write_text(entry)
    with pytest.raises(NasArenaError, match="'x' must name tests, or why it is equivalent"):
        read_mutants(file)
    file.write_text(f'{entry}tests = ["t.py"]\n{entry}equivalent = "nobody reads it"\n')
    assert [mutant.tests for mutant in read_mutants(file)] == [("t.py",), ()]


def test_every_test_that_the_list_names_is_there() -> None:
    root = Path(__file__).parents[2]
    named = {test for mutant in read_mutants(root / "tests/mutants.toml") for test in mutant.tests}
    for test in named:
        file, *names = test.split("::")
        defined = {
            node.name
            for node in ast.walk(ast.parse((root / file).read_text()))
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
        assert {name.partition("[")[0] for name in names} <= defined, test


SOURCE = '''"""A module of 1 docstring."""
LIMIT: int = 3


def wait(n: int, loud: bool = True) -> str:
    if not n or n < LIMIT:
        return f"{n} of 3"
    n = n - 1 if n != 4 else n
    return "a" + "b"
'''


def test_the_table_of_operators_by_hand() -> None:
    found = {
        (line, change.operator, SOURCE[change.start : change.stop], change.text)
        for line, changes in Sites(SOURCE).changes.items()
        for change in changes
    }
    assert found == {
        (2, "constant + 1", "3", "(3 + 1)"),
        (5, "default", "True", "False"),
        (6, "not removed", "not ", ""),
        (6, "and, or", "or", "and"),
        (6, "comparison", "<", "<="),
        (6, "comparison flipped", "<", ">="),
        (7, "guard", 'return f"{n} of 3"', "pass"),
        (8, "arithmetic", "-", "+"),
        (8, "constant + 1", "1", "(1 + 1)"),
        (8, "comparison", "!=", "=="),
        (8, "constant + 1", "4", "(4 + 1)"),
    }


def test_a_text_is_as_long_as_it_must_be_to_stand_once() -> None:
    source = "a = 1\nb = 1\nc = 2\nb = 1\n"
    first, last = sorted(Sites(source).changes)[1], sorted(Sites(source).changes)[3]
    texts = [unique_text(source, Sites(source).changes[line][0]) for line in (first, last)]
    assert texts == [
        ("a = 1\nb = 1", "a = 1\nb = (1 + 1)"),
        ("c = 2\nb = 1", "c = 2\nb = (1 + 1)"),
    ]


def test_a_seed_draws_the_same_faults_and_another_seed_others(tmp_path: Path) -> None:
    for folder in ("search", "agents/llm"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "module.py").write_text(SOURCE)
    first, again, other = (list(draw(seed, tmp_path)) for seed in (1, 1, 2))
    assert first == again != other
    assert sorted(drawn[:2] for drawn in first) == [  # every line that can be changed, once
        (f"{folder}/module.py", line)
        for folder in ("agents/llm", "search")
        for line in (2, 5, 6, 7, 8)
    ]
