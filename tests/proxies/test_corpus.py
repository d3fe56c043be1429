"""Real text: who is in which split, what a window is, and what is refused."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nasarena.proxies.data import shipped_text
from nasarena.proxies.data.corpus import (
    MAX_BYTES,
    SPLIT_ENDS,
    SourceFile,
    find_files,
    load_corpus,
)
from nasarena.proxies.data.shipped_text import library_files, pack, prose_files, shipped_files
from nasarena.proxies.data.task import TaskSplit
from nasarena.proxies.data.text import TextTask
from nasarena.search.errors import InvalidSetting, ProxyFailed

SHIPPED_WINDOW = b"          if self._check_alive()"
SPLITS: tuple[TaskSplit, ...] = ("train", "search", "held_out")


def write_files(folder: Path, count: int, size: int = 400) -> Path:
    """Files whose bytes are all one value, so that each byte says which file it is from."""
    (folder / "sub").mkdir(parents=True)
    for i in range(count):
        (folder / ("sub" if i % 2 else "") / f"{i}.txt").write_bytes(bytes([i]) * size)
    return folder


def test_the_text_that_ships_has_neither_tests_nor_installed_packages() -> None:
    names = {file.name for file in shipped_files()}
    assert {"argparse.py", "json/decoder.py", "collections/__init__.py"} <= names
    folders = {part for name in names for part in name.split("/")[:-1]}
    assert folders & {"test", "tests", "site-packages", "encodings", "idlelib", "lib2to3"} == set()
    sizes = {s: len(p) for s, p in load_corpus(shipped_files(), 65, "here").splits.items()}
    assert sizes["train"] > 2_000_000 and sizes["search"] > 100_000 and sizes["held_out"] > 100_000


@pytest.fixture
def unread() -> Iterator[None]:
    """The archive is read anew, and again for whoever comes after."""
    shipped_files.cache_clear()
    yield
    shipped_files.cache_clear()


@pytest.mark.usefixtures("unread")
def test_the_text_is_that_of_the_shipped_benchmark_under_every_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of PatternBench were trained on the library of Python 3.11.7, of this fingerprint;
    another Python, here one with a library of a single module, must not move a score."""
    (tmp_path / "this.py").write_text("x = 1\n" * 1000)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert [file.name for file in library_files()] == ["this.py"]
    task = TextTask(length=32)
    assert task.fingerprint.split("-")[2] == "19788e15739f08ac"
    batch = task.sample(0, "search", 1)
    assert bytes(batch.inputs[0].tolist()) == SHIPPED_WINDOW


@pytest.mark.usefixtures("unread")
def test_an_archive_that_is_not_the_shipped_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped_text, "ARCHIVES", {"code": tmp_path / "text.tar.xz"})
    with pytest.raises(ProxyFailed, match="cannot be read"):
        shipped_files()
    (tmp_path / "text.tar.xz").write_bytes(b"something else")
    with pytest.raises(ProxyFailed, match="has been changed"):
        shipped_files()


@pytest.mark.usefixtures("unread")
def test_packing_gives_the_same_bytes_each_time_and_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    for name in ("this.py", "argparse.py"):
        (library / name).write_text(f"# {name}\n" * 50)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(library))
    assert pack(library_files(), tmp_path / "one") == pack(library_files(), tmp_path / "two")
    monkeypatch.setattr(shipped_text, "ARCHIVES", {"code": tmp_path / "one"})
    monkeypatch.setattr(shipped_text, "SHA256", {"code": pack(library_files(), tmp_path / "one")})
    assert {file.name: file.read() for file in shipped_files()} == {
        path.name: path.read_bytes() for path in library.iterdir()
    }


def test_the_prose_is_english_and_another_text_than_the_code() -> None:
    files = shipped_files("prose")
    assert sum(len(file.read()) for file in files) > 4_000_000
    assert all(file.name.endswith(".txt") and file.name[:4].isdigit() for file in files)
    prose, code = TextTask(length=128, shipped="prose"), TextTask(length=128)
    assert prose.fingerprint != code.fingerprint
    text = bytes(prose.sample(0, "train", 64).inputs.astype(np.uint8).ravel())
    assert text.count(b" the ") > 50 and b"self." not in text and b"def " not in text


def test_prose_is_packed_from_whole_files_up_to_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for year in range(1790, 1800):
        (tmp_path / f"{year}_president.txt").write_text(f"{year} " * 100)  # 500 bytes
    (tmp_path / "1790_president.json").write_text("{}")
    monkeypatch.setattr(shipped_text, "PROSE_BYTES", 1200)
    chosen = prose_files(tmp_path)
    assert len(chosen) == 3 and all(len(file.read()) == 500 for file in chosen)
    assert [file.position for file in chosen] == sorted(file.position for file in chosen)


def test_each_file_is_in_one_split_and_a_new_file_moves_no_other(tmp_path: Path) -> None:
    def files_of_splits() -> dict[TaskSplit, set[int]]:
        splits = load_corpus(find_files([tmp_path / "text"]), 10, "here").splits
        return {split: set(np.unique(part).tolist()) - {10} for split, part in splits.items()}

    write_files(tmp_path / "text", 100)
    before = files_of_splits()
    assert sum(map(len, before.values())) == 99 and len(set.union(*before.values())) == 99
    assert len(before["train"]) > len(before["search"]) + len(before["held_out"])
    (tmp_path / "text" / "new.txt").write_bytes(b"\xff" * 400)
    after = files_of_splits()
    assert {split: files - {255} for split, files in after.items()} == before


