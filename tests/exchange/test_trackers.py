"""Runs shown by trackers: each is read back by the tool's own reader, and held against the record.

What has to be there is taken from the lines of `events.jsonl` alone.
"""

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.experiments.commands.one_comparison import run_missing
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.exchange import tracking
from nasarena.experiments.exchange.event_metrics import Row
from nasarena.experiments.exchange.tracking import LiveTracking, TrackedRun
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.settings import registry
from nasarena.experiments.settings.commands import compare_settings

Curve = list[tuple[int, float]]
AddRun = Callable[..., Path]


def events_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def scores_on_record(run: Path) -> Curve:
    trials = [event["trial"] for event in events_of(run) if event["event"] == "settled"]
    return [(trial["index"], trial["score"]) for trial in trials if trial["score"] is not None]


def finals_on_record(run: Path) -> list[float]:
    found = [event["outcome"]["score"] for event in events_of(run) if event["event"] == "final"]
    return [score for score in found if score is not None]


def best_so_far(scores: Curve) -> list[float]:
    return [max(score for _, score in scores[: place + 1]) for place in range(len(scores))]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tools would send to their makers."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


@pytest.fixture
def runs(add_run: AddRun, tmp_path: Path) -> Path:
    """Two runs; among their trials are failures, so gaps in the curve of scores."""
    for seed in (0, 1):
        add_run(tmp_path / "arena", "climber", seed, greed=0.5, amount=20)
    assert any(len(scores_on_record(run)) < 20 for run in (tmp_path / "arena/climber").iterdir())
    return tmp_path / "arena"


def test_tensorboard_reads_every_curve(runs: Path, tmp_path: Path) -> None:
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard"
    )
    for _ in range(2):  # the second time in the place of the first
        assert main(["export", str(runs), "to=tensorboard", f"out={tmp_path / 'logs'}"]) == 0
    for seed in (0, 1):
        run = runs / "climber" / f"seed-{seed}"
        found = reader.EventAccumulator(str(tmp_path / "logs" / "climber" / f"seed-{seed}"))
        found.Reload()
        curve = [(event.step, event.value) for event in found.Scalars("score")]
        wanted = scores_on_record(run)
        assert [step for step, _ in curve] == [step for step, _ in wanted]
        assert [value for _, value in curve] == pytest.approx([value for _, value in wanted])
        finals = [event.value for event in found.Scalars("final_score")]
        assert finals == pytest.approx(finals_on_record(run)) and finals
        spent = [event.value for event in found.Scalars("spent")]
        assert spent[-1] == events_of(run)[-1]["spent"] == 20


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_mlflow_reads_every_run_once(runs: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="no mlflow: pip install 'nasarena[trackers]'")
    pytest.importorskip("alembic", reason="MLflow's SQLite store needs alembic")
    from mlflow import MlflowClient

    address = f"sqlite:///{tmp_path / 'store.db'}"
    for _ in range(2):
        assert main(["export", str(runs), "to=mlflow", f"out={address}"]) == 0
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("arena")
    assert experiment is not None
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(found) == ["climber/seed-0", "climber/seed-1"]
    for name, shown in found.items():
        scores = scores_on_record(runs / name)
        history = client.get_metric_history(shown.info.run_id, "score")
        assert sorted((metric.step, metric.value) for metric in history) == scores
        best = client.get_metric_history(shown.info.run_id, "best_score")
        last = sorted(best, key=lambda metric: metric.step)[-1]
        assert last.value == max(score for _, score in scores)
        assert shown.info.status == "FINISHED"
        assert shown.data.params["budget.unit"] == "trials"


def records_of_wandb(file: Path) -> Iterator[Any]:
    """Records of an offline file: a log of blocks of 32 KiB, each piece with 7 bytes before it."""
    from wandb.proto import wandb_internal_pb2

    content, place, record = file.read_bytes(), 7, b""
    while place + 7 <= len(content):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or its last piece
            yield wandb_internal_pb2.Record.FromString(record)
            record = b""


