"""Wheel and sdist, built, installed under each Python and tried; with a bill of materials.

    python -m nasarena.experiments.release.distribution [PYTHON...] [--out=dist]

Everything lands in `dist/`: both files, their hashes and `sbom.cdx.json` (CycloneDX, of the first
environment). A Python is a command such as python3.12; this one by default. The environments are
temporary, and see neither the checkout nor this environment.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What a newcomer does first, away from the repository; the words that have to be in the answer.
TRIALS: Sequence[tuple[Sequence[str], str]] = (
    (["nasarena", "--version"], "."),
    (["python", "-c", "import nasarena; print(nasarena.__all__)"], "compare"),
    (
        ["nasarena", "compare", "name=tried", "proxy=additive", "searchers=[random,evolution]",
         "seeds=2", "budget.unit=trials", "budget.amount=8", "workers=1"],
        "report.html",
    ),
    (["nasarena", "export", "runs/tried", "to=csv"], "runs for csv"),
    (["nasarena", "evaluate", "2A5M2A3M1A3M", "proxy=patternbench"], "-"),
)  # fmt: skip


def run(command: Sequence[str | Path], cwd: Path) -> str:
    """What a command prints, without this shell's Python. Raises RuntimeError where it fails."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def build(out: Path) -> list[Path]:
    """Wheel and sdist of the files that git knows, in `out`; the wheel is made from the sdist, so
    that it holds nothing that the sdist does not."""
    out.mkdir(parents=True, exist_ok=True)
    for old in [*out.glob("nasarena-*"), *out.glob("*.cdx.json")]:
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        for name in filter(None, run(["git", "ls-files", "-z"], ROOT).split("\0")):
            if (ROOT / name).exists():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).write_bytes((ROOT / name).read_bytes())
        run([sys.executable, "-m", "build", "--outdir", out.resolve(), source], ROOT)
    return sorted(out.glob("nasarena-*"))


def pairs(pythons: Sequence[str], files: Sequence[Path]) -> list[tuple[str, Path]]:
    """What is tried under which Python: all under the first, under the others wheels alone, for an
    sdist is built the same everywhere."""
    wheels = [file for file in files if file.suffix == ".whl"]
    return [(pythons[0], file) for file in files] + [
        (python, file) for python in pythons[1:] for file in wheels
    ]


def install(python: str, distribution: Path, folder: Path) -> Path:
    """A fresh environment with a distribution and all it needs; its bin folder."""
    run([python, "-m", "venv", folder / "env"], folder)
    own = folder / "env" / "bin"
    run([own / "python", "-m", "pip", "install", "-q", distribution.resolve()], folder)
    run([own / "python", "-m", "pip", "check"], folder)
    return own


def try_out(own: Path, folder: Path) -> Iterator[str]:
    """Do what a newcomer does, one by one. Raises RuntimeError for a wrong answer."""
    for words, expected in TRIALS:
        said = run([own / words[0], *words[1:]], folder)
        if expected not in said:
            raise RuntimeError(f"{' '.join(words)} must say {expected!r}, said:\n{said[-2000:]}")
        yield " ".join(words[:3])


def write_sbom(own: Path, file: Path) -> int:
    """The packages of an environment as CycloneDX; how many there are."""
    command: list[str | Path] = [sys.executable, "-m", "cyclonedx_py", "environment"]
    command += [own / "python", "--output-reproducible", "--of", "JSON"]
    file.write_text(run(command, ROOT))
    return len(json.loads(file.read_text())["components"])


def main(arguments: Sequence[str]) -> int:
    """0; a RuntimeError names the command that failed, and what it said."""
    given = [word for word in arguments if word.startswith("--out=")]
    out = Path(given[-1].partition("=")[2]) if given else ROOT / "dist"
    pythons = [word for word in arguments if not word.startswith("--")] or [sys.executable]
    files = build(out)
    for python, file in pairs(pythons, files):
        with tempfile.TemporaryDirectory() as folder:
            own = install(python, file, Path(folder))
            for done in try_out(own, Path(folder)):
                print(f"{python}, {file.name}: {done}")
            if python == pythons[0] and file.suffix == ".whl":
                print(f"{write_sbom(own, out / 'sbom.cdx.json')} packages in sbom.cdx.json")
    hashes = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in files]
    (out / "SHA256SUMS").write_text("\n".join(hashes) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
