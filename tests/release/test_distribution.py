"""What is tried of a distribution, with commands that are known by heart in the place of ours."""

import json
import venv
from pathlib import Path

import pytest

from nasarena.experiments.release.distribution import ROOT, TRIALS, pairs, try_out, write_sbom


def fake_environment(folder: Path, answers: dict[str, str]) -> Path:
    """A bin folder whose `nasarena SUBCOMMAND` and `python` print what they are told to."""
    cases = "".join(f"{name}) echo '{words}';;\n" for name, words in answers.items())
    for name in ("nasarena", "python"):
        (folder / name).write_text(f'#!/bin/sh\ncase "$1" in\n{cases}*) exit 3;;\nesac\n')
        (folder / name).chmod(0o755)
    return folder


RIGHT = {
    "--version": "0.1.0",
    "-c": "[compare]",
    "compare": "runs/tried/report.html",
    "export": "4 runs for csv",
    "evaluate": "-2.1",
}


def test_everything_is_tried_and_a_wrong_answer_named(tmp_path: Path) -> None:
    own = fake_environment(tmp_path, RIGHT)
    assert len(list(try_out(own, tmp_path))) == len(TRIALS) == len(RIGHT)
    fake_environment(tmp_path, RIGHT | {"compare": "no report"})
    with pytest.raises(RuntimeError, match="nasarena compare .* must say 'report.html'"):
        list(try_out(own, tmp_path))
    del RIGHT["evaluate"]
    fake_environment(tmp_path, RIGHT)
    with pytest.raises(RuntimeError, match="evaluate"):
        list(try_out(own, tmp_path))


def test_other_pythons_try_the_wheel_alone() -> None:
    files = [Path("x-1-py3-none-any.whl"), Path("x-1.tar.gz")]
    assert pairs(["a", "b"], files) == [("a", files[0]), ("a", files[1]), ("b", files[0])]


def test_the_bill_of_materials_names_the_packages(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx_py", reason="pip install 'nasarena[release]'")
    venv.create(tmp_path / "env", with_pip=False)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (site / "tiny-1.2.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.2\n"
    (site / "tiny-1.2.dist-info" / "METADATA").write_text(metadata)
    assert write_sbom(tmp_path / "env" / "bin", tmp_path / "sbom.cdx.json") == 1
    content = json.loads((tmp_path / "sbom.cdx.json").read_text())
    (component,) = content["components"]
    assert content["bomFormat"] == "CycloneDX"
    assert (component["name"], component["version"]) == ("tiny", "1.2")


def test_the_workflows_are_read_and_run_what_the_makefile_has() -> None:
    from yaml import safe_load

    makefile = (ROOT / "Makefile").read_text()
    for name in ("tests", "release"):
        content = safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
        steps = [step for job in content["jobs"].values() for step in job["steps"]]
        commands = " ".join(step.get("run", "") for step in steps)
        assert "make release" in commands and "\nrelease:" in makefile
        assert name == "release" or ".ci/run" in commands
