"""Settings of text: which corpus they mean, what bits per byte are, what is refused."""

from collections import Counter
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.proxies.bits_per_byte import BitsPerByteProxy
from nasarena.proxies.contract import check_proxy
from nasarena.proxies.data import text_data
from nasarena.proxies.data.documents import Document, row_documents
from nasarena.proxies.data.shards import SPLITS, Shards
from nasarena.proxies.data.text import TextTask
from nasarena.proxies.data.text_data import ByteText, open_corpus, text_task
from nasarena.proxies.data.text_settings import TextSettings
from nasarena.proxies.data.token_text import TokenText
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.presets import TextProxySettings
from nasarena.proxies.trained import TrainedProxy
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.errors import InvalidSetting, ProxyFailed
from nasarena.search.proxy import TrialSeed
from nasarena.search.settings import build
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 3)
MODEL = {"width": 8, "num_heads": 2, "mamba_heads": 2, "mamba_state": 4}
TRAIN = {"steps": 6, "batch_size": 3, "num_eval": 16, "learning_rate": 0.02, "warmup_steps": 2}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards and calibrations of tests stay among themselves."""
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def stories(tmp_path: Path) -> Path:
    """A folder of 60 files of words that repeat, with some text beyond ASCII."""
    folder = tmp_path / "stories"
    folder.mkdir()
    rng = np.random.default_rng(0)
    words = ["once", "upon", "a", "time", "the", "caf\u00e9", "fox", "\u4e2d\u6587", "ran"]
    for i in range(60):
        text = " ".join(rng.choice(words, size=60))
        (folder / f"{i}.txt").write_text(f"{i}: {text}\n", encoding="utf-8")
    return folder


def corpus_text(folder: Path) -> dict[str, str]:
    """The same split of whole files, from names and contents alone."""
    parts: dict[str, list[str]] = {split: [] for split in SPLITS}
    for file in folder.iterdir():
        text = file.read_text(encoding="utf-8")
        parts[Document(file.name, text).split].append(text)
    return {split: "".join(sorted(f"{text}\n" for text in texts)) for split, texts in parts.items()}


def proxy(data: dict[str, Any], train: dict[str, Any] = TRAIN) -> TrainedProxy:
    return build(TextProxySettings, {"data": data, "model": MODEL, "train": train}, "proxy").build(
        SPACE, "toy"
    )


# Which corpus


def test_the_default_is_bytes_in_memory() -> None:
    settings = TextSettings(length=32)
    task = text_task(settings, batch_size=8)
    assert type(task) is ByteText and task.fingerprint == TextTask(length=32).fingerprint
    default = proxy({"length": 16})
    direct = BitsPerByteProxy("toy", SPACE, TextTask(length=16), default.settings)
    assert type(default) is BitsPerByteProxy and default.version == direct.version
    spelled = proxy({"length": 16, "path": None, "tokenizer": None, "shards": None})
    assert spelled.version == default.version
    (outcome,) = default.evaluate(["AMS"], [TrialSeed(0)])
    assert set(outcome.metrics) == {"loss", "accuracy", "bits_per_byte"}
    assert outcome.metrics["bits_per_byte"] == pytest.approx(outcome.metrics["loss"] / log(2))


def test_shards_of_a_folder_hold_its_files_each_whole_in_its_split(stories: Path) -> None:
    expected = corpus_text(stories)
    for tokenizer in (None, "train:300"):
        corpus = open_corpus(TextSettings(path=str(stories), tokenizer=tokenizer, documents=100))
        for split in SPLITS:
            places = np.arange(corpus.manifest.num_tokens(split))
            assert corpus.num_bytes(split, places) == len(expected[split].encode())
            if tokenizer is None:
                text = bytes(corpus.take(split, places).tolist()).decode()
                assert Counter(text.splitlines()) == Counter(expected[split].splitlines())


def test_a_limit_of_documents_takes_some_of_every_split(stories: Path) -> None:
    few = open_corpus(TextSettings(path=str(stories), documents=40)).manifest.num_documents
    assert sum(few.values()) == 40 and min(few.values()) > 0


def test_shards_are_written_once_and_again_when_a_file_changes(
    stories: Path, tmp_path: Path
) -> None:
    def folders() -> list[Path]:
        return list((tmp_path / "cache" / "shards").iterdir())

    settings = TextSettings(path=str(stories), tokenizer="train:300")
    first = open_corpus(settings)
    (manifest,) = [folder / "manifest.json" for folder in folders()]
    written = manifest.stat().st_mtime_ns
    assert open_corpus(settings).folder == first.folder
    assert manifest.stat().st_mtime_ns == written and len(folders()) == 1
    (stories / "0.txt").write_text("something else entirely")
    second = open_corpus(settings)
    assert second.manifest.fingerprint != first.manifest.fingerprint and len(folders()) == 2


def test_writing_that_takes_long_says_so(
    stories: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = TextSettings(path=str(stories), documents=60)
    open_corpus(replace(settings, documents=59))
    assert caplog.messages == []
    monkeypatch.setattr(text_data, "_REPORT_EVERY_S", -1.0)
    open_corpus(settings)
    assert len(caplog.messages) == 60 and ", once: 60 documents, 0 million" in caplog.messages[-1]


def test_equal_texts_are_never_in_two_splits() -> None:
    rows = [f"text {i % 40}" for i in range(400)]
    split_of: dict[str, set[str]] = {}
    for document in row_documents(rows):
        split_of.setdefault(document.text, set()).add(document.split)
    assert len(split_of) == 40 and all(len(splits) == 1 for splits in split_of.values())


def test_text_that_is_not_utf8_is_the_same_for_every_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("caf\u00e9 ".encode("latin-1") * 400)
    sizes = []
    for tokenizer in (None, "train:280"):
        corpus = open_corpus(
            TextSettings(path=str(tmp_path / "latin.txt"), tokenizer=tokenizer, documents=1)
        )
        train = np.arange(corpus.manifest.num_tokens("train"))
        sizes.append(corpus.num_bytes("train", train))
    assert sizes == [320 * (4 + 2 + 1) + 1] * 2  # a replacement character has three bytes


# A named folder


def test_a_named_folder_needs_no_source_and_knows_its_tokenizer(
    stories: Path, tmp_path: Path
) -> None:
    kept = str(tmp_path / "kept")
    written = TextSettings(path=str(stories), tokenizer="train:300", shards=kept, length=16)
    task = text_task(written, 4)
    for file in stories.iterdir():
        file.unlink()
    alone = text_task(TextSettings(shards=kept, length=16), 4)
    assert alone.fingerprint == task.fingerprint and alone.vocab_size == task.vocab_size
    named = replace(written, path=None)
    assert text_task(named, 4).fingerprint == task.fingerprint
    own = replace(named, tokenizer=f"{kept}/tokenizer.json")
    assert text_task(own, 4).fingerprint == task.fingerprint


def test_what_disagrees_with_the_shards_is_refused(stories: Path, tmp_path: Path) -> None:
    kept = TextSettings(path=str(stories), tokenizer="train:300", shards=str(tmp_path / "kept"))
    open_corpus(kept)
    with pytest.raises(InvalidSetting, match="with, train:300 .*, got train:301 .*leave it out"):
        open_corpus(replace(kept, tokenizer="train:301"))
    other = open_corpus(replace(kept, tokenizer="train:290", shards=None)).folder
    with pytest.raises(InvalidSetting, match="the one that the shards in .* were written with"):
        open_corpus(replace(kept, tokenizer=str(other / "tokenizer.json")))
    (stories / "0.txt").write_text("something else entirely")
    with pytest.raises(InvalidSetting, match="from another source or from files that have changed"):
        open_corpus(kept)
    with pytest.raises(InvalidSetting, match="leave data.path, data.dataset and data.documents"):
        open_corpus(replace(kept, path=None, documents=7))
    open_corpus(replace(kept, path=None))


# Windows and bits per byte


def test_windows_are_drawn_as_those_of_bytes_in_memory(stories: Path) -> None:
    task = text_task(TextSettings(path=str(stories), length=16, documents=100), 4)
    assert isinstance(task, TokenText)
    long, short = task.sample(5, "train", 30), task.sample(5, "train", 7)
    assert np.array_equal(long.inputs[:7], short.inputs)
    assert np.array_equal(long.inputs[:, 1:], long.targets[:, :-1])
    assert not np.array_equal(task.sample(6, "train", 7).inputs, short.inputs)
    assert np.array_equal(task.sample(5, "search", 7).inputs, task.sample(6, "search", 7).inputs)
    train = corpus_text(stories)["train"]
    for row in task.sample(0, "train", 9).inputs:
        inside = [part for part in bytes(row.tolist()).split(b"\n") if part]
        assert all(part in train.encode() for part in inside)


def test_bytes_per_token_are_those_of_the_scored_targets(stories: Path) -> None:
    """Against decoding the targets with the library itself."""
    from tokenizers import Tokenizer

    settings = TextSettings(path=str(stories), length=16, tokenizer="train:300")
    task, corpus = text_task(settings, 4), open_corpus(settings)
    assert isinstance(task, TokenText)
    library = Tokenizer.from_file(str(corpus.folder / "tokenizer.json"))
    num_bytes = 0
    targets = task.sample(0, "held_out", 25).targets
    for index in targets.ravel().tolist():
        token = library.id_to_token(index)
        num_bytes += 1 if token.startswith("<|") else len(token)  # a character is a byte
    assert task.bytes_per_token("held_out", 25) == num_bytes / targets.size > 1.2


def test_bits_per_byte_is_the_loss_in_a_unit_of_its_own(stories: Path) -> None:
    toy = proxy({"path": str(stories), "length": 8, "tokenizer": "train:300"})
    check_proxy(toy, num_patterns=3, tolerance=1e-4)
    for split in ("search", "held_out"):
        (outcome,) = toy.evaluate(["AMS"], [TrialSeed(0)], split)  # type: ignore[arg-type]
        (task,) = toy.tasks
        assert isinstance(task, TokenText)
        nats = outcome.metrics["loss"] * 16 * 8
        num_bytes = task.bytes_per_token(split, 16) * 16 * 8  # type: ignore[arg-type]
        assert outcome.metrics["bits_per_byte"] == pytest.approx(nats / num_bytes / log(2))
        assert outcome.score == -outcome.metrics["loss"]


def test_a_uniform_model_of_bytes_has_eight_bits_per_byte(stories: Path) -> None:
    toy = proxy({"path": str(stories), "length": 8, "documents": 60})
    still = TrainSettings(steps=1, batch_size=3, num_eval=16, learning_rate=1e-12)
    settings = TrainedSettings(ModelShape(**MODEL), still)  # type: ignore[arg-type]
    (task,) = toy.tasks
    assert isinstance(task, TokenText)
    (outcome,) = BitsPerByteProxy("toy", SPACE, task, settings).evaluate(["MMM"], [TrialSeed(0)])
    assert outcome.metrics["bits_per_byte"] == pytest.approx(outcome.metrics["loss"] / log(2))
    assert 7.5 < outcome.metrics["bits_per_byte"] < 9.5


def test_a_failed_training_has_no_bits(stories: Path) -> None:
    data = {"path": str(stories), "length": 8, "documents": 60}
    wild = proxy(data, {**TRAIN, "learning_rate": 1e4, "steps": 40})
    (outcome,) = wild.evaluate(["MMM"], [TrialSeed(0)])
    assert outcome.status == "failed" and outcome.metrics == {}


# Bad input


def test_a_corpus_smaller_than_one_batch_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("x" * 500)
    for tokenizer in (None, "train:257"):
        settings = TextSettings(path=str(tmp_path / "short.txt"), length=32, tokenizer=tokenizer)
        text_task(settings, batch_size=12)
        with pytest.raises(InvalidSetting) as caught:
            text_task(settings, batch_size=13)
        message = str(caught.value)
        assert "must hold one batch to train on, 417 tokens (13 x 32 and one), got 40" in message
        assert "\n" not in message
        with pytest.raises(InvalidSetting, match="for each of train, search and held_out"):
            text_task(replace(settings, length=60), batch_size=1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tokenizer": [512]}, "proxy.data.tokenizer must be a word, got [512]"),
        ({"path": {"a": 3}}, "proxy.data.path must be a word or a list such as [a,b], got {"),
        ({"path": []}, "data.path must hold text, got"),
        ({"path": [], "documents": 3}, "a corpus must hold text, got"),
        ({"documents": 0}, "data.documents must be at least 1, got 0"),
        ({"documents": True}, "data.documents must be a whole number, got True"),
        ({"subset": "a"}, "data.subset is one of data.dataset, which is not given"),
        ({"shards": "nowhere"}, "must be a folder that holds shards, got 'nowhere'; give"),
        ({"path": "lost", "documents": 3}, "'lost', which does not exist"),
        ({"tokenizer": "lost.json"}, "got 'lost.json': No such file"),
        ({"length": 0, "documents": 1}, "data.length must be at least 1, got 0"),
        (
            {"tokeniser": "x"},
            "called 'proxy.data.tokeniser'; nearest: proxy.data.tokenizer",
        ),
    ],
)
def test_wrong_settings_are_one_line(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        proxy({"length": 8, **settings})
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_settings_come_through_the_command_line(stories: Path) -> None:
    arguments = [f"proxy.data.path={stories}", "proxy.data.tokenizer=train:300", "space.depth=3"]
    config = evaluate_settings(["proxy=quick", *arguments])
    made = build_proxy(config.proxy, config.space, False)
    assert isinstance(made, BitsPerByteProxy) and 257 < made.tasks[0].vocab_size <= 300
    with pytest.raises(
        InvalidSetting, match="no setting is called 'proxy.data.tokeniser'; nearest"
    ):
        evaluate_settings(["proxy=text", "proxy.data.tokeniser=train:300"])


def test_a_damaged_shard_stops_the_command_in_one_line(stories: Path, tmp_path: Path) -> None:
    settings = TextSettings(path=str(stories), shards=str(tmp_path / "kept"))
    shard = next(open_corpus(settings).folder.glob("*.tokens"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(ProxyFailed, match="is damaged: .* bytes expected, got"):
        proxy({"shards": str(tmp_path / "kept")})
    with pytest.raises(ProxyFailed, match="is damaged"):
        Shards(tmp_path / "kept")
