"""The benchmark scripts: published settings reach the runs, the table says what the runs say."""

import csv
import importlib
from pathlib import Path

import numpy as np
import pytest

from nasarena.experiments import benchmarks
from nasarena.experiments.benchmarks.protocol import Protocol, benchmark
from nasarena.experiments.settings.registry import SEARCHERS, load_searcher
from nasarena.search.run_folder import find_runs, read_run

FOLDER = Path(next(iter(benchmarks.__path__)))
SCRIPTS = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in ("__init__", "protocol"))


def protocol_of(script: str) -> Protocol:
    module = importlib.import_module(f"nasarena.experiments.benchmarks.{script}")
    assert isinstance(module.PROTOCOL, Protocol)
    return module.PROTOCOL


def test_every_classical_searcher_has_a_script() -> None:
    classical = {name for name, place in SEARCHERS.items() if "baselines." in place}
    assert {protocol_of(script).searcher for script in SCRIPTS} == classical - {"references"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_protocol_has_a_source_and_options_that_the_searcher_knows(script: str) -> None:
    protocol = protocol_of(script)
    assert script.removesuffix("_search") in protocol.searcher.replace("-", "_")
    assert protocol.source and protocol.num_patterns >= 100
    assert protocol.options.keys() <= load_searcher(protocol.searcher).options().keys()


def test_the_table_says_what_the_runs_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    protocol = Protocol("evolution", "by hand", 12, {"population": 5, "tournament": 2})
    assert benchmark(protocol, ["additive", "nk", "--seeds", "2", "--out", "b"]) == 0
    with Path("b/evolution/table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["proxy"], row["searcher"]) for row in rows if row["searcher"] != "random"] == [
        ("additive", "evolution"),
        ("nk", "evolution"),
    ]
    for row in rows:
        runs = [
            read_run(p) for p in find_runs(Path("b/evolution") / row["proxy"] / row["searcher"])
        ]
        assert len(runs) == int(row["seeds"]) == 2
        if row["searcher"] == "evolution":
            options = [run.config["searcher"]["options"] for run in runs]
            assert options == [{"population": 5, "tournament": 2}] * 2
        means = [
            np.mean([event["outcome"]["score"] for event in run.of_kind("final")]) for run in runs
        ]
        assert float(row["final_score"]) == pytest.approx(np.mean(means), rel=1e-4)
    text = Path("b/evolution/table.md").read_text()
    assert "Settings: by hand" in text and text.count("\n| ") == 2 + len(rows)

    capsys.readouterr()  # the same command again does nothing but say so
    assert benchmark(protocol, ["additive", "nk", "--seeds", "2", "--out", "b"]) == 0
    assert "0 of 4 runs to do" in capsys.readouterr().out


def test_an_unknown_proxy_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert benchmark(protocol_of("random_search"), ["addative"]) == 2
    assert "no proxy is called 'addative'" in capsys.readouterr().err
    assert not list(tmp_path.rglob("table.csv"))
