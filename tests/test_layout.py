"""The layout is the architecture: who may import whom, and that every folder is packaged."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "search": set(),
    "proxies": {"search"},
    "baselines": {"search"},
    "agents": {"search"},
    "figures": {"search"},
    "experiments": {"search", "proxies", "baselines", "agents", "figures"},
}

# Folders that must not even name these packages (DESIGN: search and figures stay light).
BANNED = {"search": {"torch", "hydra", "omegaconf"}, "figures": {"torch", "hydra", "omegaconf"}}

# What takes longer than a `--help` may take to import; only inside functions on the way to it.
HEAVY = {"torch", "botorch", "gpytorch", "optuna", "nevergrad", "transformers", "seaborn", "pandas"}


def imports(file: Path) -> set[str]:
    """Absolute names that a file imports anywhere, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names.add(node.module or "")
    return names


def ours(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("nasarena.")}


def faults(file: Path, folder: str) -> list[str]:
    names = imports(file)
    wrong_way = ours(names) - ALLOWED[folder] - {folder}
    banned = {name.split(".")[0] for name in names} & BANNED.get(folder, set())
    bare = {name.split(".")[0] for name in names} & set(ALLOWED)
    return [f"{file.name}: {name}" for name in sorted(wrong_way | banned | bare)]


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_point_the_allowed_way(folder: str) -> None:
    assert [fault for file in (ROOT / folder).rglob("*.py") for fault in faults(file, folder)] == []


def test_the_check_itself_sees_a_wrong_way_import(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "def f():\n    from nasarena.proxies.cache import CachedProxy\n    import torch\n"
    )
    assert faults(planted, "search") == ["planted.py: proxies", "planted.py: torch"]
    assert faults(planted, "experiments") == []


def test_every_folder_with_code_is_packaged() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    on_disk = {
        ".".join(["nasarena", *file.parent.relative_to(ROOT).parts])
        for folder in ALLOWED
        for file in (ROOT / folder).rglob("*.py")
    }
    assert on_disk == set(setuptools["packages"])
    assert {
        name.replace(".", "/", 1).split("/", 1)[1].replace(".", "/") for name in on_disk
    } == set(setuptools["package-dir"].values())


def test_no_module_has_the_name_of_a_standard_one() -> None:
    import sys

    names = {file.stem for folder in ALLOWED for file in (ROOT / folder).rglob("*.py")}
    assert names & set(sys.stdlib_module_names) == set()


def test_the_way_to_help_imports_nothing_heavy() -> None:
    """Module-level imports of the command line and of everything it pulls in."""
    pending, seen = {"nasarena.experiments.cli"}, set[str]()
    while pending:
        module = pending.pop()
        seen.add(module)
        file = ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py")
        if not file.exists():
            continue
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {node.module or ""}
            else:
                continue
            assert not {name.split(".")[0] for name in names} & HEAVY, f"{file}: {names}"
            pending |= {name for name in names if name.startswith("nasarena.")} - seen
    assert "nasarena.search.errors" in seen
