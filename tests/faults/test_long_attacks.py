"""`make faults` counts what it tries: what held, what did not, and which attack on which day."""

import json
from pathlib import Path

import pytest

from nasarena.agents.languages.candidate import Candidate
from nasarena.experiments.measure.faults import __main__ as suite
from nasarena.experiments.measure.faults import code_fuzz, fuzz, kills, server, torn, victim
from nasarena.experiments.measure.faults.tally import Tally
from nasarena.experiments.measure.record import device_name
from nasarena.proxies.autoresearch.catalogue import edit_space
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.errors import NasArenaError


def test_both_parsers_hold_and_a_parser_that_does_not_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for tally in fuzz.attack(0.003):
        assert (tally.tried, tally.held, tally.failures) == (300, 300, [])
    monkeypatch.setattr(fuzz, "parse_candidate", lambda text, space: Candidate("AMS"))
    candidates, lessons = fuzz.attack(0.0003)
    assert (candidates.tried, candidates.held, lessons.held) == (30, 0, 30)
    assert "a pattern outside the space for" in candidates.failures[0]
    monkeypatch.setattr(fuzz, "parse_candidate", lambda text, space: text[10**6])
    assert "IndexError" in fuzz.attack(0.00001)[0].failures[0]


def test_damaged_code_is_read_or_refused_and_a_space_that_lets_all_in_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for tally in code_fuzz.attack(0.02):
        assert (tally.tried, tally.held, tally.failures) == (200, 200, [])
    monkeypatch.setattr(
        code_fuzz, "parse_reply", lambda text, view: Candidate("depth=99\nimport os")
    )
    monkeypatch.setattr(ProgramSpace, "validate", lambda self, text: text)
    edits, replies, _ = code_fuzz.attack(0.001)
    assert edits.held == replies.held == 0
    assert code_fuzz.forbidden_token("x = open('y')") == "the name open"
    assert code_fuzz.forbidden_token("x.open(open=1)  # eval") == ""
    assert not code_fuzz.keeps_catalogue(edit_space(), "focal_gamma=2")
    assert code_fuzz.keeps_catalogue(edit_space(), "loss=focal focal_gamma=2")


def test_cut_records_are_resumed_and_a_resume_that_differs_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torn, "_SEARCHERS", ("evolution",))
    whole, half = torn.attack(0.01)
    assert whole.tried == whole.held >= 6 and half.tried == half.held >= 6
    monkeypatch.setattr(torn, "conclude_cells", lambda cells: None)
    monkeypatch.setattr(torn, "timeless_events", lambda path: object())
    whole, half = torn.attack(0.01)
    assert (whole.held, half.failures) == (0, ["other events"])


def test_a_hostile_answer_holds_where_it_ends_in_an_error_of_ours() -> None:
    def refuse() -> None:
        raise NasArenaError("no")

    assert server._failure(refuse, must_refuse=True) == "" == server._failure(refuse)
    assert server._failure(lambda: None) == ""
    assert server._failure(lambda: None, must_refuse=True) == "an answer was taken"
    assert server._failure(lambda: 1 / 0) == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [(0, "", ""), (2, "nasarena: no room", ""), (-7, "", "exit code -7"), (1, "x", "exit code 1")],
)
def test_a_command_may_end_in_one_line_and_by_no_signal(code: int, said: str, words: str) -> None:
    assert victim.complaint(code, said, allowed=[0, 2]).startswith(words)
    assert bool(victim.complaint(code, said, allowed=[0, 2])) == bool(words)
    assert "a traceback" in victim.complaint(0, "Traceback (most recent call last)\nE", [0])


def test_an_attack_replaces_its_own_counts_and_keeps_those_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    struck = Tally("x", "kill -9")
    struck.note(times=3)
    struck.note("lost")
    monkeypatch.setattr(kills, "attack", lambda effort: [struck])
    monkeypatch.setattr(fuzz, "attack", lambda effort: [Tally("y", "noise", 2, 2)])
    for names in (["kills"], ["fuzz"], ["kills"]):
        suite.main([*names, "--save"])
    saved = json.loads(Path(f"docs/measurements/faults-{device_name()}.json").read_text())
    assert [(row["attack"], row["tried"], row["held"]) for row in saved["rows"]] == [
        ("fuzz", 2, 2), ("kills", 4, 3)
    ]  # fmt: skip
    assert saved["rows"][1]["failures"] == ["lost"] and "date" in saved["rows"][0]
    assert saved["summary"] == {
        "tried": 6, "held": 5, "fuzz": {"tried": 2, "held": 2}, "kills": {"tried": 4, "held": 3}
    }  # fmt: skip
    with pytest.raises(SystemExit, match="no attack is called 'kill'; .*kills"):
        suite.main(["kill"])


def test_a_run_that_lost_settled_trials_is_named(tmp_path: Path) -> None:
    class Struck(victim.Victim):
        def settled(self) -> dict[str, int]:
            return {"random/0": 3, "random/1": 2}

    struck = Struck([], tmp_path, tmp_path)
    assert kills.find_loss({"random/0": 3, "random/1": 1}, struck) == ""
    assert kills.find_loss({"random/1": 3}, struck).endswith("gone from random/1")
    assert kills.find_loss({"random/2": 1}, struck).endswith("gone from random/2")
