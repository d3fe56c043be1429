"""Draw faults at random: lines that are executed, each changed by a fixed table of operators.

    python tests/draw_mutants.py SEED COUNT [SKIP]

prints entries for tests/mutants.toml in the order in which they were drawn. Every line of the
folders below that some operator can change is equally likely; of several changes to a line one is
drawn. What is left to a person: which tests must fail, and whether a change changes anything.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
FOLDERS = (
    "search proxies agents baselines experiments/comparison experiments/execution "
    "experiments/settings figures/results figures/stats figures/report"
).split()
COMPARISONS = {
    "==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">",
    "is not": "is", "is": "is not", "not in": "in", "in": "not in",
}  # fmt: skip
FLIPPED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class Change:
    """Characters `start` to `stop` of a file become `text`."""

    operator: str
    start: int
    stop: int
    text: str


class Sites(ast.NodeVisitor):
    """Every change that the table allows in one file, by line."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self.changes: dict[int, list[Change]] = {}
        self.visit(ast.parse(source))

    def _offset(self, line: int, column: int) -> int:
        text = self._source[self._starts[line - 1] : self._starts[line]]
        return self._starts[line - 1] + len(text.encode()[:column].decode())

    def _add(self, operator: str, start: int, stop: int, text: str) -> None:
        line = self._source.count("\n", 0, start) + 1
        self.changes.setdefault(line, []).append(Change(operator, start, stop, text))

    def _between(self, left: ast.expr, right: ast.expr) -> tuple[int, int]:
        assert left.end_lineno is not None and left.end_col_offset is not None
        start = self._offset(left.end_lineno, left.end_col_offset)
        return start, self._offset(right.lineno, right.col_offset)

    def _swap(self, operator: str, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        start, stop = self._between(left, right)
        place = self._source.find(old, start, stop)
        if place >= 0:
            self._add(operator, place, place + len(old), new)

    def visit_Compare(self, node: ast.Compare) -> None:
        left = node.left
        for right in node.comparators:
            start, stop = self._between(left, right)
            found = [sign for sign in COMPARISONS if sign in self._source[start:stop]]
            sign = max(found, key=len)
            self._swap("comparison", left, right, sign, COMPARISONS[sign])
            if sign in FLIPPED:
                self._swap("comparison flipped", left, right, sign, FLIPPED[sign])
            left = right
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        texts = (ast.JoinedStr, ast.List, ast.Tuple)
        is_text = any(
            isinstance(part, texts)
            or (isinstance(part, ast.Constant) and isinstance(part.value, str))
            for part in (node.left, node.right)
        )
        if isinstance(node.op, ast.Add | ast.Sub) and not is_text:  # a text minus one is a crash
            signs = ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")
            self._swap("arithmetic", node.left, node.right, *signs)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._swap("and, or", left, right, *words)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            start = self._offset(node.lineno, node.col_offset)
            self._add("not removed", start, start + len("not "), "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        assert node.end_lineno is not None and node.end_col_offset is not None
        start = self._offset(node.lineno, node.col_offset)
        stop = self._offset(node.end_lineno, node.end_col_offset)
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            self._add("constant + 1", start, stop, f"({node.value!r} + 1)")

    def visit_If(self, node: ast.If) -> None:
        (first, *others) = node.body
        if not others and not node.orelse and isinstance(first, ast.Return | ast.Raise):
            start = self._offset(first.lineno, first.col_offset)
            assert first.end_lineno is not None and first.end_col_offset is not None
            self._add("guard", start, self._offset(first.end_lineno, first.end_col_offset), "pass")
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Not looked into: words, whose places are not known in every Python."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:  # the annotation is not looked into
            self._visit_default(node.value)

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in (*node.defaults, *node.kw_defaults):
            if default is not None:
                self._visit_default(default)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for child in (*node.decorator_list, node.args, *node.body):
            self.visit(child)

    def _visit_default(self, node: ast.expr) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            start = self._offset(node.lineno, node.col_offset)
            self._add("default", start, start + len(str(node.value)), str(not node.value))
        self.visit(node)


def unique_text(source: str, change: Change) -> tuple[str, str]:
    """As few whole lines around a change as stand once in the file, and what they become."""
    first = source.rfind("\n", 0, change.start) + 1
    last = source.find("\n", change.stop)
    first += len(source[first:last]) - len(source[first:last].lstrip())
    while source.count(source[first:last]) > 1:
        first = source.rfind("\n", 0, first - 1) + 1
    new = source[first : change.start] + change.text + source[change.stop : last]
    return source[first:last], new


def draw(seed: int, root: Path = ROOT) -> Iterator[tuple[str, int, str, str, str]]:
    """File, line, operator, old text and new text of one fault after the other."""
    files = sorted(
        file
        for folder in FOLDERS
        for file in (root / folder).rglob("*.py")
        if file.name != "__init__.py"
    )
    sources = {file: file.read_text() for file in files}
    changes = {file: Sites(source).changes for file, source in sources.items()}
    places = [(file, line) for file in files for line in sorted(changes[file])]
    rng = np.random.default_rng(seed)
    for index in rng.permutation(len(places)):
        file, line = places[index]
        options = changes[file][line]
        change = options[rng.integers(len(options))]
        yield (
            str(file.relative_to(root)),
            line,
            change.operator,
            *unique_text(sources[file], change),
        )


def main() -> None:
    seed, count, *skip = map(int, sys.argv[1:])
    for number, (file, line, operator, old, new) in enumerate(draw(seed), 1):
        if number > (skip[0] if skip else 0) + count:
            break
        if number > (skip[0] if skip else 0):
            print(f"[[mutant]]  # line {line}\nname = 'sample {number}: {operator}'")
            print(f"origin = 'sample'\nfile = '{file}'")
            print(f"old = '''{old}'''\nnew = '''{new}'''\ntests = []\n")


if __name__ == "__main__":
    main()
