"""The command line: help, one line for what a user can cause, exit codes, and each command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nasarena.experiments.commands.cli import COMMANDS, main

SMALL = ["proxy=additive", "space.depth=6"]
HEAVY = (
    *("torch", "botorch", "gpytorch", "optuna", "nevergrad", "smac"),
    *("transformers", "pandas", "seaborn", "matplotlib", "hydra", "scipy"),
)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))


def refusal_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr of a command that must be refused."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("nasarena: ")
    return line


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from nasarena.experiments.commands.cli import main\n"
        f"assert main({arguments!r}) == 0\n"
        f"sys.exit(', '.join(set({HEAVY!r}) & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stderr.strip()) == (0, "")
    assert "usage: nasarena" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: nasarena {command}")
    assert max(map(len, text.splitlines())) <= 100
    if command == "compare":
        for word in ("seeds=20", "proxy.noise=1.0", "budget.patterns=", "loop.finalists="):
            assert word in text


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert all(f"  {command} " in text for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["comapre"], "no command is called 'comapre'; there is compare"),
        (["evaluate", *SMALL, "AMSAMX"], "got 'X' at position 6"),
        (["evaluate", *SMALL, "AMSAM"], "must have 6 letters from AMS, got 5"),
        (["evaluate", *SMALL, "3A0M"], "run lengths must be counts from 1"),
        (["evaluate", *SMALL], "at least one pattern is expected"),
        (
            ["compare", *SMALL, "searchers=[randon]"],
            "no searcher is called 'randon'; nearest: rand",
        ),
        (["compare", *SMALL, "searchers=[lost.py:f]"], "no searcher file 'lost.py' here"),
        (["compare", *SMALL, "sedes=3"], "no setting is called 'sedes'; nearest: seeds"),
        (["compare", *SMALL, "budget.amount=1"], "must pay for one trial at least"),
        (["compare", *SMALL, "llm=replay"], "llm=replay needs the folder of a finished comparison"),
        (
            ["run", *SMALL, "searcher=evolution", "searcher.options.size=3"],
            "no setting is called 'evolution.options.size'; nearest: evolution.options.",
        ),
        (["run", *SMALL, "loop.parallel=0"], "parallel must be at least 1"),
        (["evaluate", "proxy.data.path=lost.txt", "16A"], "'lost.txt', which does not exist"),
        (["figures", "nowhere"], "there is no folder 'nowhere'"),
        (["report"], "takes one folder"),
        (["status", "."], "holds no runs"),
        (["check"], "one searcher is expected"),
        (["check", "lost.py:f"], "no searcher file"),
        (["doctor", "now"], "takes no arguments"),
        (["audit", *SMALL, "seeds=1"], "seeds must be at least 2"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refusal_of(capsys, *arguments)
    assert not Path("runs").exists()


def test_unreadable_and_empty_texts_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    Path("nothing.txt").write_text("")
    for path in ("empty", "nothing.txt"):
        assert path in refusal_of(capsys, "evaluate", f"proxy.data.path={path}", "16A")


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: list[str]) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("nasarena.experiments.commands.doctor.doctor", fail)
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


def test_evaluate_scores_patterns_and_takes_run_lengths(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", *SMALL, "proxy.noise=0", "2A3M1S", "AAMMMS", "seeds=2"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "2A3M1S" in line]
    assert len(lines) == 2 and lines[0].split()[:4] == lines[1].split()[:4]
    assert lines[0].split()[0] == "AAMMMS" and lines[0].split()[3] == "0.0000"


def test_evaluate_shows_every_task_of_six_in_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    small = "proxy.train.steps=1 proxy.train.num_train=0 proxy.train.batch_size=1"
    sizes = "proxy.model.width=8 proxy.model.num_heads=2 proxy.train.num_eval=1 proxy.device=cpu"
    words = [*small.split(), *sizes.split(), "space.depth=2", "cache=false", "seeds=1", "workers=1"]
    assert main(["evaluate", "proxy=mad", *words, "AS"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for task in ("in-context-recall", "selective-copying", "compression", "memorization"):
        (line,) = [line.split() for line in lines if f" {task} " in line]
        assert line[:2] == ["AS", task] and all(0 <= float(number) for number in line[2:])
    (score,) = [line.split()[2] for line in lines if line.split()[:2] == ["AS", "1A1S"]]
    assert 0 <= float(score) <= 1


def test_evaluate_says_when_a_training_fails(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [f"{n}A{6 - n}M" for n in range(1, 6)]
    assert main(["evaluate", *SMALL, "proxy.failure_rate=0.99", *arguments]) == 1
    assert "failed: loss became nan" in capsys.readouterr().out


def test_audit_passes_a_clean_proxy_and_fails_a_noisy_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["audit", *SMALL, "proxy.noise=0.05"]) == 0
    assert "Trustworthy" in capsys.readouterr().out
    assert main(["audit", *SMALL, "proxy.noise=3"]) == 1
    assert "Not to be trusted" in capsys.readouterr().out


def test_doctor_knows_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "torch" in text and "NASARENA_CACHE" in text and "GiB free" in text
    assert "proxies train" in text and "their kernels" in text


def test_run_goes_on_and_status_knows(capsys: pytest.CaptureFixture[str]) -> None:
    run = ["run", *SMALL, "searcher=evolution", "name=x", "budget=trials", "budget.amount=8"]
    assert main([*run, "seed=1"]) == 0
    assert "best search score" in capsys.readouterr().out
    folder = Path("runs/x/evolution/seed-1")
    header = json.loads((folder / "run.json").read_text())
    assert header["config"]["searcher"]["options"] == {"population": 8, "tournament": None}
    assert header["command"].startswith("nasarena run proxy=additive")
    assert header["packages"]["numpy"] and header["hardware"]["cores"] >= 1
    assert main(["status", "runs"]) == 0
    assert "x/evolution/seed-1" in capsys.readouterr().out

    events = folder / "events.jsonl"
    events.write_text("".join(events.read_text().splitlines(keepends=True)[:5]))
    assert main(["status", "runs/x"]) == 1
    assert "1 partial" in capsys.readouterr().out
    (folder / "run.json").unlink()
    assert main(["status", "runs"]) == 1  # nothing there but a plan
    assert "1 missing" in capsys.readouterr().out
