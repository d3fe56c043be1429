"""Whether the tests see a fault: known faults are planted one by one, and a test has to fail.

`tests/mutants.toml` lists them: a text that stands once in a file, what takes its place, and the
test files of which one must fail. All is done in a temporary copy of the tree, whose own code the
tests import. Code moves: a text that is no longer found ends the measurement, and so do tests that
fail before anything was planted. A fault that changes nothing that a program can do is listed with
the reason (`equivalent`), and is not run.

    python -m nasarena.experiments.measure.mutants [--save] [PART OF A NAME...]
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nasarena.experiments.measure.record import record
from nasarena.search.errors import NasArenaError

LIST = Path("tests/mutants.toml")
LONGEST_S = 900.0  # a fault may well make a loop endless, which somebody would notice
_NOT_COPIED = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "runs", "outputs")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault: `old` in `file` becomes `new`. `origin` says who chose it."""

    name: str
    origin: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()
    equivalent: str = ""


def measure(arguments: Sequence[str]) -> None:
    """Plant, print, and keep if asked to."""
    wanted = [word for word in arguments if not word.startswith("-")]
    mutants = [
        mutant
        for mutant in read_mutants(LIST)
        if not wanted or any(word in mutant.name for word in wanted)
    ]
    planted = [mutant for mutant in mutants if not mutant.equivalent]
    rows = []
    with copied_tree(Path.cwd()) as tree:
        check_tree(tree, planted)
        for mutant in planted:
            killer = plant(tree, mutant)
            rows.append(
                {"mutant": mutant.name, "origin": mutant.origin, "file": mutant.file}
                | {"killed": bool(killer), "by": killer}
            )
            print(f"{'killed' if killer else 'SURVIVES'}: {mutant.name}", flush=True)
    summary: dict[str, object] = {"equivalent": len(mutants) - len(planted)}
    for origin in dict.fromkeys(mutant.origin for mutant in planted):
        own = [row for row in rows if row["origin"] == origin]
        summary[origin] = len(own)
        summary[f"{origin}_survived"] = sum(not row["killed"] for row in own)
    record("mutants", rows, summary, argv=arguments)


def read_mutants(file: Path) -> list[Mutant]:
    """The list. Raises NasArenaError, in one line, for an entry that says too little."""
    entries = tomllib.loads(file.read_text())["mutant"]
    mutants = [Mutant(**{**entry, "tests": tuple(entry.get("tests", ()))}) for entry in entries]
    for mutant in mutants:
        if not mutant.tests and not mutant.equivalent:
            raise NasArenaError(f"{file}: {mutant.name!r} must name tests, or why it is equivalent")
    return mutants


@contextmanager
def copied_tree(root: Path) -> Iterator[Path]:
    """A copy of the sources below `root`, to be spoilt."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(root, tree, ignore=_NOT_COPIED)
        subprocess.run(["make", "--silent", ".typecheck"], cwd=tree, check=True)
        yield tree


def check_tree(tree: Path, mutants: Sequence[Mutant]) -> None:
    """Raises NasArenaError where a text is not found once, or a test fails with nothing planted."""
    for mutant in mutants:
        count = (tree / mutant.file).read_text().count(mutant.old)
        if count != 1:
            raise NasArenaError(
                f"mutant {mutant.name!r}: its text must stand once in {mutant.file}, it stands "
                f"there {count} times; bring {LIST} up to date"
            )
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    if failed := first_failure(tree, tests):
        raise NasArenaError(f"with nothing planted a test fails already: {failed}")


def plant(tree: Path, mutant: Mutant) -> str:
    """The first test that fails with this fault, "" where none does; the tree is as before."""
    file = tree / mutant.file
    whole = file.read_text()
    file.write_text(whole.replace(mutant.old, mutant.new))
    try:
        return first_failure(tree, mutant.tests)
    finally:
        file.write_text(whole)


def first_failure(tree: Path, tests: Sequence[str]) -> str:
    """The test that fails first, or "" if all pass. Raises NasArenaError where none can be run."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree / ".typecheck"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # bytecode is matched by time and size: a fault keeps both
    }
    try:
        done = subprocess.run(
            [*command, *tests],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        return f"no end within {LONGEST_S:g} s"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"a crash, signal {-done.returncode}"
    for line in done.stdout.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.split(" ", 2)[1]
    words = (done.stdout + done.stderr).strip().splitlines()
    raise NasArenaError(f"pytest ran no test of {' '.join(tests)}: {words[-1] if words else ''}")


if __name__ == "__main__":
    try:
        measure(sys.argv[1:])
    except NasArenaError as error:
        raise SystemExit(f"mutants: {error}") from None
