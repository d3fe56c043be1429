"""Data sets through the library of Hugging Face: real loading of small local files, no network."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nasarena.proxies.data.hub import DatasetSource
from nasarena.proxies.data.text_data import open_corpus
from nasarena.proxies.data.text_settings import TextSettings
from nasarena.search.errors import InvalidSetting, NasArenaError, ProxyFailed


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of tests stay among themselves; no test asks the network."""
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return [{"id": i, "story": f"story {i}: " + "a fox ran home. " * 9} for i in range(80)]


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    parquet.write_table(arrow.Table.from_pylist(rows), path)


def write_json(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("kind", ["json", "parquet", "folder"])
def test_local_files_are_read_through_the_library(
    kind: str, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "rows").mkdir()
    file = tmp_path / "rows" / ("rows.jsonl" if kind == "json" else "rows.parquet")
    rows[3]["story"] = None
    (write_json if kind == "json" else write_parquet)(file, rows)
    source = {"dataset": str(tmp_path / "rows")}
    if kind != "folder":
        source = {"dataset": kind, "path": str(file)}
    settings = TextSettings(column="story", tokenizer="train:280", **source)  # type: ignore[arg-type]
    manifest = open_corpus(settings).manifest
    assert sum(manifest.num_documents.values()) == 79
    fewer = open_corpus(replace(settings, documents=50)).manifest
    assert sum(fewer.num_documents.values()) == 50
    again = open_corpus(replace(settings, shards=str(tmp_path / "kept")))
    assert again.manifest.fingerprint == manifest.fingerprint


def test_rows_stream_in_order_and_no_further_than_asked(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    pytest.importorskip("datasets")
    write_json(tmp_path / "rows.jsonl", rows)
    source = DatasetSource("json", None, "story", [str(tmp_path / "rows.jsonl")])
    texts = source.texts()
    assert [next(texts) for _ in range(3)] == [row["story"] for row in rows[:3]]
    texts.close()


def test_what_a_data_set_lacks_is_one_line(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    pytest.importorskip("datasets")
    write_json(tmp_path / "rows.jsonl", rows)
    (tmp_path / "broken.jsonl").write_text('{"story": "a"}\n{"story"')
    file = str(tmp_path / "rows.jsonl")
    cases: list[tuple[type[NasArenaError], str, dict[str, Any]]] = [
        (InvalidSetting, "a column of json, got 'text'; it has id, story", {}),
        (InvalidSetting, "data.column must hold text, got int in column 'id'", {"column": "id"}),
        (ProxyFailed, "'parquet' cannot be read: ", {"dataset": "parquet"}),
        (ProxyFailed, "'json' cannot be read: ", {"path": str(tmp_path / "broken.jsonl")}),
        (InvalidSetting, "does not exist or cannot be reached", {"path": "lost.jsonl"}),
        (ProxyFailed, "cannot be read: ", {"dataset": str(tmp_path / "lost"), "path": None}),
    ]
    for error, words, changes in cases:
        with pytest.raises(error) as caught:
            open_corpus(TextSettings(**{"dataset": "json", "path": file, **changes}))
        assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_hub_name_without_network_is_one_line_and_nothing_else(tmp_path: Path) -> None:
    """In a process of its own: whether to go online is read when the library is imported."""
    pytest.importorskip("datasets")
    code = (
        "from nasarena.experiments.commands.cli import main; raise SystemExit(main(["
        "'evaluate', '2A5M2A3M1A3M', 'proxy=quick', 'proxy.data.dataset=fineweb-edu']))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    said = (answer.stdout + answer.stderr).strip()
    assert answer.returncode == 2 and said.count("\n") == 0, said
    assert "data.dataset 'fineweb-edu' cannot be reached: " in said
    assert "data.shards that were written where there is one" in said


def test_the_library_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InvalidSetting, match="needs the library datasets, which is not installed"):
        open_corpus(TextSettings(dataset="dclm"))
