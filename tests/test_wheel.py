"""A wheel built from the repository runs elsewhere, without the repository."""

import os
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command run without anything of this shell's Python."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and sees our dependencies, but not the checkout."""
    folder = tmp_path_factory.mktemp("elsewhere")
    source = folder / "source"
    # From what git would ship: the working tree without build leftovers.
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, files.split("\0")):
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    run(*build, "-w", folder / "dist", source, cwd=folder)
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    site = Path(
        run(
            python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
        ).strip()
    )
    # A path line in a .pth file adds the folder but not the editable install's own .pth in it.
    packages = [folder for folder in sys.path if folder.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(packages) + "\n")
    # As if the optimizers' libraries were not there: nothing below stands on them.
    for name in ("optuna", "nevergrad", "botorch", "gpytorch", "smac"):
        (site / f"{name}.py").write_text(f"raise ModuleNotFoundError({name!r})\n")
    (wheel,) = (folder / "dist").glob("nasarena-*.whl")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps"]
    run(*install, "--no-index", "--force-reinstall", wheel, cwd=folder)
    return folder


def test_the_wheel_is_a_package_with_a_version(elsewhere: Path) -> None:
    python = elsewhere / "env" / "bin" / "python"
    code = "import nasarena; print(nasarena.__version__, nasarena.__file__)"
    number, file = run(python, "-c", code, cwd=elsewhere).split()
    assert number == version("nasarena") and str(elsewhere / "env") in file


def test_the_wheel_runs_a_comparison_away_from_the_repository(elsewhere: Path) -> None:
    nasarena = elsewhere / "env" / "bin" / "nasarena"
    where = run(
        elsewhere / "env" / "bin" / "python",
        "-c",
        "import nasarena.experiments.commands.cli as cli; print(cli.__file__)",
        cwd=elsewhere,
    )
    assert str(elsewhere / "env") in where
    run(
        nasarena,
        "compare",
        "name=wheel",
        "proxy=additive",
        "searchers=[random,evolution]",
        "seeds=2",
        "budget.unit=trials",
        "budget.amount=8",
        cwd=elsewhere,
    )
    evaluate = ["evaluate", "2A5M2A3M1A3M", "proxy=patternbench"]
    assert "-2." in run(nasarena, *evaluate, cwd=elsewhere)
    written = {path.name for path in (elsewhere / "runs" / "wheel").iterdir()}
    assert {"table.csv", "report.md", "report.html", "figures"} <= written


def test_a_type_checker_sees_the_types_of_the_installed_wheel(elsewhere: Path) -> None:
    script = elsewhere / "user.py"
    script.write_text(
        "import nasarena\n"
        "from nasarena.search.space import PatternSpace\n\n"
        "reveal_type(PatternSpace('AMS', 16).size)\n"
        "result = nasarena.compare(['random'], proxy='additive', seeds=2)\n"
        "reveal_type(result.verdict)\n"
        "reveal_type(nasarena.run('tpe').best)\n"
    )
    python = elsewhere / "env" / "bin" / "python"
    # The libraries below it are not asked about here, and would take a minute.
    libraries = (
        *("torch", "matplotlib", "scipy", "numpy", "rich", "hydra", "omegaconf", "pydantic"),
        *("pandas", "httpx", "jinja2", "tokenizers", "transformers", "safetensors"),
    )
    skipped = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\n" for name in libraries)
    (elsewhere / "mypy.ini").write_text(f"[mypy]\nstrict = true\n{skipped}")
    options = ["--python-executable", python, "--cache-dir", elsewhere / "mypy"]
    said = run(sys.executable, "-m", "mypy", *options, script, cwd=elsewhere)
    assert 'Revealed type is "int"' in said
    assert 'Revealed type is "list[str]"' in said
    assert 'Revealed type is "tuple[str, float, fallback=nasarena.outcome.Best] | None"' in said
    wrong = elsewhere / "wrong.py"
    wrong.write_text("import nasarena\n\nnasarena.compare(['random'], seeds='many')\n")
    with pytest.raises(AssertionError, match='"seeds" .* has incompatible type "str"'):
        run(sys.executable, "-m", "mypy", *options, wrong, cwd=elsewhere)


def test_the_wheel_carries_its_licences_and_a_marker_of_types(elsewhere: Path) -> None:
    (wheel,) = (elsewhere / "dist").glob("nasarena-*.whl")
    names = set(ZipFile(wheel).namelist())
    licences = {name.split("/licenses/")[1] for name in names if "/licenses/" in name}
    assert licences == {
        *("LICENSE", "proxies/data/shipped_text.LICENSE", "figures/fonts/sans.LICENSE"),
    }
    assert "nasarena/agents/llm/vllm_env.sh" in names
    assert "nasarena/figures/fonts/sans-oblique.ttf" in names
    assert "nasarena/py.typed" in names  # of the package, so of all that lies in it
