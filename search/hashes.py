"""Hashes that name a condition: the values of a configuration, and the code behind a result.

Code is hashed as what it does: its syntax tree without docstrings, comments and import lines, so
that a comment or a file that moves is not a new condition. Nobody lists the modules that a result
depends on: they are found by following the imports.
"""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_IMPORTS = (ast.Import, ast.ImportFrom)


def config_hash(config: Mapping[str, Any]) -> str:
    """Hash of a configuration of plain values, whatever the order of its keys."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_hash(*modules: str) -> str:
    """Hash of the code of `modules` and of every module of ours that they import.

    Imports inside functions count. The hash is the same wherever the files lie, and on every
    version of Python that parses them alike.
    """
    digests = sorted(_file_hash(_source(name)) for name in reachable_modules(*modules))
    return hashlib.blake2b("".join(digests).encode(), digest_size=8).hexdigest()


def reachable_modules(*modules: str) -> set[str]:
    """`modules` and all modules of their top packages that they import, directly or not."""
    packages = frozenset(name.partition(".")[0] for name in modules)
    pending, seen = list(modules), set[str]()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += _imports(_source(name), packages)
    return seen


@cache
def _imports(file: Path, packages: frozenset[str]) -> frozenset[str]:
    """Modules of `packages` that a file imports; `from package import module` names the module."""
    names: set[str] = set()
    for node in ast.walk(_parse(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(name for name in names if name.partition(".")[0] in packages and _exists(name))


@cache
def _exists(name: str) -> bool:
    """Whether `name` is a module with a source file, and not a class or function of one."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and (spec.origin or "").endswith(".py")


def _source(name: str) -> Path:
    """The file of a module, imported or not."""
    module = sys.modules.get(name)
    found = getattr(module, "__file__", None)
    if found is None:
        spec = find_spec(name)
        found = spec.origin if spec else None
    if found is None:
        raise ImportError(f"module {name} has no source file to hash")
    return Path(found)


@cache
def _file_hash(file: Path) -> str:
    text = "\n".join(_lines(_parse(file)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_bytes(), filename=str(file))


def _lines(node: object) -> Iterator[str]:
    """The tree as text. Empty fields are left out: newer versions of Python add such fields."""
    if isinstance(node, list):
        yield "["
        for item in node:
            if not isinstance(item, _IMPORTS) and not _is_bare_string(item):
                yield from _lines(item)
        yield "]"
    elif isinstance(node, ast.AST):
        yield type(node).__name__
        for name, value in ast.iter_fields(node):
            if value is not None and value != []:
                yield name
                yield from _lines(value)
    else:
        yield repr(node)


def _is_bare_string(node: object) -> bool:
    """A docstring, or a string that stands alone to describe the line above."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
