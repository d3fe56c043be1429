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
    "api": {"search", "figures", "experiments"},  # `nasarena` itself; nobody imports it
}

# Within a folder: which sub-folders a sub-folder may import, itself aside. `.` are the folder's own
# files: they may import all of its sub-folders, and no sub-folder imports them.
INNER = {
    "search": {"untrusted": set(), "models": {"."}, "candidates": {"."}},
    "proxies": {
        "scaled": {"training", "native", "models", "data"},
        "training": {"native", "mad", "models", "data"},
        "native": {"models", "data"},
        "mad": {"models", "data"},
        "models": set(),
        "data": set(),
        "autoresearch": {"data", "programs"},
        "lra": {"programs"},
        "patternbench": set(),
        "programs": {"sandbox"},
        "sandbox": set(),
    },
    "baselines": {"libraries": {"."}, "edits": {".", "libraries"}, "sequence_gp": {"."}},
    "agents": {
        "hybrids": {
            ".",
            "operators",
            "languages",
            "policies",
            "scribe",
            "surrogates",
            "context",
            "llm",
        },
        "operators": {"languages", "context", "llm"},
        "languages": {"context", "llm"},
        "scribe": {"operators", "languages", "surrogates", "context", "llm"},
        "surrogates": set(),
        "context": {"llm"},
        "models": {"llm"},
        "literature": set(),
        "llm": set(),
        "policies": set(),
    },
    "experiments": {
        "measure": {
            "commands",
            "comparison",
            "audit",
            "design",
            "scaling",
            "patternbench",
            "execution",
            "settings",
        },
        "benchmarks": {"commands", "comparison", "execution", "settings"},
        "browse": {"execution", "settings"},
        "exchange": {"execution", "settings"},
        "live": {"comparison", "exchange", "execution", "settings"},
        "release": {"comparison", "execution", "settings"},
        "commands": {
            "comparison",
            "exchange",
            "live",
            "audit",
            "grid",
            "scaling",
            "patternbench",
            "execution",
            "settings",
        },
        "design": {"commands", "comparison", "execution", "settings"},
        "grid": {"scaling", "execution", "settings"},
        "scaling": {"execution", "settings"},
        "comparison": {"execution", "settings"},
        "audit": {"execution", "settings"},
        "patternbench": {"audit", "execution", "settings"},
        "execution": {"settings"},
        "settings": set(),
    },
    "figures": {
        "report": {"plots", "results", "stats"},
        "audit": {"plots", "results", "stats"},
        "browse": {"report"},
        "plots": {"results", "stats", "fonts"},
        "results": {"stats"},
        "stats": set(),
        "fonts": set(),
        "suite": {"report", "plots", "results", "stats"},
        "scaling": {"report", "plots", "results", "stats"},
    },
}
# `searchers.py` alone gathers the hybrids, which stand on the other files of `agents`.
GATHERS_HYBRIDS = {"searchers"}

# Folders that must not even name these packages (DESIGN: search and figures stay light).
BANNED = {"search": {"torch", "hydra", "omegaconf"}, "figures": {"torch", "hydra", "omegaconf"}}

# What takes longer than a `--help` may take to import; only inside functions on the way to it.
HEAVY = {
    "torch",
    "botorch",
    "gpytorch",
    "optuna",
    "nevergrad",
    "smac",
    "transformers",
    "seaborn",
    "pandas",
}


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
    """The root folders that these modules lie in."""
    return {folder_of(name) for name in names if name.partition(".")[0] == "nasarena"}


def folder_of(module: str) -> str:
    """`api` is the package `nasarena` itself, so its files stand beside the other folders."""
    second = module.split(".")[1] if "." in module else ""
    return second if second in ALLOWED else "api"


def module_of(file: Path) -> str:
    folder, *inside = file.relative_to(ROOT).with_suffix("").parts
    parts = inside if folder == "api" else [folder, *inside]
    return ".".join(["nasarena", *(part for part in parts if part != "__init__")])


def file_of(module: str) -> Path:
    """The file of a module of ours, whether it is a file or a folder."""
    inside = module.split(".")[1:]
    path = ROOT.joinpath(*(inside if folder_of(module) != "api" else ["api", *inside]))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def faults(file: Path, folder: str) -> list[str]:
    names = imports(file)
    wrong_way = ours(names) - ALLOWED[folder] - {folder}
    banned = {name.split(".")[0] for name in names} & BANNED.get(folder, set())
    bare = {name.split(".")[0] for name in names} & set(ALLOWED)
    return [f"{file.name}: {name}" for name in sorted(wrong_way | banned | bare)]