def test_wandb_keeps_every_trial_offline(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb", reason="no wandb: pip install 'nasarena[trackers]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "logs").mkdir()
    assert main(["export", str(runs), "to=wandb", f"out={tmp_path / 'logs'}"]) == 0
    wandb.teardown()  # which waits until all is written
    found = {}
    for file in (tmp_path / "logs").rglob("*.wandb"):
        records = list(records_of_wandb(file))
        (name,) = {one.run.display_name for one in records if one.run.display_name}
        rows = [
            {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in row}
            for row in (one.history.item for one in records if one.HasField("history"))
        ]
        found[name] = rows
    assert sorted(found) == ["climber/seed-0", "climber/seed-1"]
    for name, rows in found.items():
        shown = [(row["trial"], row["score"]) for row in rows if "score" in row]
        assert shown == scores_on_record(runs / name)
        finals = [row["final_score"] for row in rows if "final_score" in row]
        assert finals == finals_on_record(runs / name)


class Listening:
    """A tracker that remembers; told to, it breaks down at its second message."""

    breaks = False

    def __init__(self, run: TrackedRun) -> None:
        self.name, self.rows, self.state = run.name, list[Row](), ""
        shown.append(self)

    def log(self, rows: Sequence[Row]) -> None:
        if self.breaks and self.rows:
            raise ConnectionError("nobody\nanswers")
        self.rows += rows

    def end(self, state: str) -> None:
        self.state = state


shown: list[Listening] = []


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> list[Listening]:
    shown.clear()
    monkeypatch.setattr(tracking, "load_tracker", lambda name: Listening)
    monkeypatch.setattr(tracking, "_PERIOD_S", 0.0)
    return shown


def test_a_run_that_grows_is_shown_as_the_whole_one(
    runs: Path, add_run: AddRun, tmp_path: Path, listening: list[Listening]
) -> None:
    whole = runs / "climber" / "seed-0"
    growing = add_run(tmp_path / "growing", "climber", 0, greed=0.5, amount=20)
    content = (growing / "events.jsonl").read_bytes()
    with LiveTracking(["one"], tmp_path / "growing") as live:
        for end in range(1, len(content), 997):  # in the middle of lines, too
            (growing / "events.jsonl").write_bytes(content[:end])
            live.update(growing, is_working=True)
        (growing / "events.jsonl").write_bytes(content)
        live.update(growing, is_working=False)
    with LiveTracking(["one"], runs) as live:
        live.update(whole, is_working=False)
    first, second = listening
    assert [row.values for row in first.rows] == [row.values for row in second.rows]
    assert first.state == second.state == "finished"
    scores = [(r.step, r.values["score"]) for r in first.rows if "score" in r.values]
    assert scores == scores_on_record(whole)
    best = [r.values["best_score"] for r in first.rows if "score" in r.values]
    assert best == best_so_far(scores)


def test_a_tracker_that_breaks_down_costs_no_run_and_says_so_once(
    runs: Path, listening: list[Listening], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(Listening, "breaks", True)
    run = runs / "climber" / "seed-0"
    content = (run / "events.jsonl").read_bytes()
    with LiveTracking(["mlflow"], runs) as live:
        (run / "events.jsonl").write_bytes(content[: len(content) // 2])
        live.update(run, is_working=True)
        (run / "events.jsonl").write_bytes(content)
        live.update(run, is_working=True)
        live.update(run, is_working=False)
    (line,) = capsys.readouterr().err.splitlines()
    assert "mlflow is left out from here on: nobody" in line
    assert f"nasarena export {runs} to=mlflow" in line


def test_a_comparison_shows_its_runs_while_they_go_on(
    tmp_path: Path, listening: list[Listening]
) -> None:
    arguments = ["proxy=additive", "space.depth=4", "searchers=[random]", "seeds=2", "name=live"]
    budget = ["budget.unit=trials", "budget.amount=6", "references=false", f"folder={tmp_path}"]
    comparison = plan_comparison(compare_settings([*arguments, *budget]), "command")
    assert run_missing(comparison, "command", make_console(), 1, False, trackers=["one"]) == []
    assert [(one.name, one.state) for one in listening] == [
        ("random/seed-0", "finished"),
        ("random/seed-1", "finished"),
    ]
    for one in listening:
        scores = [(row.step, row.values["score"]) for row in one.rows if "score" in row.values]
        assert scores == scores_on_record(tmp_path / "live" / one.name) and len(scores) == 6


def test_a_run_on_a_landscape_goes_by_the_name_of_its_suite_too(tmp_path: Path) -> None:
    run = tmp_path / "study" / "quick" / "random" / "seed-0"
    assert TrackedRun(run, {}).comparison == "quick"
    run.mkdir(parents=True)
    (tmp_path / "study" / "suite.json").write_text("{}")
    assert TrackedRun(run, {}).comparison == "study-quick"


@pytest.mark.parametrize("name", registry.TRACKERS)
def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = registry.importlib.util.find_spec
    monkeypatch.setattr(
        registry.importlib.util, "find_spec", lambda one: None if one == name else found(one)
    )
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "proxy=additive", "searchers=[random]", f"trackers=[{name}]"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{name} needs the package" in line and "pip install 'nasarena[trackers]'" in line
    assert list(tmp_path.iterdir()) == []
