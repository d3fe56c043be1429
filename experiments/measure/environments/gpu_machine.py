"""An environment for the GPU check from an interpreter that nobody may change.

A GPU machine often has a torch of its own and no network. This makes a small environment that sees
all packages of that interpreter and these sources, adds what is missing from a folder of wheels,
and says in one list what is missing still. It runs under that interpreter, before anything of ours
can be imported, so it needs nothing but Python 3.11 and pip.

    python experiments/measure/environments/gpu_machine.py FOLDER [WHEELS]
"""

import os
import site
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

try:
    from packaging.requirements import Requirement
except ImportError:  # pip, which has to be there, brings its own
    from pip._vendor.packaging.requirements import Requirement  # type: ignore[assignment]

ROOT = Path(__file__).parents[3]
_FROM_EXTRAS = ("transformers",)  # the baseline of the speed
_LIST = "--list"


def needed(project: Path = ROOT / "pyproject.toml") -> list[str]:
    """Requirements of the check: those of the project, and of its baseline."""
    described = tomllib.loads(project.read_text())["project"]
    extras = [word for words in described["optional-dependencies"].values() for word in words]
    return [
        *described["dependencies"],
        *(word for word in extras if Requirement(word).name in _FROM_EXTRAS),
    ]


def missing(requirements: Sequence[str]) -> list[str]:
    """Those that this interpreter does not meet, and so on for what the others require."""
    found: dict[str, str] = {}
    waiting, seen = list(requirements), set[str]()
    while waiting:
        text = waiting.pop(0)
        requirement = Requirement(text)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if text in seen or not applies:
            continue
        seen.add(text)
        if _is_met(requirement):
            waiting += distribution(requirement.name).requires or []
        else:
            found.setdefault(requirement.name, f"{requirement.name}{requirement.specifier}")
    return sorted(found.values())


def _is_met(requirement: Requirement) -> bool:
    try:
        version = distribution(requirement.name).version
    except PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def make_environment(folder: Path, links: Path) -> Path:
    """An interpreter in `folder` that sees this one's packages, and `links` before them."""
    venv.create(folder, with_pip=False, clear=True)
    python = folder / "bin" / "python"
    paths = [str(links.resolve()), *(path for path in _package_folders() if Path(path).is_dir())]
    inside = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (inside / "borrowed.pth").write_text("\n".join(paths) + "\n")
    return python


def _package_folders() -> Iterator[str]:
    yield from (path for path in sys.path if Path(path).name in ("site-packages", "dist-packages"))
    yield from site.getsitepackages()
    yield site.getusersitepackages()


def main() -> int:
    """0 where nothing is missing in the end, else 2 after the list of what is."""
    if sys.argv[1:] == [_LIST]:
        print("\n".join(missing(needed())))
        return 0
    python = make_environment(Path(sys.argv[1]), ROOT / ".typecheck")
    lacking = _ask(python)
    wheels = sys.argv[2] if len(sys.argv) > 2 else ""
    print(f"missing in {sys.executable}: {', '.join(lacking) or 'nothing'}", flush=True)
    if lacking and wheels:
        install = [
            sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet",
            "--disable-pip-version-check", "--no-index", "--find-links", wheels, *lacking,
        ]  # fmt: skip
        subprocess.run(install, check=False, env=os.environ | {"PIP_CONFIG_FILE": os.devnull})
        lacking = _ask(python)
        print(f"missing with the wheels of {wheels}: {', '.join(lacking) or 'nothing'}")
    if lacking and not wheels:
        print("give a folder of their wheels: make gpu-check PYTHON=... WHEELS=folder")
    return 2 if lacking else 0


def _ask(python: Path) -> list[str]:
    """What is missing in an environment."""
    command = [str(python), __file__, _LIST]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.split()


if __name__ == "__main__":
    sys.exit(main())
