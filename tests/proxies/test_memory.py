"""What a population takes in memory, how large it may be, and what happens where that is wrong."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nasarena.proxies.models.flops import SequenceShape, num_parameters
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.training import population_sizing as fitting_module
from nasarena.proxies.training.memory import (
    BYTES_PER_WEIGHT,
    MemoryModel,
    free_bytes,
    is_device_lost,
    is_out_of_memory,
    readable,
    track_saved_tensors,
    usable_bytes,
)
from nasarena.proxies.training.population_sizing import PopulationSizer
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.errors import ProxyFailed
from nasarena.search.trial import Cost, Outcome

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SHAPE = ModelShape(width=16, num_heads=2, mamba_heads=2, mamba_state=4)
SEQUENCE = SequenceShape(vocab_size=11, length=12)
TRAIN = TrainSettings(steps=5, batch_size=4, num_eval=6)


def model(train: TrainSettings = TRAIN) -> MemoryModel:
    return MemoryModel(SHAPE, SEQUENCE, train, CPU)


def test_what_autograd_holds_is_counted_by_hand_in_a_small_case() -> None:
    """exp holds its result, a product of two its factors, a sum nothing; a dropped branch nothing.

    Of 10 numbers: exp(x) 40 bytes, and x * y holds x and y, 80 bytes, x counted once.
    """
    x, y = (torch.ones(10, requires_grad=True) for _ in range(2))
    with track_saved_tensors() as held:
        result = (x.exp() + x * y).sum()
        (x * 3).sin()  # no one needs its gradient
        storages = {each.tensor.untyped_storage().data_ptr() for each in held}
    assert len(storages) == 3
    result.backward()  # type: ignore[no-untyped-call]
    assert isinstance(x.grad, Tensor)


def test_a_mlp_layer_keeps_what_its_formula_needs() -> None:
    """Per token: the norm's input and its result, plain and weighted (D each), its scale (1),
    GELU's input and result (4 D each)."""
    deeper, shallow = (model().model_bytes("M" * depth) for depth in (9, 8))
    tokens, width = TRAIN.batch_size * SEQUENCE.length, SHAPE.width
    weights = num_parameters("MM", SHAPE, SEQUENCE) - num_parameters("M", SHAPE, SEQUENCE)
    assert deeper - shallow == BYTES_PER_WEIGHT * weights + 4 * tokens * (11 * width + 1)


def test_products_in_half_the_bits_keep_less() -> None:
    full, half = (replace(model(), precision=name) for name in ("float32", "bfloat16"))
    for letter in "AMS":
        assert half.activation_bytes(letter * 4) < 0.95 * full.activation_bytes(letter * 4)


def test_memory_grows_with_sequences_data_and_members_as_stated() -> None:
    one = model().model_bytes("AMSS")
    assert model().peak_bytes(["AMSS"] * 3) == 3 * one
    assert model().model_bytes("SASM") == one  # the order of layers is of no consequence
    more_data = TrainSettings(steps=5, batch_size=4, num_eval=16)
    assert model(more_data).model_bytes("AMSS") - one == 10 * 12 * 16
    larger = TrainSettings(steps=5, batch_size=8, num_eval=6)
    assert one < model(larger).model_bytes("AMSS") < 2 * one


def test_as_many_fit_as_the_model_says() -> None:
    patterns = ["AAAA", "SSSS", "MMMM"]
    first, second, third = (model().model_bytes(pattern) for pattern in patterns)
    fits = model().prefix_that_fits
    assert fits(patterns, first + second + third) == 3
    assert fits(patterns, first + second + third - 1) == 2
    assert fits(patterns, first - 1) == 0


def test_usable_memory_is_a_share_of_what_is_free() -> None:
    assert 0 < usable_bytes(CPU) < free_bytes(CPU)


def test_a_system_that_does_not_say_what_is_free_has_half(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nasarena.search.machine._MEMINFO", tmp_path / "none")
    all_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert free_bytes(CPU) == all_bytes // 2


@pytest.mark.parametrize(
    "error, expected",
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (RuntimeError("shape mismatch"), False),
        (ValueError("not enough memory"), False),
    ],
)
def test_words_of_exhausted_memory_are_known(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_the_error_that_torch_raises_here_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_a_lost_device_is_told_from_exhausted_memory() -> None:
    assert is_device_lost(RuntimeError("CUDA error: unspecified launch failure"), GPU)
    assert not is_device_lost(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), GPU)
    assert not is_device_lost(RuntimeError("CUDA error: unspecified launch failure"), CPU)
    assert not is_device_lost(RuntimeError("shape mismatch"), GPU)


