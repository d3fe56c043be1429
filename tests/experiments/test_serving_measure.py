"""Speed of a server: counted over real runs on a scripted one, and never measured twice."""

import json
from pathlib import Path

import pytest

from nasarena.agents.llm.constraint_probe import connect
from nasarena.agents.llm.endpoint import LlmSettings
from nasarena.experiments.measure import serving
from nasarena.experiments.measure.faults.chat_server import serve
from nasarena.search.seeding import stream


def propose(messages: list[dict[str, str]], seed: int) -> str:
    """Every other first answer is of no use, so it is mended in a second turn."""
    rng = stream(seed, "model")
    if len(messages) < 3 and rng.integers(2):
        return "no idea"
    pattern = "".join(rng.choice(list("AMS"), 16))
    said = {"name": "one", "hypothesis": "it may help", "expected": "better"}
    return json.dumps({**said, "pattern": pattern})


def test_levels_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with serve(propose) as server:
        endpoint = connect(LlmSettings(base_url=server.url))
        rows = serving.measure_missing(Path("runs"), endpoint, 3, [], (1, 2))
        asked = len(server.bodies)
        rows["1"]["tokens_per_s"] = 7.0
        kept = tmp_path / "runs" / "rows.json"
        kept.write_text(json.dumps({**json.loads(kept.read_text()), "rows": {"1": rows["1"]}}))
        again = serving.measure_missing(Path("runs"), endpoint, 3, [], (1, 2))
    assert again["1"]["tokens_per_s"] == 7.0  # read, not measured
    assert 0 < len(server.bodies) - asked < asked
    assert rows["2"]["calls"] == again["2"]["calls"] >= 6
    with serve(propose) as server:  # more trials a run: nothing of before is of use
        endpoint = connect(LlmSettings(base_url=server.url))
        other = serving.measure_missing(Path("runs"), endpoint, 4, [], (1,))
    assert other["1"]["calls"] > rows["1"]["calls"] and other["1"]["tokens_per_s"] != 7.0
    for number, one in again.items():
        assert one["runs"] == int(number) and one["well_formed_share"] == 1.0
        assert one["reply_tokens"] == 20 and one["prompt_tokens"] == 100
        if number != "1":
            assert one["tokens_per_s"] == pytest.approx(20 * one["calls"] / one["wall_s"])
    assert any(one["repaired_share"] > 0 for one in rows.values())


def test_summary_is_over_all_calls() -> None:
    def level(calls: int, speed: float, repaired: float) -> dict[str, float]:
        values = {"calls": calls, "tokens_per_s": speed, "repaired_share": repaired}
        return {**values, "well_formed_share": 1.0}

    rows = {"1": level(1, 10.0, 0.0), "8": level(9, 35.0, 0.2)}
    found = serving.summary(rows)
    assert found["speedup_8"] == 3.5 and found["repaired_share"] == pytest.approx(0.18)
