"""The calibration that is kept: damaged or impossible to keep, it costs time and never a run."""

import json
import os
from pathlib import Path

import pytest

from nasarena.proxies.training.calibration import Calibration, calibrate
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 4)
COSTS = {"A": 0.3, "M": 0.1, "S": 0.2}


def measure(pattern: str, num_steps: int) -> float:
    return 1.0 + sum(COSTS[letter] for letter in pattern)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"base": -5, "per_letter": {"A": 1, "M": 1, "S": 1}}',
        '{"base": 1, "per_letter": {"A": NaN, "M": 1, "S": 1}}',
        '{"base": Infinity, "per_letter": {"A": 1, "M": 1, "S": 1}}',
        '{"base": 1, "per_letter": {"A": 1, "M": 1}}', "[" * 100_000,
    ],
)  # fmt: skip
def test_a_damaged_calibration_is_measured_anew(
    cache: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = calibrate(measure, SPACE, "v")
    (file,) = (cache / "calibration").iterdir()
    file.write_text(content)
    assert calibrate(measure, SPACE, "v") == expected
    assert caplog.text.count("was damaged") == 1
    assert json.loads(file.read_text())["base"] == pytest.approx(1.0)


def test_a_calibration_that_cannot_be_kept_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "file"))
    found = calibrate(measure, SPACE, "v")
    assert found.seconds("AMS") == pytest.approx(1.6)
    assert caplog.text.count("cannot be kept") == 1


def test_a_full_disk_leaves_no_draft(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    calibrate(measure, SPACE, "v")
    assert list((cache / "calibration").iterdir()) == []


def test_seconds_are_summed_the_same_under_every_python() -> None:
    """`sum` gives 0.9999999999999999 before Python 3.12 and 1.0 since."""
    assert Calibration(base=0.0, per_letter={"A": 0.1}).seconds("A" * 10) == 1.0
