"""What a device can do at best, measured: batched matrix products and the copying of memory.

The share of a peak says more than a speed: it does not change with the machine, and what is missing
to one is what better code could still gain. So the peak is that of the fastest products at hand: on
some processors those of our kernels run at twice the speed of torch's.
"""

import time
from collections.abc import Callable
from statistics import median

import torch

from nasarena.proxies.native.library import native_library
from nasarena.proxies.native.products import products

Multiply = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_NUM_REPEATS = 5
_MATRICES = {
    "cpu": ((64, 64), (16, 128), (8, 256), (4, 512)),
    "cuda": ((64, 1024), (16, 2048), (8, 4096)),
}
_COPIED_BYTES = {"cpu": 2**27, "cuda": 2**30}


def matmul_flops(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """FLOPs a second of the best of a few sizes of square batched products of torch."""
    return _best(torch.bmm, device, dtype)


def native_matmul_flops() -> float:
    """The same of our kernels' products, on one thread; 0 where there are none."""
    return _best(products, torch.device("cpu"), torch.float32) if native_library() else 0.0


def _best(multiply: Multiply, device: torch.device, dtype: torch.dtype) -> float:
    def flops(count: int, size: int) -> float:
        left, right = (torch.ones(count, size, size, device=device, dtype=dtype) for _ in range(2))
        return 2 * count * size**3 / _seconds(lambda: multiply(left, right), device)

    return max(flops(count, size) for count, size in _MATRICES[device.type])


def copy_bandwidth(device: torch.device) -> float:
    """Bytes a second read and written by copying an array too large for a cache."""
    size = _COPIED_BYTES[device.type]
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)

    return 2 * size / _seconds(copy, device)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Median over repeats, the first and coldest left out."""
    work()
    times_s = []
    for _ in range(_NUM_REPEATS):
        synchronize(device)
        start = time.perf_counter()
        work()
        synchronize(device)
        times_s.append(time.perf_counter() - start)
    return median(times_s)


def synchronize(device: torch.device) -> None:
    """Wait until everything asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
