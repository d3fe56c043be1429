"""A comparison as one file: what went through a real client comes back, and replays identically."""

import io
import json
import lzma
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from nasarena.agents.llm.errors import LlmRecordBroken
from nasarena.experiments.commands.cli import main
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.run_spec import conclude_cells, search_cell
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.exchange.replay_file import read_replay, write_replay
from nasarena.experiments.measure.faults.chat_server import serve
from nasarena.experiments.release import replay
from nasarena.experiments.settings.commands import compare_settings
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.run_folder import drop_measurements, find_runs, read_run
from nasarena.search.space import PatternSpace

BRIEF = "prompt:brief,memory:top-k,memory_trials:8"


def propose(messages: list[dict[str, str]], seed: int) -> str:
    """Random patterns; now and then a reply that has to be mended."""
    rng = np.random.default_rng(seed)
    if len(messages) == 2 and rng.random() < 0.3:
        return "I would try more attention."
    return json.dumps({"pattern": PatternSpace().sample(rng)})


@pytest.fixture(scope="module")
def record_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Agents on a real client, with controls of their own and of the harness; read only."""
    folder = tmp_path_factory.mktemp("played")
    agents = [f"{{name:agent-{name},options:{{{BRIEF}}}}}" for name in ("greedy", "sequential")]
    agents += [
        f"{{name:agent-override,options:{{{BRIEF},share:0.5}}}}",
        f"{{name:agent-sequential,label:blind,options:{{{BRIEF},control:shuffled_scores}}}}",
        f"{{name:agent-sequential,options:{{{BRIEF}}},control:seeded}}",
    ]
    with serve(propose) as server:
        config = compare_settings([
            f"searchers=[random,{','.join(agents)}]", "proxy=additive", "seeds=1", "name=lm",
            "budget.unit=trials", "budget.patterns=null", "budget.amount=16", "references=false",
            "loop.finalists=0", f"folder={folder}", f"llm.base_url={server.url}", "llm_label=m",
        ])  # fmt: skip
        planned = plan_comparison(config, "test")
        with with_model(planned, config, Console(quiet=True)) as comparison:
            for cell in comparison.cells:
                search_cell(cell, lambda advance: None)
                conclude_cells([cell])
    return folder / "lm"


def write(folder: Path, file: Path) -> bytes:
    write_replay([read_run(path) for path in find_runs(folder)], file, folder)
    return file.read_bytes()


def test_a_record_that_was_shipped_replays_without_a_server(
    record_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lm.tar.xz"
    shutil.copytree(record_folder, tmp_path / "lm")
    assert main(["export", str(tmp_path / "lm"), "to=replay"]) == 0
    shutil.rmtree(tmp_path / "lm")
    assert main(["import", str(file), "name=again", f"folder={tmp_path}"]) == 0
    unpacked = tmp_path / "again"
    names = {path.relative_to(record_folder) for path in find_runs(record_folder)}
    assert names == {path.relative_to(unpacked) for path in find_runs(unpacked)} and len(names) == 6
    for name in names:
        before, after = read_run(record_folder / name), read_run(unpacked / name)
        assert (before.header, before.events) == (after.header, after.events)
        if "llm" in before.config:
            assert len(list((unpacked / name / "llm").iterdir())) < len(
                list((record_folder / name / "llm").iterdir())
            ), "no requests"
            again = replay.replay(after, tmp_path / "replayed" / name.parts[0])
            assert drop_measurements(again.events) == drop_measurements(before.events)[:-1]
    assert any(trial.provenance == "llm-repaired"
               for name in names for trial in read_run(record_folder / name).trials())  # fmt: skip
    capsys.readouterr()
    assert replay.main([str(unpacked)]) == 0
    assert "5 of 5 runs came out again" in capsys.readouterr().out


def test_the_same_runs_are_the_same_bytes_and_few_of_them(
    record_folder: Path, tmp_path: Path
) -> None:
    first = write(record_folder, tmp_path / "one.tar.xz")
    assert first == write(record_folder, tmp_path / "two.tar.xz")
    whole = sum(path.stat().st_size for path in record_folder.rglob("*") if path.is_file())
    assert len(first) < whole / 8


def test_a_replay_without_requests_says_so_where_the_prompt_has_changed(
    record_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(record_folder, tmp_path / "lm.tar.xz")
    read_replay(tmp_path / "lm.tar.xz", tmp_path / "lm")
    for path in find_runs(tmp_path / "lm"):
        if "agent-greedy" not in path.parts[-2]:
            shutil.rmtree(path)
    (header,) = (tmp_path / "lm").rglob("run.json")
    events = header.with_name("events.jsonl")
    lines = events.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if '"llm_call"' in line)
    changed = json.loads(lines[at]) | {"key": "0" * 32}
    events.write_text("\n".join([*lines[:at], json.dumps(changed), *lines[at + 1 :]]) + "\n")
    assert replay.main([str(tmp_path / "lm")]) == 2
    found = capsys.readouterr()
    assert "0 of 1 runs" in found.out and "its request is not on record" in found.err


def archive(file: Path, name: str, content: bytes = b"{}", kind: bytes = tarfile.REGTYPE) -> Path:
    with lzma.open(file, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size, member.type, member.linkname = len(content), kind, "/etc/passwd"
        tar.addfile(member, io.BytesIO(content))
    return file


@pytest.mark.parametrize(
    "name", ["../run.json", "/run.json", "a/../../run.json", "a/evil.py", ".hidden/run.json"]
)
def test_nothing_is_unpacked_but_files_of_runs_in_the_folder(name: str, tmp_path: Path) -> None:
    file = archive(tmp_path / "bad.tar.xz", name)
    with pytest.raises(NasArenaError, match="which belongs to no run"):
        read_replay(file, tmp_path / "into" / "here")
    assert not (tmp_path / "into" / "here").exists() and not list((tmp_path / "into").iterdir())
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["bad.tar.xz"]


def test_links_damage_and_folders_that_are_there_are_refused(
    record_folder: Path, tmp_path: Path
) -> None:
    link = archive(tmp_path / "link.tar.xz", "a/seed-0/run.json", b"", tarfile.SYMTYPE)
    torn = tmp_path / "torn.tar.xz"
    torn.write_bytes(write(record_folder, tmp_path / "lm.tar.xz")[:-2000])
    reply = archive(tmp_path / "reply.tar.xz", "a/seed-0/replies.jsonl", b"[]\n")
    for file, words in (
        (link, "belongs to no run"),
        (torn, "cannot be unpacked"),
        (reply, "no reply"),
    ):
        with pytest.raises(NasArenaError, match=words):
            read_replay(file, tmp_path / "here")
        assert not list(tmp_path.glob("here*"))
    (tmp_path / "here").mkdir()
    with pytest.raises(InvalidSetting, match="is there already"):
        read_replay(tmp_path / "lm.tar.xz", tmp_path / "here")


def test_a_run_with_a_reply_missing_is_not_shipped(record_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(record_folder, tmp_path / "lm")
    run = read_run(next(path for path in find_runs(tmp_path / "lm") if "greedy" in str(path)))
    (run.path / "llm" / f"{next(run.of_kind('llm_call'))['reply']}.json").unlink()
    with pytest.raises(LlmRecordBroken, match="is missing"):
        write(tmp_path / "lm", tmp_path / "lm.tar.xz")
    assert not list(tmp_path.glob("lm.tar.xz*"))
