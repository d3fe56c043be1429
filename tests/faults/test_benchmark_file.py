"""`benchmark.json` is there in the end, wherever the command that writes it was cut off."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.experiments.comparison.benchmark_facts import FILE, write_facts

SETTINGS = (
    "proxy=additive space.depth=4 seeds=2 budget=trials budget.amount=6 references=false "
    "report=false workers=1 name=x searchers=[random]"
).split()


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a comparison whose runs are all done."""
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *SETTINGS]) == 0
    return tmp_path / "runs" / "x" / FILE


def drop_a_pattern(file: Path) -> None:
    facts = json.loads(file.read_text())
    facts["scores"].popitem()
    file.write_text(json.dumps(facts))


def change_version(file: Path) -> None:
    facts = json.loads(file.read_text())
    facts["proxy"]["version"] = "of long ago"
    file.write_text(json.dumps(facts))


CUTS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "half written": lambda file: file.write_text(file.read_text()[:40]),
    "no object": lambda file: file.write_text("[]"),
    "a pattern missing": drop_a_pattern,
    "of another version": change_version,
}


@pytest.mark.parametrize("cut", CUTS)
def test_the_same_command_again_writes_what_is_missing(cut: str, finished: Path) -> None:
    whole = finished.read_text()
    CUTS[cut](finished)
    assert main(["compare", *SETTINGS]) == 0
    assert finished.read_text() == whole


def test_a_file_that_says_all_is_left_alone(finished: Path) -> None:
    """Ranking a whole space takes seconds: not for nothing."""
    before = finished.stat().st_mtime_ns, finished.stat().st_ino
    assert main(["compare", *SETTINGS]) == 0
    assert (finished.stat().st_mtime_ns, finished.stat().st_ino) == before


def test_a_kill_between_the_last_run_and_the_file_loses_nothing(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted in the very call that writes it, with a seed that was not there before."""

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    more = [*SETTINGS, "seeds=3"]
    with monkeypatch.context() as patch:
        patch.setattr(f"{write_facts.__module__}.find_scored_patterns", interrupt)
        assert main(["compare", *more]) == 130
    before = json.loads(finished.read_text())["scores"]
    assert main(["compare", *more]) == 0
    assert set(json.loads(finished.read_text())["scores"]) > set(before)
