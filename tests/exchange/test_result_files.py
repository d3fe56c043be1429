"""Results in other formats, each opened by the tool that it is for and held against the record."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.search.run_folder import read_run
from nasarena.search.trial import Trial

pd = pytest.importorskip("pandas")
AddRun = Callable[..., Path]
NAMES = ["climber/seed-0", "climber/seed-1", "random/seed-0"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, with failures and duplicates among their trials."""
    from conftest import write_run

    folder = tmp_path_factory.mktemp("results") / "arena"
    for name in NAMES:
        searcher, _, seed = name.partition("/seed-")
        greed = 0.9 if searcher == "climber" else 0.0
        write_run(folder, searcher, int(seed), greed=greed, amount=25)
    statuses = {trial.status for name in NAMES for trial in trials_of(folder / name)}
    assert statuses == {"ok", "failed", "duplicate"}
    return folder


def trials_of(run: Path) -> list[Trial]:
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [Trial.from_json(event["trial"]) for event in events if event["event"] == "settled"]


def read(file: Path) -> Any:
    readers = {".csv": pd.read_csv, ".json": pd.read_json, ".parquet": pd.read_parquet}
    return readers[file.suffix](file)


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_tables_hold_every_run_trial_and_re_training(kind: str, runs: Path, tmp_path: Path) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="parquet files need pyarrow")
    assert main(["export", str(runs), f"to={kind}", f"out={tmp_path}"]) == 0
    trials = read(tmp_path / f"trials.{kind}")
    for name in NAMES:
        searcher, _, seed = name.partition("/seed-")
        own = trials[(trials["searcher"] == searcher) & (trials["seed"] == int(seed))]
        wanted = trials_of(runs / name)
        assert list(own["pattern"]) == [trial.pattern for trial in wanted]
        assert list(own["status"]) == [trial.status for trial in wanted]
        scores = [float("nan") if one.score is None else one.score for one in wanted]
        assert list(own["score"]) == pytest.approx(scores, nan_ok=True, rel=1e-12)
        assert list(own["flops"])[-1] == sum(trial.cost.flops for trial in wanted)
    finals = read(tmp_path / f"finals.{kind}")
    assert len(finals) == sum(
        event["event"] == "final" for name in NAMES for event in read_run(runs / name).events
    )
    table = read(tmp_path / f"runs.{kind}")
    assert list(table["state"]) == ["finished"] * 3 and set(table["comparison"]) == {"arena"}


def test_optuna_dashboard_shows_the_studies(runs: Path, tmp_path: Path) -> None:
    dashboard = pytest.importorskip("optuna_dashboard", reason="pip install optuna-dashboard")
    import optuna

    file = tmp_path / "studies.log"
    for folder in (runs, runs / "random"):  # the second time in the place of the first
        assert main(["export", str(folder), "to=optuna", f"out={file}"]) == 0
    backend = optuna.storages.journal.JournalFileBackend(str(file))
    storage = optuna.storages.JournalStorage(backend)
    app = dashboard.wsgi(storage)
    studies = get(app, "/api/studies")["study_summaries"]
    assert sorted(one["study_name"] for one in studies) == [f"arena/{name}" for name in NAMES]
    for one in studies:
        wanted = trials_of(runs / one["study_name"].removeprefix("arena/"))
        shown = get(app, f"/api/studies/{one['study_id']}", "after=0")["trials"]
        assert len(shown) == len(wanted)
        for trial, found in zip(wanted, shown, strict=True):
            assert found["state"] == ("Complete" if trial.score is not None else "Fail")
            assert found.get("values", [None]) == [trial.score]
            letters = [param["param_external_value"] for param in found["params"]]
            assert "".join(letters) == trial.pattern


def get(app: Any, path: str, query: str = "") -> Any:
    """What the dashboard's own server answers."""
    from wsgiref.util import setup_testing_defaults

    environment: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query}
    setup_testing_defaults(environment)
    said: list[str] = []
    body = b"".join(app(environment, lambda status, headers, *rest: said.append(status)))
    assert said[0].startswith("200"), body
    return json.loads(body)


@pytest.mark.filterwarnings("ignore")  # of the library's own calls
def test_iohinspector_loads_the_runs(runs: Path, tmp_path: Path) -> None:
    inspector = pytest.importorskip("iohinspector", reason="pip install iohinspector")
    assert main(["export", str(runs), "to=ioh", f"out={tmp_path}"]) == 0
    manager = inspector.DataManager()
    manager.add_folder(str(tmp_path))
    overview = manager.overview.to_pandas()
    assert sorted(zip(overview["algorithm_name"], overview["instance"], strict=True)) == [
        ("climber", 0),
        ("climber", 1),
        ("random", 0),
    ]
    loaded = manager.load(monotonic=False, include_meta_data=True).to_pandas()
    for name in NAMES:
        searcher, _, seed = name.partition("/seed-")
        trained = [t for t in trials_of(runs / name) if t.status in ("ok", "failed")]
        scores = [trial.score for trial in trained if trial.score is not None]
        own = loaded[(loaded["algorithm_name"] == searcher) & (loaded["instance"] == int(seed))]
        assert list(own["evaluations"]) == list(range(1, len(trained) + 1))
        shown = [
            y for y, trial in zip(own["raw_y"], trained, strict=True) if trial.score is not None
        ]
        assert shown == pytest.approx(scores, abs=1e-9)
        assert own["raw_y"].max() == pytest.approx(max(scores), abs=1e-9)
        best, expected = min(scores), []
        for trial in trained:
            if trial.score is not None:
                best = max(best, trial.score)
            expected.append(best)
        assert list(own["raw_y"].cummax()) == pytest.approx(expected, abs=1e-9)
        (row,) = overview[
            (overview["algorithm_name"] == searcher) & (overview["instance"] == int(seed))
        ].to_dict("records")
        assert (row["evals"], row["dimension"]) == (len(trained), 6)
        assert row["best_y"] == max(scores)


def test_a_damaged_run_is_left_out_with_a_line(
    runs: Path, tmp_path: Path, add_run: AddRun, capsys: pytest.CaptureFixture[str]
) -> None:
    add_run(tmp_path / "two", "climber", 0)
    damaged = add_run(tmp_path / "two", "climber", 1)
    lines = (damaged / "events.jsonl").read_text().splitlines(keepends=True)
    (damaged / "events.jsonl").write_text("".join(lines[1:]))
    assert main(["export", str(tmp_path / "two"), "to=csv"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "left out" in line and str(damaged) in line
    assert len(read(tmp_path / "two" / "csv" / "runs.csv")) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "empty"], "empty holds no runs"),
        (["export", "lost"], "there is no folder 'lost'"),
        (["export", "empty", "to=exel"], "to must be"),
        (["import", "lost.db"], "there is no file 'lost.db'"),
        (["import"], "one Optuna storage is expected"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
