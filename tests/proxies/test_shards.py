"""Shards: what is written is read, whatever the sizes; what is damaged is said in one line."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nasarena.proxies.data import shard_writer
from nasarena.proxies.data.documents import Document, in_parts
from nasarena.proxies.data.shard_writer import write_corpus
from nasarena.proxies.data.shards import SPLITS, Manifest, Shards, has_shards
from nasarena.proxies.data.tokenizer import parse_tokenizer
from nasarena.search.errors import InvalidSetting, ProxyFailed


def documents(count: int = 60, size: int = 40) -> list[Document]:
    """Texts that name themselves, so that each token says which document it is from."""
    return [Document(f"{i}", f"<{i:04d}>" * (size // 6)) for i in range(count)]


def write(folder: Path, texts: list[Document], tokenizer: str | None = None) -> Manifest:
    def again() -> Iterator[Document]:
        return iter(texts)

    return write_corpus(folder, again, parse_tokenizer(tokenizer), {"made": "here"}, "the test")


def text_of(corpus: Shards, split: str) -> str:
    places = np.arange(corpus.manifest.num_tokens(split))  # type: ignore[arg-type]
    return bytes(corpus.take(split, places).tolist()).decode()  # type: ignore[arg-type]


def test_documents_come_back_whole_each_in_its_own_split(tmp_path: Path) -> None:
    texts = documents(200)
    write(tmp_path, texts)
    corpus = Shards(tmp_path)
    for split in SPLITS:
        expected = [document.text for document in texts if document.split == split]
        assert text_of(corpus, split) == "".join(f"{text}\n" for text in expected)
        assert corpus.manifest.num_documents[split] == len(expected) > 0
    assert 130 < corpus.manifest.num_documents["train"] < 190


def test_the_size_of_shards_shows_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = documents(80)
    write(tmp_path / "whole", texts, "train:280")
    monkeypatch.setattr(shard_writer, "SHARD_TOKENS", 37)  # documents lie across shards
    write(tmp_path / "cut", texts, "train:280")
    one, other = Shards(tmp_path / "whole"), Shards(tmp_path / "cut")
    assert len(other.manifest.splits["train"]) > 10 and len(one.manifest.splits["train"]) == 1
    for split in SPLITS:
        places = np.arange(one.manifest.num_tokens(split)).reshape(-1, 1) - np.zeros(3, int)
        assert np.array_equal(one.take(split, places), other.take(split, places))
        assert one.num_bytes(split, places) == other.num_bytes(split, places)


def test_shards_are_named_by_content_and_hold_the_smallest_type(tmp_path: Path) -> None:
    texts = documents()
    first, second = write(tmp_path / "a", texts), write(tmp_path / "b", texts)
    assert first.fingerprint == second.fingerprint
    names = [sorted(p.name for p in (tmp_path / x).iterdir()) for x in "ab"]
    assert names[0] == names[1] and len(names[0]) == 4  # three shards and a manifest
    third = write(tmp_path / "c", texts, "train:280")
    kinds = (
        [s.tokens.dtype for s in first.splits["train"]],
        [(s.tokens.dtype, s.widths and s.widths.dtype) for s in third.splits["train"]],
    )
    assert kinds == (["|u1"], [("<u2", "|u1")])
    assert (tmp_path / "c" / "tokenizer.json").exists()


def test_one_document_is_cut_into_consecutive_parts(tmp_path: Path) -> None:
    text = "".join(chr(ord("a") + i % 26) for i in range(1000))
    write(tmp_path, [Document("book", text)])
    corpus = Shards(tmp_path)
    parts = [text_of(corpus, split)[:-1] for split in SPLITS]
    assert parts == [text[:800], text[800:900], text[900:]]
    assert [part for _, part in in_parts(Document("book", text))] == parts


def test_a_first_try_that_is_given_up_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_writer, "SHARD_TOKENS", 64)
    manifest = write(tmp_path, [Document("book", "abcdefgh" * 100)])
    listed = {f"{s.tokens.checksum}.tokens" for split in SPLITS for s in manifest.splits[split]}
    assert {path.name for path in tmp_path.iterdir()} == {*listed, "manifest.json"}


def test_a_tokenizer_is_trained_on_the_training_split_alone(tmp_path: Path) -> None:
    texts = [
        Document(
            str(i), "zqzqzqzq " * 30 if Document(str(i), "").split != "train" else "hello " * 9
        )
        for i in range(60)
    ]
    write(tmp_path, texts, "train:270")
    assert "zq" not in (tmp_path / "tokenizer.json").read_text()
    assert "hello" in (tmp_path / "tokenizer.json").read_text()


def test_two_processes_that_write_the_same_folder_both_succeed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from nasarena.proxies.data.documents import Document; "
        "from nasarena.proxies.data.shard_writer import write_corpus; "
        "from nasarena.proxies.data.tokenizer import parse_tokenizer; "
        "texts = [Document(str(i), f'<{i:04d}>' * 6) for i in range(60)]; "
        "write_corpus(Path(sys.argv[1]), lambda: iter(texts), parse_tokenizer(None), {}, 'it')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "both")]
    writers = [subprocess.Popen(command) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    both, alone = Shards(tmp_path / "both").manifest, write(tmp_path / "alone", documents())
    assert both.fingerprint == alone.fingerprint
    names = [sorted(path.name for path in (tmp_path / x).iterdir()) for x in ("both", "alone")]
    assert names[0] == names[1]


# Damage


def shard_of(folder: Path) -> Path:
    return next(path for path in sorted(folder.iterdir()) if path.suffix == ".tokens")


def truncate(folder: Path) -> None:
    shard = shard_of(folder)
    shard.write_bytes(shard.read_bytes()[:-3])


def flip_a_bit(folder: Path) -> None:
    shard = shard_of(folder)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


def lose_a_shard(folder: Path) -> None:
    shard_of(folder).unlink()


def tear_the_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text((folder / "manifest.json").read_text()[:-40])


def empty_the_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")


def age_the_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 0}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncate, "bytes expected, got"),
        (flip_a_bit, "checksum"),
        (lose_a_shard, "cannot be read: No such file"),
        (tear_the_manifest, "manifest.json is damaged (JSONDecodeError)"),
        (empty_the_manifest, "manifest.json is damaged (KeyError)"),
        (age_the_manifest, "shards of format 1 are expected"),
    ],
)
def test_damage_is_one_line_and_writing_again_heals_it(
    tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    whole = write(tmp_path, documents())
    damage(tmp_path)
    with pytest.raises(ProxyFailed) as caught:
        Shards(tmp_path)
    message = str(caught.value)
    assert words in message and "manifest.json" in message and "\n" not in message
    (tmp_path / "manifest.json").unlink()  # as the message says
    assert not has_shards(tmp_path)
    write(tmp_path, documents())
    assert Shards(tmp_path).manifest == whole


def test_a_writer_that_is_interrupted_leaves_no_corpus(tmp_path: Path) -> None:
    def interrupt() -> Iterator[Document]:
        yield from documents()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_corpus(tmp_path, interrupt, parse_tokenizer(None), {}, "the test")
    assert not has_shards(tmp_path)


def test_places_that_cannot_be_written_and_corpora_without_text_are_one_line(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidSetting, match="shards must be written to a folder with room, got"):
        write(tmp_path / "file", documents())
    with pytest.raises(ProxyFailed, match="the folder of shards must be readable, got"):
        has_shards(tmp_path / "file")
    with pytest.raises(InvalidSetting, match="must hold text, got the test, which has none"):
        write(tmp_path / "empty", [])
