"""An environment from an interpreter that nobody may change: what is missing is said, and added."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from nasarena.experiments.measure.environments import gpu_machine
from nasarena.experiments.measure.environments.gpu_machine import make_environment, missing, needed

SCRIPT = gpu_machine.__file__


def wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """A package of one module that says its version."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        file.writestr(f"{info}/METADATA", metadata)
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has `torchlike` 2.11 and pip, and nothing else."""
    folder = tmp_path_factory.mktemp("machine")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    wheel(folder / "own", "torchlike", "2.11.0")
    install(python, folder / "own", "torchlike")
    return python


def install(python: Path, wheels: Path, *names: str) -> None:
    pip = [str(python), "-m", "pip", "install", "-q", "--no-index", "--find-links", str(wheels)]
    subprocess.run([*pip, *names], check=True, capture_output=True)


def run(machine: Path, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script as a copy in a project with requirements of its own."""
    script = project / "experiments" / "measure" / "environments" / "gpu_machine.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(Path(SCRIPT).read_text())
    (project / "pyproject.toml").write_text(
        '[project]\ndependencies = ["torchlike>=2.11", "planner>=3", "torchlike; extra == \'x\'"]\n'
        '[project.optional-dependencies]\ntest = ["transformers>=5", "unneeded"]\n'
    )
    command = [str(machine), str(script), str(project / "env"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_what_is_missing_is_one_list_and_a_status(machine: Path, tmp_path: Path) -> None:
    done = run(machine, tmp_path / "project")
    assert done.returncode == 2
    first, hint = done.stdout.splitlines()
    assert first == f"missing in {machine}: planner>=3, transformers>=5"
    assert "WHEELS=folder" in hint


def test_wheels_are_added_beside_the_interpreter_and_not_into_it(
    machine: Path, tmp_path: Path
) -> None:
    wheels, project = tmp_path / "wheels", tmp_path / "project"
    wheel(wheels, "planner", "3.1", requires="steps>=1")
    wheel(wheels, "steps", "1.0")
    wheel(wheels, "transformers", "5.23")
    done = run(machine, project, str(wheels))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(": nothing")
    code = "import planner, steps, torchlike; print(planner.VERSION, torchlike.__file__)"
    inside = subprocess.run(
        [str(project / "env" / "bin" / "python"), "-c", code], capture_output=True, text=True
    )
    version, file = inside.stdout.split()
    assert version == "3.1" and Path(file).is_relative_to(machine.parents[1])
    outside = subprocess.run([str(machine), "-c", "import planner"], capture_output=True)
    assert outside.returncode != 0


def test_a_folder_that_lacks_a_wheel_is_told(machine: Path, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheel(wheels, "planner", "3.1")
    done = run(machine, tmp_path / "project", str(wheels))
    assert done.returncode == 2
    assert "transformers>=5" in done.stdout.splitlines()[-1]


def test_requirements_of_requirements_and_versions_count() -> None:
    assert missing(["pytest>=1", "no-such-package>=2"]) == ["no-such-package>=2"]
    assert missing(["pytest>=9999"]) == ["pytest>=9999"]
    assert missing(["no-such-package; python_version < '3'"]) == []


def test_the_check_needs_the_project_and_its_baseline() -> None:
    names = [text.partition(">")[0] for text in needed()]
    assert "torch" in names and "transformers" in names and "mypy" not in names


def test_the_environment_sees_the_sources_first(tmp_path: Path) -> None:
    links = tmp_path / "links"
    (links / "numpy").mkdir(parents=True)
    (links / "numpy" / "__init__.py").write_text("WHO = 'planted'\n")
    python = make_environment(tmp_path / "env", links)
    code = "import numpy, sys; print(numpy.WHO)"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    assert done.stdout == "planted\n" and sys.executable != str(python)
