"""What a program is, apart from how it is written: its syntax tree without docstrings and comments,
local variables numbered in the order in which they appear.

Only names that are certain to be plain local variables are numbered: bound by an assignment, a loop
or `with` in a function or a comprehension, and by nothing else there. Parameters keep their names,
for callers may use them.
"""

import ast
import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import lru_cache

from nasarena.search.errors import InvalidPattern

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef)


def parse_program(source: str) -> ast.Module:
    """The tree of a program. Raises InvalidPattern for what does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        raise InvalidPattern(f"the program does not parse: {error.msg}, line {error.lineno}") from (
            error
        )
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise InvalidPattern(
            f"the program does not parse: {type(error).__name__}: {str(error)[:80]}"
        ) from error


@lru_cache(maxsize=1024)
def program_hash(source: str) -> str:
    """A hash that is equal for programs with the same normal form. Raises InvalidPattern."""
    text = "\n".join(node_labels(source))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@lru_cache(maxsize=256)
def node_labels(source: str) -> tuple[str, ...]:
    """The normal form as a sequence of labels in preorder, which determines the tree.

    Raises InvalidPattern for a program that does not parse, or is nested too deeply.
    """
    try:
        return tuple(_Labels().of(parse_program(source)))
    except RecursionError as error:
        raise InvalidPattern("the program is nested too deeply") from error


def tree_distance(first: str, second: str) -> int:
    """Labels to take out of the one tree and to put into it to get the other.

    The edit distance of preorders, found by longest matching parts; 0 exactly for equal trees. It
    stands in for the distance of trees, which takes minutes for programs of this length.
    """
    one, other = node_labels(first), node_labels(second)
    same = sum(
        block.size for block in SequenceMatcher(None, one, other, autojunk=False)
        .get_matching_blocks()
    )  # fmt: skip
    return len(one) + len(other) - 2 * same


@dataclass(slots=True)
class _Scope:
    """`bound`: names that are its own; `plain` of them are numbered when they first appear."""

    is_class: bool
    bound: set[str]
    plain: set[str]
    numbers: dict[str, str] = field(default_factory=dict)


class _Labels:
    """Walks a tree once, with the scopes that are open."""

    def __init__(self) -> None:
        self._scopes: list[_Scope] = []
        self._count = 0

    def of(self, node: object) -> Iterator[str]:
        """The labels of a node and of all below it."""
        if isinstance(node, list):
            yield "["
            for item in node:
                if not _is_bare_string(item):
                    yield from self.of(item)
            yield "]"
        elif isinstance(node, ast.Name):
            yield "Name"
            yield self._name(node.id)
        elif isinstance(node, _SCOPES):
            yield from self._of_scope(node)
        elif isinstance(node, ast.AST):
            yield type(node).__name__
            for name, value in ast.iter_fields(node):
                if value is not None and value != [] and name not in ("ctx", "type_ignores"):
                    yield f".{name}"
                    yield from self.of(value)
        else:
            yield f"{type(node).__name__} {node!r}"

    def _of_scope(self, node: ast.AST) -> Iterator[str]:
        """What is evaluated outside the new scope comes first: decorators, defaults, bases."""
        yield type(node).__name__
        inside = ("body", "generators", "elt", "key", "value")
        if isinstance(node, _COMPREHENSIONS):
            yield from self.of(node.generators[0].iter)
        for name, value in ast.iter_fields(node):
            if name not in inside and value is not None and value != []:
                yield f".{name}"
                yield from self.of(value)
        self._scopes.append(_scope_of(node))
        for name in inside[::-1] if isinstance(node, _COMPREHENSIONS) else inside:
            if hasattr(node, name):
                yield f".{name}"
                yield from self.of(getattr(node, name))
        self._scopes.pop()

    def _name(self, name: str) -> str:
        for place, scope in enumerate(reversed(self._scopes)):
            if name not in scope.bound or (scope.is_class and place > 0):
                continue
            if name in scope.plain and name not in scope.numbers:
                self._count += 1
                scope.numbers[name] = f"local {self._count}"
            return scope.numbers.get(name, name)
        return name


def _scope_of(node: ast.AST) -> _Scope:
    is_class = isinstance(node, ast.ClassDef)
    if isinstance(node, _COMPREHENSIONS):
        targets = {n.id for g in node.generators for n in ast.walk(g.target)
                   if isinstance(n, ast.Name)}  # fmt: skip
        return _Scope(False, targets, targets)
    stored, pinned = set[str](), set[str]()
    if isinstance(node, _FUNCTIONS):
        pinned = {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
    body = node.body if isinstance(node.body, list) else [node.body]  # type: ignore[attr-defined]
    for inner in _walk_scope(body):
        if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
            stored.add(inner.id)
        elif isinstance(inner, ast.NamedExpr):
            pinned.add(inner.target.id)
        else:
            pinned |= _other_bindings(inner)
    plain = set() if is_class else stored - pinned
    return _Scope(is_class, stored | pinned, plain)


def _walk_scope(body: list[ast.AST]) -> Iterator[ast.AST]:
    """Every node of a body that is not inside another function or class.

    Of comprehensions only what binds names in this scope: assignment expressions.
    """
    pending = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, _COMPREHENSIONS):
            yield from (n for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
            continue
        yield node
        if isinstance(node, _SCOPES):
            continue
        pending += ast.iter_child_nodes(node)


def _other_bindings(node: ast.AST) -> set[str]:
    """Names that a node binds, or declares, in any way but as a target."""
    names = {alias.asname or alias.name.partition(".")[0] for alias in getattr(node, "names", ())
             if isinstance(alias, ast.alias)}  # fmt: skip
    if isinstance(node, ast.Global | ast.Nonlocal):
        names |= set(node.names)
    own = getattr(node, "name", None)  # of functions, classes, handlers and captures
    rest = getattr(node, "rest", None)
    return names | {one for one in (own, rest) if isinstance(one, str)}


def _is_bare_string(node: object) -> bool:
    """A docstring, or a string that stands alone."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
