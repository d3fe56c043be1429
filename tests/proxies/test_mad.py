"""MAD tasks, each against a solver that is written from the task's description alone."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nasarena.proxies.data.task import IGNORE, Batch
from nasarena.proxies.mad.fuzzy_recall import different_tokens
from nasarena.proxies.mad.tasks import GENERATORS, mad_sweep, mad_task, mad_tasks
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream

ALL = list(GENERATORS)
SIZES = {"in-context-recall": 11, "fuzzy-recall": 11, "noisy-recall": 14}
SIZES |= {"selective-copying": 13, "compression": 11, "memorization": 6}


def rows(batch: Batch) -> Iterator[tuple[list[int], list[int]]]:
    yield from zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True)


# Settings of the sweep


def test_the_sweep_has_the_published_66_settings() -> None:
    counts = {name: len(list(mad_sweep(name))) for name in ALL}
    assert counts == SIZES and sum(counts.values()) == 66


def test_each_setting_of_the_sweep_changes_one_thing_and_is_significant() -> None:
    for name in ALL:
        tasks = list(mad_sweep(name))
        assert tasks[0].variant == "baseline"
        assert all(len(task.variant.split(", ")) == 1 for task in tasks)
        assert len({task.fingerprint for task in tasks}) == len(tasks)
    assert len({task.fingerprint for task in mad_tasks()}) == 6


def test_the_baselines_are_the_published_ones() -> None:
    shapes = {
        task.name: (task.vocab_size, task.length, task.settings.num_train_examples)
        for task in mad_tasks()
    }
    assert shapes == {
        "in-context-recall": (16, 127, 12800),  # 128 tokens, the last one only a target
        "fuzzy-recall": (16, 128, 12800),
        "noisy-recall": (32, 127, 12800),
        "selective-copying": (16, 256, 12800),
        "compression": (16, 32, 12800),
        "memorization": (256, 32, 256),
    }
    heads = {task.name: task.head for task in mad_tasks()}
    assert heads.pop("compression") == "auto_encoder"
    assert set(heads.values()) == {"language_model"}


@pytest.mark.parametrize("name", ALL)
def test_every_setting_of_the_sweep_samples_what_it_declares(name: str) -> None:
    for task in mad_sweep(name):
        batch = task.sample(0, "train", 20)
        assert batch.inputs.shape == batch.targets.shape == (20, task.length)
        assert batch.inputs.dtype == batch.targets.dtype == np.int64
        assert 0 <= batch.inputs.min() and batch.inputs.max() < task.vocab_size
        counted = batch.targets[batch.targets != IGNORE]
        assert counted.size and 0 <= counted.min() and counted.max() < task.vocab_size


# What is asked and what answers it


def recall_answers(tokens: list[int], num_keys: int, num_values: int) -> list[int]:
    """Look each key up in what was read before, pair by pair."""
    answers, value_of = [IGNORE] * len(tokens), dict[int, int]()
    for i in range(0, len(tokens), 2):
        key = tokens[i]
        if key < num_keys:
            if key in value_of:
                answers[i] = value_of[key]
            if i + 1 < len(tokens):
                assert num_keys <= tokens[i + 1] < num_keys + num_values
                assert value_of.setdefault(key, tokens[i + 1]) == tokens[i + 1]
    return answers


@pytest.mark.parametrize("split", ["search", "held_out"])
def test_recall_is_solved_by_looking_back(split: Any) -> None:
    for name, vocab in (("in-context-recall", 16), ("in-context-recall", 128)):
        batch = mad_task(name, {"vocab_size": vocab}).sample(0, split, 100)
        for tokens, targets in rows(batch):
            assert targets == recall_answers(tokens, vocab // 2, vocab // 2)
            assert targets[-1] != IGNORE  # there is always something to answer
    for fraction in (0.2, 0.8):
        batch = mad_task("noisy-recall", {"noise_fraction": fraction}).sample(0, split, 100)
        for tokens, targets in rows(batch):
            assert targets == recall_answers(tokens, 8, 8) and targets[-1] != IGNORE


def test_training_on_recall_counts_every_next_token() -> None:
    for name in ("in-context-recall", "noisy-recall", "fuzzy-recall"):
        batch = mad_task(name).sample(0, "train", 50)
        assert np.array_equal(batch.inputs[:, 1:], batch.targets[:, :-1])
        assert (batch.targets != IGNORE).all()


@pytest.mark.parametrize("fraction", [0.2, 0.6])
def test_noise_has_the_given_share_and_a_vocabulary_of_its_own(fraction: float) -> None:
    task = mad_task("noisy-recall", {"noise_fraction": fraction})
    pairs = task.sample(0, "search", 1000).inputs[:, :-1].reshape(1000, 63, 2)
    is_noise = pairs >= 16
    assert np.array_equal(is_noise[:, :, 0], is_noise[:, :, 1])
    # One of the 63 pairs before the last is kept free of noise.
    assert is_noise.mean() == pytest.approx(fraction * 62 / 63, abs=0.01)
    assert (~is_noise[:, :, 0]).any(axis=1).all()
    assert set(np.unique(pairs[is_noise])) == set(range(16, 32))


def runs_of_tokens(tokens: list[int], num_keys: int, pad: int) -> list[tuple[int, ...]]:
    """Alternating runs of key tokens and of value tokens; padding is left out."""
    runs: list[tuple[int, ...]] = []
    for i, token in enumerate(tokens):
        if token == pad:
            assert not runs, "padding in the middle"
        elif runs and (tokens[i - 1] < num_keys) == (token < num_keys):
            runs[-1] += (token,)
        else:
            runs.append((token,))
    return runs


def test_fuzzy_recall_is_solved_by_looking_motifs_up() -> None:
    for vocab in (16, 64):
        task = mad_task("fuzzy-recall", {"vocab_size": vocab})
        num_keys, pad = (vocab - 1) // 2, vocab - 1
        sizes = Counter[tuple[int, int]]()
        for tokens, targets in rows(task.sample(0, "search", 200)):
            runs = runs_of_tokens([*tokens, targets[-1]], num_keys, pad)
            known: dict[tuple[int, ...], tuple[int, ...]] = {}
            expected = [IGNORE] * (len(tokens) + 1 - sum(map(len, runs)))
            for key, value in zip(runs[::2], runs[1::2], strict=True):
                assert len(set(key)) == len(key) == 3 and len(set(value)) == len(value) <= 3
                answer = value if key in known else (IGNORE,) * len(value)
                expected += [IGNORE] * len(key) + list(answer)
                assert known.setdefault(key, value) == value
                sizes[len(key), len(value)] += 1
            assert targets == expected[1:]
            assert targets[-1] != IGNORE
        assert set(sizes) == {(3, 1), (3, 2), (3, 3)}


def test_fuzzy_recall_trains_on_motifs_of_all_sizes() -> None:
    sizes = Counter[int]()
    for tokens, targets in rows(mad_task("fuzzy-recall").sample(0, "train", 200)):
        sizes.update(map(len, runs_of_tokens([*tokens, targets[-1]], 7, 15)[::2]))
    total = sum(sizes.values())
    assert set(sizes) == {1, 2, 3} and all(0.28 < n / total < 0.39 for n in sizes.values())


def test_motifs_are_ordered_draws_without_replacement_all_equally_likely() -> None:
    motifs = different_tokens(4, 3, (200, 120), stream(0, "motifs")).reshape(-1, 3)
    counts = Counter(map(tuple, motifs.tolist()))
    assert len(counts) == 4 * 3 * 2
    assert all(abs(count - 1000) < 5 * 1000**0.5 for count in counts.values())


def test_selective_copying_is_solved_by_leaving_the_blanks_out() -> None:
    for copied in (16, 96):
        task = mad_task("selective-copying", {"num_tokens_to_copy": copied})
        for split in ("train", "search"):
            starts = set()
            for tokens, targets in rows(task.sample(0, split, 100)):
                sign = tokens.index(15)
                said = [token for token in tokens[:sign] if token != 14]
                assert len(said) == copied and len(tokens) - sign - 1 == copied
                assert targets == [IGNORE] * (256 - copied) + said
                assert set(tokens[sign + 1 :]) == {14}
                starts.add(tuple(i for i, token in enumerate(tokens[:sign]) if token != 14))
            assert len(starts) == 100  # the gaps are drawn anew in each example


def test_compression_asks_for_its_own_input() -> None:
    batch = mad_task("compression").sample(0, "search", 400)
    assert np.array_equal(batch.inputs, batch.targets)
    assert (batch.inputs[:, -1] == 15).all() and batch.inputs[:, :-1].max() == 14
    shares = np.bincount(batch.inputs[:, :-1].ravel()) / (400 * 31)
    assert np.abs(shares - 1 / 15).max() < 0.01


def test_memorization_is_solved_from_the_training_set_and_from_nothing_else() -> None:
    task = mad_task("memorization")
    facts: dict[int, int] = {}
    for tokens, targets in rows(task.sample(3, "train", 256)):
        assert set(tokens[1::2]) == {255} and set(targets[::2]) == {IGNORE}
        for key, value in zip(tokens[::2], targets[1::2], strict=True):
            assert key < 127 <= value < 255 and facts.setdefault(key, value) == value
    assert len(facts) == 127 == len(set(facts.values()))
    for split in ("search", "held_out"):
        for tokens, targets in rows(task.sample(3, split, 50)):  # type: ignore[arg-type]
            assert targets[1::2] == [facts[key] for key in tokens[::2]]
            assert set(tokens[1::2]) == {255}, "no value stands in the input"
    other = task.sample(4, "train", 256)
    agreeing = [facts[k] == v for k, v in zip(other.inputs[:, 0], other.targets[:, 1], strict=True)]
    assert np.mean(agreeing) < 0.1  # another run has other facts


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("compression", "memorization")])
def test_no_constant_guess_gets_far(name: str) -> None:
    batch = mad_task(name).sample(0, "search", 1000)
    answers = batch.targets[batch.targets != IGNORE]
    assert np.bincount(answers).max() / len(answers) < 0.16  # 8 values: 0.125


# Streams


@pytest.mark.parametrize("name", ALL)
def test_splits_share_no_example(name: str) -> None:
    task = mad_task(name)
    seen = [
        {row.tobytes() for row in task.sample(0, split, 600).inputs}
        for split in ("train", "search", "held_out")
    ]
    for one, other in [*pairwise(seen), (seen[0], seen[2])]:
        assert not one & other


@pytest.mark.parametrize("name", ALL)
def test_a_longer_sample_begins_with_a_shorter_and_the_run_seed_decides(name: str) -> None:
    task = mad_task(name)
    for split in ("train", "search"):
        long, short = task.sample(1, split, 700), task.sample(1, split, 300)
        assert np.array_equal(long.inputs[:300], short.inputs)
        assert np.array_equal(long.targets[:300], short.targets)
        assert not np.array_equal(task.sample(2, split, 300).inputs, short.inputs)


def test_a_small_training_set_comes_again_in_another_order() -> None:
    task = mad_task("in-context-recall", {"num_train_examples": 40, "length": 32})
    batch = task.sample(0, "train", 100)
    epochs = [batch.inputs[start : start + 40] for start in (0, 40)]
    assert {row.tobytes() for row in epochs[0]} == {row.tobytes() for row in epochs[1]}
    assert len({row.tobytes() for row in batch.inputs}) == 40
    assert not np.array_equal(epochs[0], epochs[1])
    assert np.array_equal(batch.inputs[:, 1:], batch.targets[:, :-1])
    assert len({row.tobytes() for row in task.sample(0, "search", 100).inputs}) == 100


def test_another_process_draws_the_same() -> None:
    code = (
        "from nasarena.proxies.mad.tasks import mad_tasks; "
        "print([int(t.sample(5, 'train', 9).inputs.sum()) for t in mad_tasks()])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    expected = [int(task.sample(5, "train", 9).inputs.sum()) for task in mad_tasks()]
    assert answer.stdout.strip() == str(expected), answer.stderr


# Bad input


def test_bad_settings_are_one_clear_line() -> None:
    def task(name: str, **changes: Any) -> Callable[[], object]:
        return lambda: mad_task(name, changes)

    cases: list[tuple[Callable[[], object], str]] = [
        (
            task("in-context-recal"),
            "no MAD task is called 'in-context-recal'; near",
        ),
        (
            lambda: mad_tasks(changes={"copying": {}}),
            "no MAD task is called 'copying'; expected one of in-c",
        ),
        (
            lambda: mad_tasks(["copying"]),
            "no MAD task is called 'copying'; expected one of in-c",
        ),
        (lambda: mad_tasks([]), "at least one task, got none"),
        (
            lambda: mad_tasks(["compression"], {"memorization": {}}),
            "'memorization', which data.tasks leaves out",
        ),
        (
            task("compression", vocabsize=3),
            "called 'changes.compression.vocabsize'; nearest: ",
        ),
        (
            task("compression", length="32"),
            "length must be a whole number, got '32'",
        ),
        (
            task("compression", length=True),
            "length must be a whole number, got True",
        ),
        (
            task("compression", length=32.5),
            "length must be a whole number, got 32.5",
        ),
        (task("compression", num_train_examples=0), "num_train_examples must be at least 1"),
        (task("in-context-recall", length=31), "length must be even and at least 4, got 31"),
        (task("in-context-recall", vocab_size=1), "at least one key and one value"),
        (task("noisy-recall", noise_fraction=1.0), "noise_fraction must be at least 0 and below"),
        (task("noisy-recall", noise_vocab_size=0), "noise_vocab_size must be at least 1 where"),
        (task("noisy-recall", vocab_size=17), "must leave at least one key and one value"),
        (task("fuzzy-recall", key_motif_size=0), "key_motif_size must be at least 1, got 0"),
        (task("fuzzy-recall", vocab_size=6), "vocab_size must be at least 7"),
        (task("fuzzy-recall", length=10), "length must be at least 11"),
        (task("selective-copying", num_tokens_to_copy=200), "length must be at least 401 to copy"),
        (task("memorization", length=7), "length must be even and at least 2, got 7"),
    ]
    for make, expected in cases:
        with pytest.raises(InvalidSetting) as caught:
            make()
        assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_the_smallest_settings_that_are_allowed_work() -> None:
    smallest = {
        "in-context-recall": {"vocab_size": 2, "length": 4},
        "noisy-recall": {"vocab_size": 3, "noise_vocab_size": 1, "length": 4},
        "fuzzy-recall": {"vocab_size": 7, "length": 11},
        "selective-copying": {"vocab_size": 3, "length": 3, "num_tokens_to_copy": 1},
        "compression": {"vocab_size": 2, "length": 2},
        "memorization": {"vocab_size": 3, "length": 2},
    }
    for task in mad_tasks(changes=smallest):
        for split in ("train", "search"):
            assert (task.sample(0, split, 300).targets != IGNORE).any(axis=1).all()
