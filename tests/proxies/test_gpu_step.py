"""A training step on a GPU that is not there: shapes, types and devices of every operation.

Torch has tensors that are of a device by name alone, and the rules by which operations on a GPU
take other types than asked (autocast) are part of every build. So what a GPU would refuse in the
forward pass, the loss, the update and the score is refused here; only the gradients' engine asks
for a device.
"""

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from nasarena.proxies.models import attention, mamba2
from nasarena.proxies.models.mamba2 import sum_by_doubling
from nasarena.proxies.models.model_shape import HeadKind, ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.training.adamw import FlatAdamW
from nasarena.proxies.training.train_step import TrainStep, losses

GPU = torch.device("cuda", 0)
SHAPE = ModelShape(width=16, num_heads=2, mamba_heads=2, mamba_state=4)
GROUPED = replace(SHAPE, num_kv_heads=1, head_dim=4, mamba_groups=2, tied_embeddings=True)
# Of what torch refuses on a GPU, or did, once deterministic kernels are asked for.
REFUSED = {"cumsum", "put_", "histc", "median", "nll_loss2d_forward", "scatter_reduce", "kthvalue"}
GUARD = """
#include <c10/core/impl/DeviceGuardImplInterface.h>
using namespace c10;
static bool set = (impl::device_guard_impl_registry[size_t(DeviceType::CUDA)].store(
                       new impl::NoOpDeviceGuardImpl<DeviceType::CUDA>()), true);
"""


class OnGpu(TorchFunctionMode):
    """Moves to the GPU without asking for it, and does not run the fused update."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.to and args[1:2] == (GPU,):
            return torch.empty_like(args[0], device=GPU)
        if func is torch._fused_adamw_:
            tensors = [tensor for part in args for tensor in part]
            assert {tensor.device for tensor in [*tensors, kwargs["lr"]]} == {GPU}
            assert {tensor.dtype for tensor in tensors} == {torch.float32}
            return None
        return func(*args, **(kwargs or {}))


class Watched(TorchDispatchMode):
    """Notes every operation."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.__name__.partition(".")[0])
        return func(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Builds without CUDA do not know what to do before an operation on a GPU: nothing."""
    if torch.cuda.is_available():
        return
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    folder, torch_folder = tmp_path_factory.mktemp("guard"), Path(torch.__file__).parent
    (folder / "guard.cpp").write_text(GUARD)
    subprocess.run(
        [
            compiler, "-std=c++20", "-shared", "-fPIC", f"-I{torch_folder / 'include'}",
            str(folder / "guard.cpp"), "-o", str(folder / "guard.so"),
            f"-L{torch_folder / 'lib'}", "-lc10",
        ],
        check=True,
    )  # fmt: skip
    ctypes.CDLL(str(folder / "guard.so"))


@pytest.fixture
def gpu(guard: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Autocast as on a GPU, and tables of no one else's."""
    for module, name in ((attention, "rotary_table"), (attention, "causal_mask")):
        monkeypatch.setattr(module, name, getattr(module, name).__wrapped__)
    monkeypatch.setattr(mamba2, "causal_mask", attention.causal_mask)
    was = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    torch.set_autocast_enabled("cuda", True)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), OnGpu():
            yield
    finally:
        torch.set_autocast_enabled("cuda", was[0])
        torch.set_autocast_dtype("cuda", was[1])
        torch.clear_autocast_cache()


@pytest.mark.parametrize("length", [6, 150])  # one chunk of a scan, and several
@pytest.mark.parametrize("patterns", [["AA"], ["MM"], ["SS"], ["AMS", "SMA", "MMM"]])
@pytest.mark.parametrize("head", ["language_model", "auto_encoder"])
@pytest.mark.parametrize("shape", [SHAPE, GROUPED], ids=["plain", "grouped"])
def test_a_gpu_would_take_the_step(
    gpu: None, patterns: list[str], length: int, head: HeadKind, shape: ModelShape
) -> None:
    generators = [torch.Generator() for _ in patterns]
    models = Population(patterns, generators, shape, 5, length, head, GPU)
    step = TrainStep(models, FlatAdamW(models, (0.9, 0.95), 0.1, 1.0), 6.0)
    tokens = torch.zeros(len(patterns), 4, length, dtype=torch.int64, device=GPU)
    with Watched() as watched:
        logits = models.logits(tokens)
        loss_P = losses(logits, tokens)
        gradients = [torch.zeros_like(leaf) for leaf in models.leaves]
        step._optimizer.step(gradients, torch.zeros((), device=GPU), step.alive_P)
        scored, guesses = step.score(tokens, tokens)
    assert logits.dtype == torch.bfloat16 and loss_P.dtype == torch.float32
    assert {part.device for part in (loss_P, scored, guesses)} == {GPU}
    assert (scored.shape, guesses.shape) == (loss_P.shape, tokens.shape)
    assert "bmm" in watched.names and not watched.names & REFUSED


@pytest.mark.parametrize("length", [1, 2, 7, 64])
def test_running_sums_by_doubling_are_running_sums(length: int) -> None:
    x: Tensor = torch.randn(2, 3, length, 4, generator=torch.Generator().manual_seed(length))
    torch.testing.assert_close(sum_by_doubling(x), x.cumsum(2))
