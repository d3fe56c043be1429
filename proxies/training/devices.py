"""Where a proxy trains and with which kernels: chosen by what is there, and said in words.

`auto` selects a GPU where torch can use one. On a GPU matmuls run in bfloat16 (autocast; weights,
moments, norms, scans' sums and the loss stay float32), on a CPU everything is float32. So a score
belongs to a kind of device, and the kind enters a proxy's version; which GPU of several does not.
"""

import logging
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch

from nasarena.proxies.models.kinds import has_native
from nasarena.proxies.models.triton_scan import has_triton_scan
from nasarena.proxies.native.library import native_library
from nasarena.search.errors import InvalidSetting

Precision = Literal["float32", "bfloat16"]
StepKind = Literal["native", "eager", "graph"]
_LOG = logging.getLogger(__name__)
# A GPU's products round the same each time only with memory of a fixed size to work in; this is
# read at the first product.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
# Models that train in one program where the user names no number. A CPU core has nothing to gain
# from more; a GPU is filled up to what its memory holds, but for the time a failure may cost.
_POPULATION = {"cpu": 16, "cuda": 256}


@dataclass(frozen=True, slots=True)
class Kernels:
    """What runs on a device, in words, for people to read."""

    precision: str
    attention: str
    scan: str
    step: str
    threads: int


def choose_device(name: str) -> torch.device:
    """The device of `auto`, `cpu`, `cuda` or `cuda:N`; raises InvalidSetting in one line."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in _POPULATION or (number and not (kind == "cuda" and number.isdecimal())):
        raise InvalidSetting(f"proxy.device must be auto, cpu, cuda or cuda:N, got {name!r}")
    if kind == "cuda":
        _check_gpu(name, int(number or 0))
    return torch.device(name)


def _check_gpu(name: str, number: int) -> None:
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number >= found:
        there = f"{found} GPUs" if found else "no GPU"
        raise InvalidSetting(
            f"proxy.device={name} asks for a GPU, torch {torch.__version__} finds {there} here: "
            "use proxy.device=auto, and see nasarena doctor"
        )


def choose_precision(name: str, device: torch.device) -> Precision:
    """The precision of `auto`, `float32` or `bfloat16` on a device.

    Raises InvalidSetting for another name.
    """
    if name == "auto":
        return "bfloat16" if device.type == "cuda" else "float32"
    if name not in get_args(Precision):
        raise InvalidSetting(f"proxy.precision must be auto, float32 or bfloat16, got {name!r}")
    return cast(Precision, name)


def choose_population(wanted: int, device: torch.device) -> int:
    """How many models may train together: what the user said, or with 0 what suits the device."""
    return wanted or _POPULATION[device.type]


def choose_step(
    name: str, device: torch.device, precision: Precision, letters: str = ""
) -> StepKind:
    """What computes a training step of models of these letters.

    `native`: the CPU kernels, in float32; `eager`: torch, kernel by kernel; `graph`: torch, all
    kernels launched at once, on a GPU. Raises InvalidSetting where the named one cannot.
    """
    knows_letters = has_native(letters)  # refuses a letter that stands for no layer
    if name == "auto":
        if device.type == "cuda":
            return "graph"
        is_native = precision == "float32" and knows_letters and native_library()
        return "native" if is_native else "eager"
    if name not in get_args(StepKind):
        raise InvalidSetting(f"proxy.step must be auto, native, eager or graph, got {name!r}")
    if name == "graph" and device.type != "cuda":
        raise InvalidSetting("proxy.step=graph needs a GPU: use proxy.step=auto")
    if name == "native" and (device.type != "cpu" or precision != "float32"):
        raise InvalidSetting("proxy.step=native computes in float32 on a CPU: use proxy.step=auto")
    if name == "native" and not knows_letters:
        raise InvalidSetting(f"proxy.step=native does not know all of {letters}: use auto")
    if name == "native" and native_library() is None:
        raise InvalidSetting("proxy.step=native needs a C++ compiler: see nasarena doctor")
    return cast(StepKind, name)


def device_suffix(device: torch.device) -> str:
    """What tells the times of one GPU from another's; nothing on a CPU."""
    return "" if device.type == "cpu" else f"-{torch.cuda.get_device_name(device)}"


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Within it products run in `precision`; float32 needs no help."""
    if precision == "float32":
        return nullcontext()
    # Its cache holds copies of weights, which every step changes.
    return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False)


def kernels(device: torch.device) -> Kernels:
    """What a proxy on this device would use."""
    if device.type == "cpu" and native_library():
        own = "kernels of ours, compiled for this processor"
        return Kernels("float32", own, own, "native", torch.get_num_threads())
    if device.type == "cpu":
        return Kernels(
            "float32", "plain matmuls up to 128 positions, then the library's kernel",
            "our chunked matmuls", "eager, because there is no C++ compiler",
            torch.get_num_threads(),
        )  # fmt: skip
    scan = "Triton kernels of mamba-ssm" if has_triton_scan() else "our chunked matmuls"
    return Kernels(
        "bfloat16, weights and moments float32", "flash attention of torch", scan,
        "one CUDA graph", torch.get_num_threads(),
    )  # fmt: skip
