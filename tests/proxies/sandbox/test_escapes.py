"""The escape suite holds at the level that programs get, and would say so if it did not."""

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.experiments.measure.faults.sandbox import kill_caller
from nasarena.proxies.sandbox import attempts, escapes
from nasarena.proxies.sandbox.levels import why_missing

# Needs mounts of one's own, which root and user namespaces have.
WITHOUT_MOUNTS = {
    "network: a Unix socket",
    "memory: shared",
}


def test_every_attempt_is_held_where_landlock_is() -> None:
    if missing := why_missing("landlock"):
        pytest.skip(missing)
    held = escapes.try_escapes("landlock")
    assert len(held) >= 60
    assert {name for name, is_held in held.items() if not is_held} <= WITHOUT_MOUNTS


def test_an_attempt_that_succeeds_is_not_held() -> None:
    assert not attempts.was_held(lambda _: True, {})
    assert attempts.was_held(lambda _: False, {})
    assert attempts.was_held(lambda _: 1 / 0, {})


def test_doctor_counts_what_is_held(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(escapes, "try_escapes", lambda level: {"a": True, "b": False})
    assert main(["doctor", "escapes=limits"]) == 1
    out = capsys.readouterr().out
    assert "1 of 2 attempts held" in out and "not held on this machine" in out
    monkeypatch.setattr(escapes, "try_escapes", lambda level: {"a": True})
    assert main(["doctor", "escapes=true"]) == 0
    assert main(["doctor", "escapes=jail"]) == 2


@pytest.mark.parametrize("delay_s", [0.0, 0.3])
def test_a_killed_caller_leaves_no_process(delay_s: float) -> None:
    below, left = kill_caller(delay_s)
    assert below >= 1 and left == 0
