"""What cannot be read, written or named ends in one line, without a traceback."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.experiments.commands.status import statuses
from nasarena.experiments.comparison.plan import read_plan
from nasarena.figures.comparison import write_all
from nasarena.search.errors import NasArenaError
from nasarena.search.untrusted.bounded_read import LARGEST, read_bounded

Add = Callable[..., Path]
SETTINGS = (
    "proxy=additive space.depth=4 seeds=2 budget=trials budget.amount=6 references=false "
    "report=false workers=1 searchers=[random]"
).split()


def make_sparse(file: Path) -> None:
    file.touch()
    os.truncate(file, 8 << 30)


def make_pipe(file: Path) -> None:
    file.unlink(missing_ok=True)
    os.mkfifo(file)


def test_no_file_takes_all_memory_and_no_pipe_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_bounded(file, 5) == b"12345"
    with pytest.raises(OSError, match="has 5 bytes, more than the 4"):
        read_bounded(file, 4)
    make_sparse(file)
    with pytest.raises(OSError, match=f"more than the {LARGEST}"):
        read_bounded(file)
    for other in (tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match="must be a file"):
            read_bounded(other)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "missing")


@pytest.mark.parametrize("damage", [make_sparse, make_pipe])
@pytest.mark.parametrize("name", ["events.jsonl", "run.json"])
def test_a_comparison_says_which_run_is_damaged_and_what_to_do(
    damage: Callable[[Path], None],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *SETTINGS, "name=x"]) == 0
    run = tmp_path / "runs" / "x" / "random" / "seed-1"
    damage(run / name)
    capsys.readouterr()
    assert main(["compare", *SETTINGS, "name=x"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"random/seed-1/{name} " in line and "remove the folder of the run" in line
    assert [one.state for one in statuses(tmp_path / "runs")] == ["finished", "unreadable"]


@pytest.mark.parametrize("name", ["benchmark.json", "anchors.json"])
def test_the_other_files_of_a_strangers_comparison(
    name: str, tmp_path: Path, add_comparison: Add
) -> None:
    folder = add_comparison(tmp_path / "x", {"random": 0.0, "climber": 0.9}, 2)
    for damage in (make_pipe, lambda file: [file.unlink(), file.write_text("[" * 100_000)]):
        damage(folder / name)
        with pytest.raises(NasArenaError, match=f"{name} cannot be read"):
            write_all(folder, "nasarena report", draws=False)


def test_a_plan_names_runs_below_its_folder_only(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"command": 5, "runs": ["a/seed-0", "/etc", "../b", 5, null, {"a": 1}]}')
    assert read_plan(tmp_path) == {"command": "5", "runs": ["a/seed-0"]}
    make_pipe(plan)
    assert read_plan(tmp_path)["runs"] == []


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        ('"seed": 2', '"seed": "abc"', "an integer as config.loop.seed"),
        ('"seed": 2', '"seed": 1.5', "an integer as config.loop.seed"),
        ('"name": "climber"', f'"name": "{"x" * 100_000}"', "its searcher by at most 200 signs"),
    ],
    ids=["text", "fraction", "long name"],
)
def test_a_header_that_figures_cannot_show_is_set_apart(
    was: str, becomes: str, words: str, tmp_path: Path, add_comparison: Add
) -> None:
    folder = add_comparison(tmp_path / "x", {"random": 0.0, "climber": 0.9}, 3)
    header = folder / "climber" / "seed-2" / "run.json"
    header.write_text(header.read_text().replace(was, becomes))
    conclusion = write_all(folder, "nasarena report", draws=False)
    reasons = [run.reason for run in conclusion.analysis.tables.excluded]
    assert any(words in reason for reason in reasons)


def test_a_name_that_is_too_long_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *SETTINGS, f"name={'x' * 256}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("nasarena: ") and "File name too long" in line and "runs/xxx" in line


@pytest.mark.parametrize(("output", "code"), [(">&-", 0), (">/dev/full", 2)])
def test_output_that_nobody_takes(output: str, code: int) -> None:
    script = "import sys; from nasarena.experiments.commands.cli import main; sys.exit(main())"
    command = f"exec '{sys.executable}' -c '{script}' --help {output}"
    ran = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True)
    said = ["nasarena: No space left on device"] if code else []
    assert (ran.returncode, ran.stderr.splitlines()) == (code, said)
