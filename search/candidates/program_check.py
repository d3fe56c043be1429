"""Whether a text is a program that a task accepts: it parses, imports what is allowed, and has the
functions that the task calls.

This is a check of form. It keeps a search from paying for what cannot work, and says what is wrong
in a line; what a program does when it runs is for the sandbox to bound.
"""

import ast
from dataclasses import dataclass

from nasarena.search.candidates.syntax_tree import parse_program
from nasarena.search.errors import InvalidPattern

# Names that reach around the program's own text, and modules that start or load others.
FORBIDDEN_NAMES = frozenset(
    {"open", "eval", "exec", "compile", "input", "breakpoint", "globals", "locals", "vars",
     "__import__", "__builtins__", "__loader__", "__spec__"}
)  # fmt: skip
FORBIDDEN_MODULES = (
    "torch.hub", "torch.distributed", "torch.multiprocessing", "torch.utils.cpp_extension",
    "torch.package", "torch.serialization",
)  # fmt: skip
_ALLOWED_DUNDERS = frozenset({"__init__", "__name__", "__class__", "__call__", "__len__"})


@dataclass(frozen=True, slots=True)
class Interface:
    """`functions`: names that must be defined at top level, each with its first parameters.

    `imports`: packages that may be imported. `most_characters` and `most_nodes` bound the size.
    """

    functions: tuple[tuple[str, tuple[str, ...]], ...]
    imports: tuple[str, ...]
    most_characters: int = 60_000
    most_nodes: int = 20_000


def check_program(source: object, interface: Interface) -> str:
    """`source` itself. Raises InvalidPattern, which says what is wrong."""
    if not isinstance(source, str):
        raise InvalidPattern(f"a program must be text, got {type(source).__name__}")
    if len(source) > interface.most_characters:
        raise InvalidPattern(
            f"a program has at most {interface.most_characters} characters, got {len(source)}"
        )
    if not source.isprintable() and any(ord(c) < 32 and c not in "\n\t\r\f" for c in source):
        raise InvalidPattern("a program must be plain text, got control characters")
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise InvalidPattern("a program must be text that UTF-8 can hold") from error
    tree = parse_program(source)
    nodes = list(ast.walk(tree))
    if len(nodes) > interface.most_nodes:
        raise InvalidPattern(
            f"a program has at most {interface.most_nodes} nodes, got {len(nodes)}"
        )
    for node in nodes:
        _refuse_imports(node, interface)
        _refuse_names(node)
    for name, parameters in interface.functions:
        _require_function(tree, name, parameters)
    return source


def _refuse_imports(node: ast.AST, interface: Interface) -> None:
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        if node.level:
            raise InvalidPattern(f"line {node.lineno}: a program has no package to import from")
        modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        return
    for module in modules:
        if module.partition(".")[0] not in interface.imports:
            raise InvalidPattern(
                f"line {node.lineno}: import of {module[:40]!r}; a program may import "
                f"{', '.join(interface.imports)}"
            )
        if _is_forbidden(module):
            raise InvalidPattern(f"line {node.lineno}: import of {module[:40]!r} is not allowed")


def _is_forbidden(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in FORBIDDEN_MODULES)


def _refuse_names(node: ast.AST) -> None:
    if isinstance(node, ast.Name) and node.id in FORBIDDEN_NAMES:
        raise InvalidPattern(f"line {node.lineno}: {node.id} is not allowed in a program")
    if isinstance(node, ast.Attribute):
        dunder = node.attr.startswith("__") and node.attr.endswith("__")
        if dunder and node.attr not in _ALLOWED_DUNDERS:
            raise InvalidPattern(f"line {node.lineno}: .{node.attr[:40]} is not allowed")
        if _is_forbidden(ast.unparse(node)):
            raise InvalidPattern(f"line {node.lineno}: {ast.unparse(node)[:40]} is not allowed")


def _require_function(tree: ast.Module, name: str, parameters: tuple[str, ...]) -> None:
    wanted = f"def {name}({', '.join(parameters)})"
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
    if not found:
        raise InvalidPattern(f"the program must define {wanted} at top level")
    arguments = found[-1].args
    plain = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    missing_defaults = len(plain) - len(arguments.defaults)
    keyword_only = [d for d in arguments.kw_defaults if d is None]
    if plain[: len(parameters)] != list(parameters) or (
        missing_defaults > len(parameters) or keyword_only
    ):
        raise InvalidPattern(f"the program must define {wanted}, got {', '.join(plain)[:60]}")