def inner_faults(file: Path, folder: str, room: str) -> list[str]:
    """What a file in the sub-folder `room` of `folder` (`.`: on top) imports against INNER."""
    rooms = INNER.get(folder, {})
    allowed = {*rooms, "."} if room == "." else {*rooms[room], room}
    if folder == "agents" and room == "." and file.stem not in GATHERS_HYBRIDS:
        allowed -= {"hybrids"}
    wrong = set()
    for name in imports(file):
        parts = name.split(".")
        if parts[:2] == ["nasarena", folder] and len(parts) > 2:
            other = parts[2] if parts[2] in rooms else "."
            if other not in allowed:
                wrong.add(name.removeprefix(f"nasarena.{folder}."))
    return [f"{file.name}: {name}" for name in sorted(wrong)]


def room_of(file: Path, folder: str) -> str:
    inside = file.relative_to(ROOT / folder).parts
    return inside[0] if len(inside) > 1 else "."


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_point_the_allowed_way(folder: str) -> None:
    assert [fault for file in (ROOT / folder).rglob("*.py") for fault in faults(file, folder)] == []


@pytest.mark.parametrize("folder", INNER)
def test_imports_between_sub_folders_point_the_allowed_way(folder: str) -> None:
    found = [
        fault
        for file in (ROOT / folder).rglob("*.py")
        for fault in inner_faults(file, folder, room_of(file, folder))
    ]
    assert found == []


@pytest.mark.parametrize("folder", INNER)
def test_every_sub_folder_with_code_has_a_rule(folder: str) -> None:
    rooms = {room_of(file, folder) for file in (ROOT / folder).rglob("*.py")} - {"."}
    assert rooms == set(INNER[folder])


@pytest.mark.parametrize(
    ("folder", "room", "module"),
    [
        (folder, room, other)
        for folder, rooms in INNER.items()
        for room in rooms
        for other in [*rooms, "trained"]
        if other != room and (other if other in rooms else ".") not in rooms[room]
    ],
)
def test_the_check_sees_a_wrong_import_planted_in_each_room(
    folder: str, room: str, module: str, tmp_path: Path
) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(f"def f():\n    from nasarena.{folder}.{module} import thing\n")
    assert inner_faults(planted, folder, room) == [f"planted.py: {module}"]


def test_the_rule_between_sub_folders_has_no_circle() -> None:
    for folder, rooms in INNER.items():
        left = {room: others - {"."} for room, others in rooms.items()}
        while left:
            lowest = {room for room, others in left.items() if not others & set(left)}
            assert lowest, f"{folder}: {sorted(left)} import each other"
            left = {room: others for room, others in left.items() if room not in lowest}


def module_graph() -> dict[str, set[str]]:
    """Which module of ours imports which when it is imported, functions aside."""
    graph: dict[str, set[str]] = {}
    for file in (file for folder in ALLOWED for file in (ROOT / folder).rglob("*.py")):
        name = module_of(file)
        graph[name] = {other for other in imports(file) if other.startswith("nasarena.")}
    return graph


def test_no_two_files_import_each_other_even_by_way_of_others() -> None:
    left = module_graph()
    while left:
        free = {name for name, others in left.items() if not others & (set(left) - {name})}
        assert free, f"a circle of imports among {sorted(left)}"
        left = {name: others for name, others in left.items() if name not in free}


def test_no_folder_holds_more_than_twenty_code_files() -> None:
    counts: dict[Path, int] = {}
    for folder in ALLOWED:
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".py", ".h", ".cpp", ".js") and file.name != "__init__.py":
                counts[file.parent] = counts.get(file.parent, 0) + 1
    assert {str(path): count for path, count in counts.items() if count > 20} == {}


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
        module_of(file.parent / "__init__.py"): str(file.parent.relative_to(ROOT))
        for folder in ALLOWED
        for file in (ROOT / folder).rglob("*.py")
    }
    assert set(on_disk) == set(setuptools["packages"])
    assert on_disk == setuptools["package-dir"]


def test_no_module_has_the_name_of_a_standard_one() -> None:
    import sys

    names = {file.stem for folder in ALLOWED for file in (ROOT / folder).rglob("*.py")}
    assert names & set(sys.stdlib_module_names) == set()


def test_the_way_to_help_imports_nothing_heavy() -> None:
    """Module-level imports of `nasarena`, the command line and everything they pull in."""
    pending, seen = {"nasarena", "nasarena.experiments.commands.cli"}, set[str]()
    while pending:
        module = pending.pop()
        seen.add(module)
        file = file_of(module)
        assert file.exists(), module
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
