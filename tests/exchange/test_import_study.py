"""Optuna studies as runs: made by Optuna itself, read back as records, compared like others."""

from pathlib import Path

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.search.run_folder import read_run

optuna = pytest.importorskip("optuna", reason="no Optuna: pip install 'nasarena[optimizers]'")
HIDDEN = "AMSAM"


def make_study(file: Path, name: str, seed: int, num_trials: int = 12) -> "optuna.Study":
    """Letters that differ from a hidden pattern; patterns that begin with S fail."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: "optuna.Trial") -> float:
        letters = [trial.suggest_categorical(f"layer{place}", "AMS") for place in range(5)]
        if letters[0] == "S":
            raise ArithmeticError("diverged")
        wrong = sum(a != b for a, b in zip(letters, HIDDEN, strict=True))
        return float(wrong)

    sampler = optuna.samplers.RandomSampler(seed=seed)
    study = optuna.create_study(study_name=name, sampler=sampler)
    study.optimize(objective, n_trials=num_trials, catch=ArithmeticError)
    backend = optuna.storages.journal.JournalFileBackend(str(file))
    to = optuna.storages.JournalStorage(backend)
    optuna.copy_study(from_study_name=name, from_storage=study._storage, to_storage=to)
    return study


def test_a_study_becomes_a_finished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = make_study(tmp_path / "studies.log", "mine", seed=0)
    for _ in range(2):  # again is the same run
        assert main(["import", "studies.log"]) == 0
    record = read_run(tmp_path / "runs" / "imported" / "mine" / "seed-0")
    assert record.state == "finished" and record.config["space"] == {"alphabet": "AMS", "depth": 5}
    trials = record.trials()
    assert [trial.status for trial in trials] == [
        "ok" if found.value is not None else "failed" for found in study.trials
    ]
    assert "failed" in {trial.status for trial in trials}
    for trial in trials:
        wrong = sum(a != b for a, b in zip(trial.pattern, HIDDEN, strict=True))
        assert trial.score == (None if trial.pattern.startswith("S") else -wrong)
    assert max(t.score for t in trials if t.score is not None) == -study.best_value


def test_what_was_exported_comes_back(add_run, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    run = add_run(tmp_path / "arena", "climber", 3, greed=0.9, amount=6)
    assert main(["export", "arena", "to=optuna", "out=studies.db"]) == 0
    assert main(["import", "sqlite:///studies.db", "label=climber", "seed=3"]) == 0
    before, after = read_run(run), read_run(tmp_path / "runs/imported/climber/seed-3")
    assert [(one.pattern, one.score) for one in before.trials()] == [
        (one.pattern, one.score) for one in after.trials()
    ]
    assert after.config["space"] == before.config["space"]


def test_imported_runs_are_ranked_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for searcher in ("one", "random"):
        for seed in range(2):
            name = f"{searcher}-{seed}"
            make_study(tmp_path / "studies.log", name, seed + 10 * (searcher == "one"), 5)
            arguments = [f"study={name}", f"label={searcher}", f"seed={seed}", "name=both"]
            assert main(["import", "studies.log", *arguments]) == 0
    from nasarena.figures.results.tables import read_tables

    tables = read_tables(tmp_path / "runs" / "both")
    assert tables.searchers == ["one", "random"] and tables.seeds == (0, 1)
    assert tables.excluded == ()


@pytest.mark.parametrize("name", ["", "study=other"])
def test_a_storage_of_several_studies_asks_which(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for study in ("first", "second"):
        optuna.create_study(storage="sqlite:///studies.db", study_name=study)
    assert main(["import", "studies.db", *filter(None, [name])]) == 2
    assert "study must name one of the 2 studies" in capsys.readouterr().err


def test_a_study_of_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    study = optuna.create_study(storage="sqlite:///studies.db", study_name="rates")
    study.optimize(lambda trial: trial.suggest_float("rate", 0, 1), n_trials=3)
    assert main(["import", "studies.db"]) == 2
    assert "every trial with a value must be a pattern" in capsys.readouterr().err
    assert not Path("runs").exists()