def test_sizes_are_readable() -> None:
    assert readable(1.5 * 2**30) == "1.5 GiB" and readable(310 * 2**20) == "310 MiB"


PATTERNS = ["AAAA", "MMMM", "SSSS", "AMSA", "MMSS", "SAMA", "AAMM"]


def outcome(member: int) -> Outcome:
    return Outcome("ok", float(member), Cost())


def failure(member: int, reason: str) -> Outcome:
    return Outcome("failed", None, Cost(), note=reason)


def trains(at_most: int, sizes: list[int], error: Exception) -> Callable[..., list[Outcome]]:
    """A training that runs out of memory above `at_most` models, and with the pattern SAMA."""

    def train(part: Sequence[int]) -> list[Outcome]:
        sizes.append(len(part))
        if len(part) > at_most or part == [5]:
            raise error
        return [outcome(member) for member in part]

    return train


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("x"), RuntimeError("not enough memory: 3")]
)
def test_a_population_that_does_not_fit_is_halved_and_the_rest_goes_on(error: Exception) -> None:
    sizes: list[int] = []
    fitting = PopulationSizer([model()], CPU, bound=16)
    found = fitting.evaluate(PATTERNS, range(7), trains(2, sizes, error), failure)
    assert sorted(found) == list(range(7))
    assert sizes[:2] == [7, 3]
    assert fitting.bound == 16  # the last to fail failed alone
    for member in (0, 1, 2, 3, 4, 6):
        assert found[member].score == member
    assert found[5].status == "failed"
    assert found[5].note.startswith("out of memory: one model takes about ")
    assert "proxy.train.batch_size" in found[5].note


def test_what_fitted_is_remembered() -> None:
    sizes: list[int] = []
    fitting = PopulationSizer([model()], CPU, bound=16)
    for _ in range(2):
        fitting.evaluate(PATTERNS[:5], range(5), trains(2, sizes, MemoryError()), failure)
    assert sizes == [5, 2, 2, 1, 2, 2, 1] and fitting.bound == 2


def test_a_population_is_cut_beforehand_to_what_the_model_allows(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sizes: list[int] = []
    room = model().peak_bytes(PATTERNS[:3])
    monkeypatch.setattr(fitting_module, "usable_bytes", lambda device: room)
    fitting = PopulationSizer([model()], CPU, bound=16)
    found = fitting.evaluate(PATTERNS[:5], range(5), trains(9, sizes, MemoryError()), failure)
    assert sizes[0] == 3 and sum(sizes) == 5 and len(found) == 5
    assert "5 models do not fit into" in caplog.text and "scores do not change" in caplog.text


def test_a_model_larger_than_all_memory_is_not_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    for name in ("free_bytes", "usable_bytes"):
        monkeypatch.setattr(fitting_module, name, lambda device: 1000)
    fitting = PopulationSizer([model()], CPU, bound=16)
    found = fitting.evaluate(PATTERNS[:2], range(2), trains(9, sizes, MemoryError()), failure)
    assert sizes == []
    assert all(outcome.note.startswith("out of memory") for outcome in found.values())


def test_other_errors_are_not_hidden_and_a_lost_device_is_one_line() -> None:
    broken = RuntimeError("shape mismatch")
    with pytest.raises(RuntimeError, match="shape mismatch"):
        PopulationSizer([model()], CPU, 4).evaluate(PATTERNS, [0], trains(0, [], broken), failure)

    class OnGpu(PopulationSizer):
        def size(self, patterns: Sequence[str]) -> int:
            return len(patterns)

    lost = RuntimeError("CUDA error: the launch timed out\nCompile with TORCH_USE_CUDA_DSA")
    with pytest.raises(ProxyFailed, match="stopped answering.*timed out.*goes on") as caught:
        OnGpu([model()], GPU, 4).evaluate(PATTERNS, [0, 1], trains(0, [], lost), failure)
    assert "\n" not in str(caught.value)
