"""A record that was tampered with or damaged is refused, in one line that names the line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes import Climbing, FakeProxy, agreement, run_search
from nasarena.experiments.commands.cli import main
from nasarena.search.errors import RunFolderRefused
from nasarena.search.run_folder import read_run
from nasarena.search.space import PatternSpace

Add = Callable[..., Path]
Lines = list[str]
SPACE = PatternSpace("AMS", 6)


def edit(lines: Lines, number: int, change: Callable[[Any], object]) -> Lines:
    event = json.loads(lines[number])
    change(event)
    lines[number] = json.dumps(event)
    return lines


def put(place: tuple[str, ...], value: object) -> Callable[[Any], object]:
    """What sets the value at a place in an event."""

    def change(event: Any) -> None:
        for key in place[:-1]:
            event = event[key]
        event[place[-1]] = value

    return change


# Lines of a run with one asked line of four patterns, their four settled ones, then by turns
# asked and settled: index 5 is `asked`, 6 `settled` of trial 4, 7 `asked`, 8 `settled` of trial 5.
DAMAGES: dict[str, tuple[Callable[[Lines], Lines], int]] = {
    "settled lost": (lambda lines: lines[:2] + lines[3:], 3),
    "settled doubled": (lambda lines: lines[:3] + lines[2:], 4),
    "settled swapped": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3),
    "settled replaced": (lambda lines: [*lines[:6], lines[8], *lines[7:]], 7),
    "last settled lost": (lambda lines: lines[:6] + lines[7:], 7),
    "asked lost": (lambda lines: lines[:5] + lines[6:], 6),
    "asked doubled": (lambda lines: [*lines[:8], lines[7], *lines[8:]], 9),
    "index": (lambda lines: edit(lines, 6, lambda e: e["trial"].update(index=5)), 7),
    "pattern": (lambda lines: edit(lines, 6, lambda e: e["trial"].update(pattern="AAAAAA")), 7),
    "asked pattern": (lambda lines: edit(lines, 5, lambda e: e.update(patterns=["AAAAAA"])), 7),
    "spent": (lambda lines: edit(lines, 6, lambda e: e.update(spent=3)), 7),
    "spent is no number": (
        lambda lines: edit(lines, 6, lambda e: e.update(spent=float("nan"))),
        7,
    ),
    "score of none": (lambda lines: edit(lines, 6, lambda e: e["trial"].update(score=None)), 7),
    **{
        f"{'.'.join(place)} {value}": (
            lambda lines, place=place, value=value: edit(lines, 6, put(place, value)),
            7,
        )
        for place, value in [
            (("trial", "fidelity"), float("nan")),
            (("trial", "fidelity"), "x"),
            (("trial", "details"), None),
            (("trial", "metrics"), 5),
            (("measured",), None),
            (("measured",), {"s": "long"}),
            (("trial", "cost", "flops"), float("nan")),
            (("trial", "cost", "tokens"), "x"),
            (("trial", "cost", "device_seconds"), -1),
        ]
    },
    "key lost": (lambda lines: edit(lines, 6, lambda e: e.pop("spent")), 7),
    "trial's key lost": (lambda lines: edit(lines, 6, lambda e: e["trial"].pop("status")), 7),
    "unknown key": (lambda lines: edit(lines, 6, lambda e: e["trial"].update(x=1)), 7),
    **{
        f"line {text}": (lambda lines, text=text: [*lines[:6], text, *lines[6:]], 7)
        for text in ("null", "5", "[]", "{}", '"settled"', '{"event":5}', '{"event":"settled"}')
    },
    "deep": (lambda lines: [*lines[:6], "[" * 100_000, *lines[6:]], 7),
}


def write(folder: Path, amount: float = 12) -> Path:
    proxy = FakeProxy(SPACE, agreement("AMSAMS"))
    run_search(folder, Climbing, proxy, amount=amount, finalists=2)
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("is_finished", [True, False])
def test_a_record_that_contradicts_itself_is_refused(
    damage: str, is_finished: bool, tmp_path: Path
) -> None:
    """Read for results, and opened to be resumed; the file stays as it is."""
    folder = write(tmp_path / "run")
    lines = (folder / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines[:9]] == (
        ["asked", *["settled"] * 4, "asked", "settled", "asked", "settled"]
    )
    change, number = DAMAGES[damage]
    changed = "\n".join(change(lines if is_finished else lines[:14])) + "\n"
    (folder / "events.jsonl").write_text(changed)
    for read in (read_run, write):
        with pytest.raises(RunFolderRefused, match=f"damaged at line {number} ") as refused:
            read(folder)
        assert len(str(refused.value).splitlines()) == 1
    assert (folder / "events.jsonl").read_text() == changed


def test_events_without_a_header_are_not_adopted(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    (folder / "run.json").unlink()
    before = (folder / "events.jsonl").read_bytes()
    with pytest.raises(RunFolderRefused, match="there is no run.json"):
        write(folder)
    assert not (folder / "run.json").exists()
    assert (folder / "events.jsonl").read_bytes() == before


def test_a_config_that_is_not_of_its_hash_is_refused(tmp_path: Path) -> None:
    """Also where what is wanted now is the configuration that the hash is of."""
    folder = write(tmp_path / "run")
    header = json.loads((folder / "run.json").read_text())
    header["config"]["seed"] = 7
    (folder / "run.json").write_text(json.dumps(header))
    with pytest.raises(RunFolderRefused, match="run.json was edited"):
        write(folder)


def test_another_configuration_does_not_take_over_old_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = "proxy=additive space.depth=4 seeds=2 budget=trials budget.amount=5 name=x".split()
    settings += "references=false report=false workers=1 searchers=[random]".split()
    assert main(["compare", *settings, "proxy.noise=0.1"]) == 0
    for file in (tmp_path / "runs" / "x").rglob("run.json"):
        file.unlink()
    assert main(["compare", *settings, "proxy.noise=3.0"]) == 2
    assert "there is no run.json" in capsys.readouterr().err
    assert not list((tmp_path / "runs" / "x").rglob("run.json"))
