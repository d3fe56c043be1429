"""The notebook: entries in order, hypotheses scored by direction, bytes fixed by the record."""

from pathlib import Path

import pytest

from nasarena.agents.notebook import direction, hypotheses, notebook, reference, write_notebook
from nasarena.search.run_folder import RunFolder, read_run
from nasarena.search.trial import Status, Trial


def trial(
    index: int,
    score: float | None,
    expected: str = "",
    parents: tuple[int, ...] = (),
    status: Status | None = None,
    provenance: str = "llm",
    **details: str,
) -> Trial:
    details = {"operator": "draft", "name": f"idea {index}", "expected": expected, **details}
    return Trial(
        index,
        "AMAMAM"[index % 2 :] + "A" * index,
        status or ("ok" if score is not None else "failed"),
        score,
        parents=parents,
        provenance=provenance,
        details={key: text for key, text in details.items() if text},
        note="" if score is not None else "loss is nan",
    )


TRIALS = [
    Trial(0, "AAAAAA", "ok", 0.50, provenance="initial_design"),
    trial(1, 0.60, "better", hypothesis="first <b>bold</b> idea"),  # right: 0.6 > 0.5
    trial(2, 0.55, "better"),  # wrong: the best is 1
    trial(3, 0.58, "better", (2,)),  # right: its parent is 2
    trial(4, 0.61, "same", (1,)),  # right within the noise
    trial(5, None, "better", (4,)),  # cannot be judged
    trial(6, 0.40, "worse", (1, 3), lesson="ends matter"),  # right: the better parent is 1
    trial(7, 0.61, "worse", status="duplicate"),  # cannot be judged
]
# Trials 3 and 4 were asked for at once, when three were known.
FIRSTS = [0, 1, 2, 3, 5, 6, 7]


def write(folder: Path, trials: list[Trial] = TRIALS, measured: float = 0.1) -> Path:
    with RunFolder(folder / "run", {"searcher": {"name": "x"}}, {}) as run:
        for first in FIRSTS:
            batch = [t for t in trials if [at for at in FIRSTS if at <= t.index][-1] == first]
            asked = {"first": first, "patterns": [one.pattern for one in batch]}
            if not batch:
                break
            run.append({"event": "asked", **asked, "measured": {"s": measured}})
            for one in batch:
                run.append({"event": "settled", "trial": one.to_json(), "spent": 0})
    return folder / "run"


def test_hypotheses_are_scored_by_hand(tmp_path: Path) -> None:
    tally = hypotheses(read_run(write(tmp_path)), noise=0.015)
    assert dict(tally.expected) == {"better": 3, "same": 1, "worse": 1}
    assert dict(tally.right) == {"better": 2, "same": 1, "worse": 1}
    assert tally.share == pytest.approx(4 / 5)


def test_without_noise_the_same_is_never_the_same(tmp_path: Path) -> None:
    assert hypotheses(read_run(write(tmp_path)), noise=0.0).right["same"] == 0


def test_a_batch_is_measured_against_what_was_known_when_it_was_asked() -> None:
    trials = [trial(0, 0.1), trial(1, 0.9), trial(2, 0.5)]
    assert reference(trials[2], trials, num_known=1) == trials[0]
    assert reference(trials[2], trials, num_known=2) == trials[1]
    assert reference(trials[0], trials, num_known=0) is None
    orphan = trial(3, 0.5, parents=(1,))
    assert reference(orphan, [*trials, orphan], num_known=1) == trials[0]


def test_directions() -> None:
    low, high = trial(0, 0.5), trial(1, 0.6)
    assert direction(high, low, 0.0) == "better"
    assert direction(low, high, 0.0) == "worse"
    assert direction(high, low, 0.2) == "same"
    assert direction(trial(2, None), low, 0.0) is None
    assert direction(high, None, 0.0) is None


def test_the_notebook_tells_the_run_in_order(tmp_path: Path) -> None:
    text = notebook(read_run(write(tmp_path)), noise=0.015)
    order = ["0. initial design", "1. idea 1", "2. idea 2", "6. idea 6", "## Hypotheses"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "Expected better against 0 (0.500), came out better: **right**." in text
    assert "Expected better against 1 (0.600), came out worse: **wrong**." in text
    assert "Expected better; cannot be judged." in text
    assert "failed, loss is nan" in text
    assert "*Lesson before it:* ends matter" in text
    assert "| all | 5 | 4 (80%) |" in text
    assert "| llm | 7 |" in text
    assert "<b>" not in text


def test_the_same_record_gives_the_same_bytes_whatever_the_clock_said(tmp_path: Path) -> None:
    first = write_notebook(read_run(write(tmp_path / "a", measured=0.1)))
    second = write_notebook(read_run(write(tmp_path / "b", measured=9.9)))
    assert first.name == "notebook.md"
    assert first.read_bytes() == second.read_bytes()


def test_a_run_without_any_hypothesis_says_so(tmp_path: Path) -> None:
    text = notebook(read_run(write(tmp_path, TRIALS[:1])))
    assert "None could be judged." in text
