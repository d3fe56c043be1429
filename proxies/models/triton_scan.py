"""The scan of Mamba-2 by the Triton kernels of its authors, a whole population in one call.

`mamba_ssm.ops.triton.ssd_combined.mamba_chunk_scan_combined` (Dao & Gu 2024) knows heads in groups
that share B and C: a population is so many groups more. Not run on a GPU yet; the folding is tested
against the authors' plain functions.

Shapes: P models, B sequences, T positions, H heads, G groups, K head width, N state.
"""

import importlib.util
import logging
import sys
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType

import torch
from torch import Tensor

_LOG = logging.getLogger(__name__)
CHUNK = 64  # positions; a power of two, as the kernels want it

# x (B, T, G H, K), dt (B, T, G H), A (G H,), B and C (B, T, G, N), chunk -> (B, T, G H, K)
Kernel = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int], Tensor]


@lru_cache(maxsize=1)
def authors_kernel() -> Kernel:
    """The kernel; needs the package `mamba-ssm`, Triton and a GPU (extra `cuda`)."""
    # The package asks for a compiled extension as it is imported; this path never calls it.
    sys.modules.setdefault("selective_scan_cuda", ModuleType("selective_scan_cuda"))
    from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined

    kernel: Kernel = mamba_chunk_scan_combined
    return kernel


def scan_population(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, kernel: Kernel | None = None
) -> Tensor:
    """`h_t = exp(dt_t a) h_{t-1} + dt_t b_t x_t, y_t = c_t h_t`, population folded into groups.

    `x` `(P, B, T, H, K)`, `dt` `(P, B, T, H)` above 0, `a` `(P, H)` below 0, `b` and `c`
    `(P, B, T, G, N)`; returns `(P, B, T, H, K)`.
    """
    P, B, T, H, K = x.shape
    b, c = (part.permute(1, 2, 0, 3, 4).flatten(2, 3).contiguous() for part in (b, c))
    y = (kernel or authors_kernel())(
        x.permute(1, 2, 0, 3, 4).reshape(B, T, P * H, K),
        dt.permute(1, 2, 0, 3).reshape(B, T, P * H),
        a.reshape(P * H),
        b,
        c,
        CHUNK,
    )
    return y.view(B, T, P, H, K).permute(2, 0, 1, 3, 4)


@lru_cache(maxsize=1)
def has_triton_scan() -> bool:
    """Whether Mamba's authors' Triton kernels can be used: they, Triton and a GPU are there."""
    there = all(importlib.util.find_spec(name) is not None for name in ("mamba_ssm", "triton"))
    if not (there and torch.cuda.is_available()):
        return False
    try:
        authors_kernel()
    except (ImportError, AttributeError, RuntimeError, OSError) as error:  # or does not fit Triton
        _LOG.warning("mamba-ssm cannot be imported, its kernels are done without: %s", error)
        return False
    return True