def test_the_split_follows_the_name_and_not_where_the_folder_stands(tmp_path: Path) -> None:
    one = TextTask(write_files(tmp_path / "one", 60), length=16)
    two = TextTask(str(write_files(tmp_path / "deep" / "two", 60)), length=16)
    assert one.fingerprint == two.fingerprint
    assert np.array_equal(one.sample(3, "search", 5).inputs, two.sample(3, "search", 5).inputs)


@pytest.mark.parametrize("change", ["content", "name", "length"])
def test_the_fingerprint_follows_contents_names_and_length(tmp_path: Path, change: str) -> None:
    folder = write_files(tmp_path / "text", 60)
    before = TextTask(folder, length=16).fingerprint
    if change == "content":
        (folder / "0.txt").write_bytes(b"\x01" * 400)
    elif change == "name":
        (folder / "0.txt").rename(folder / "zero.txt")
    assert TextTask(folder, length=17 if change == "length" else 16).fingerprint != before


def test_a_single_file_is_cut_into_consecutive_parts(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes(bytes(range(200)))
    parts = load_corpus(find_files([tmp_path / "book.txt"]), 17, "here").splits
    assert [(int(parts[s][0]), int(parts[s][-1])) for s in SPLITS] == [
        (0, 159),
        (160, 179),
        (180, 199),
    ]


def test_targets_are_the_next_bytes_and_windows_come_from_their_own_split() -> None:
    task = TextTask(length=48)
    texts = {s: p.tobytes() for s, p in load_corpus(shipped_files(), 49, "here").splits.items()}
    for split in SPLITS:
        batch = task.sample(0, split, 20)
        assert batch.inputs.shape == batch.targets.shape == (20, 48)
        assert np.array_equal(batch.inputs[:, 1:], batch.targets[:, :-1])
        for row, target in zip(batch.inputs, batch.targets, strict=True):
            window = bytes(row.tolist()) + bytes([int(target[-1])])
            assert window in texts[split]


def test_a_longer_sample_begins_with_a_shorter_and_the_seed_decides() -> None:
    task = TextTask(length=32)
    long, short = task.sample(5, "train", 300), task.sample(5, "train", 7)
    assert np.array_equal(long.inputs[:7], short.inputs)
    assert np.array_equal(long.targets[:7], short.targets)
    assert not np.array_equal(task.sample(6, "train", 7).inputs, short.inputs)
    for split in ("search", "held_out"):  # one validation set for every run seed
        assert np.array_equal(task.sample(5, split, 7).inputs, task.sample(6, split, 7).inputs)


def test_another_process_reads_and_draws_the_same() -> None:
    code = (
        "from nasarena.proxies.data.text import TextTask; t = TextTask(length=32); "
        "print(t.fingerprint, t.sample(1, 'search', 50).inputs.sum())"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    task = TextTask(length=32)
    expected = f"{task.fingerprint} {task.sample(1, 'search', 50).inputs.sum()}"
    assert answer.stdout.strip() == expected, answer.stderr


def test_every_window_position_can_be_drawn(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(range(80)))
    task = TextTask(tmp_path / "a", length=4)  # search: bytes 64..71, so 4 windows
    starts = np.unique(task.sample(0, "search", 400).inputs[:, 0])
    assert starts.tolist() == [64, 65, 66, 67]


def test_a_large_corpus_is_read_up_to_a_cap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = find_files([write_files(tmp_path / "text", 100)])
    caps: dict[TaskSplit, int] = {"train": 1000, "search": 100, "held_out": 100}
    for split, cap in caps.items():
        monkeypatch.setitem(MAX_BYTES, split, cap)
    sizes = {split: len(part) for split, part in load_corpus(files, 10, "here").splits.items()}
    separators = 2  # 1000 bytes come from three files
    assert sizes == {"train": 1000 + separators, "search": 100, "held_out": 100}


def test_about_a_tenth_of_the_names_go_to_each_of_the_small_splits() -> None:
    positions = [SourceFile(f"{i}.txt", Path()).position for i in range(2000)]
    share = np.mean([SPLIT_ENDS["train"] <= p < SPLIT_ENDS["search"] for p in positions])
    assert 0.08 < share < 0.12


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "text", 4)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / ".hidden").write_text("secret")
    assert sorted(f.name for f in find_files([folder])) == [
        "0.txt",
        "2.txt",
        "sub/1.txt",
        "sub/3.txt",
    ]


def test_bad_paths_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.txt").write_bytes(b"")
    (tmp_path / "short.txt").write_bytes(b"x" * 100)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "gone.txt").symlink_to(tmp_path / "no such file")
    cases = {
        "no-such-folder": "does not exist or cannot be reached",
        "empty": "empty, which has no files",
        "nothing.txt": "nothing.txt with 0 bytes in 1 files",
        "short.txt": "short.txt with 100 bytes in 1 files (10 for the smallest split)",
        "broken": "gone.txt: No such file or directory",
    }
    for name, expected in cases.items():
        with pytest.raises(InvalidSetting) as caught:
            TextTask(tmp_path / name, length=64)
        assert expected in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InvalidSetting, match="length must be at least 1, got 0"):
        TextTask(length=0)
