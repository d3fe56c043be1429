"""Names and sizes: a function is a verb or a noun, and functions and files stay short.

A share is allowed, because a word may be both: what counts is that nobody makes it a habit again.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
Function = ast.FunctionDef | ast.AsyncFunctionDef

# Words that end as participles do, and are none (or are verbs and nouns in their own right).
_NO_PARTICIPLES = {
    "bed", "breed", "embed", "exceed", "feed", "fixed", "need", "proceed", "read", "reed", "seed",
    "shed", "shared", "speed", "succeed", "wed",
}  # fmt: skip
_IRREGULAR = {
    "begun", "bought", "bound", "broken", "brought", "built", "caught", "chosen", "done", "drawn",
    "driven", "found", "given", "gone", "grown", "held", "hidden", "kept", "known", "laid", "led",
    "left", "lost", "made", "meant", "met", "paid", "said", "seen", "sent", "shown", "spent",
    "sorted", "sought", "stolen", "swept", "taken", "taught", "thought", "thrown", "told", "torn",
    "understood", "woken", "won", "worn", "woven", "written",
}  # fmt: skip


def is_participle(name: str) -> bool:
    """Whether a function's name begins with a past participle: `told`, `built_proxy`."""
    word = name.lstrip("_").split("_")[0].lower()
    return word in _IRREGULAR or (word.endswith("ed") and word not in _NO_PARTICIPLES)


def code_files() -> Iterator[Path]:
    places = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for place in sorted(places["package-dir"].values()):
        yield from sorted((ROOT / place).glob("*.py"))


def functions(file: Path) -> list[Function]:
    """Functions and methods at any depth; properties, which are nouns, are not among them."""
    return [
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, Function) and not any(map(is_property, node.decorator_list))
    ]


def is_property(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id in ("property", "cached_property")


def num_lines(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def place(file: Path, function: Function) -> str:
    return f"{file.relative_to(ROOT)}:{function.lineno} {function.name}"


def test_less_than_three_percent_of_functions_are_named_by_a_participle() -> None:
    everything = [(file, function) for file in code_files() for function in functions(file)]
    named = [place(*entry) for entry in everything if is_participle(entry[1].name)]
    assert len(named) < 0.03 * len(everything), named


def test_at_most_three_functions_are_longer_than_forty_lines() -> None:
    long = [
        f"{place(file, function)} has {num_lines(function)} lines"
        for file in code_files()
        for function in functions(file)
        if num_lines(function) > 40
    ]
    assert len(long) <= 3, long


def test_at_most_three_files_are_longer_than_three_hundred_lines() -> None:
    sizes = {file: file.read_text().count("\n") for file in code_files()}
    long = {str(file.relative_to(ROOT)): size for file, size in sizes.items() if size > 300}
    assert len(long) <= 3, long


def test_participles_are_told_from_verbs() -> None:
    assert all(map(is_participle, ["told", "_built_proxy", "carried_out", "searched", "drawn"]))
    assert not any(map(is_participle, ["run", "seed_of", "read_run", "embed", "tell", "__init__"]))
