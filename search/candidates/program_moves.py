"""Changes of a program that need no model: a number scaled, functions taken from two parents.

The control for whoever writes code: what blind changes of the same text reach.
"""

import ast
import copy
from collections.abc import Iterator

import numpy as np

from nasarena.search.candidates.syntax_tree import parse_program

_FACTORS = (0.5, 2.0)


def scaled_numbers(source: str) -> Iterator[str]:
    """Every program in which one number is halved or doubled, by place in the text."""
    tree = parse_program(source)
    for place in range(len(_numbers(tree))):
        for factor in _FACTORS:
            yield _scale(tree, place, factor)


def scale_random_number(source: str, rng: np.random.Generator) -> str:
    """One number halved or doubled; the program itself where it has none."""
    tree = parse_program(source)
    count = len(_numbers(tree))
    if not count:
        return source
    return _scale(tree, int(rng.integers(count)), _FACTORS[rng.integers(len(_FACTORS))])


def mix_functions(first: str, second: str, rng: np.random.Generator) -> str:
    """The first program, each function and class that the second has too from either of them."""
    tree = parse_program(first)
    others = {node.name: node for node in parse_program(second).body if isinstance(node, _NAMED)}
    body: list[ast.stmt] = []
    for node in tree.body:
        takes_other = isinstance(node, _NAMED) and node.name in others and rng.random() < 0.5
        body.append(others[node.name] if takes_other else node)  # type: ignore[attr-defined]
    return ast.unparse(ast.Module(body, type_ignores=[]))


_NAMED = (ast.FunctionDef, ast.ClassDef)


def _numbers(tree: ast.Module) -> list[ast.Constant]:
    """Numbers other than 0 in the order of the text; truth values are none."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value
    ]


def _scale(tree: ast.Module, place: int, factor: float) -> str:
    changed = copy.deepcopy(tree)
    node = _numbers(changed)[place]
    value = node.value
    assert isinstance(value, int | float)
    try:
        scaled = value * factor
        node.value = max(1, int(scaled)) if isinstance(value, int) else float(f"{scaled:.6g}")
    except OverflowError:  # an integer beyond all floats
        pass
    return ast.unparse(changed)
