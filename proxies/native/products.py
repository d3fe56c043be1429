"""Batched products by the CPU's kernels alone: no training needs them, but tests and peaks do."""

import torch
from torch import Tensor

from nasarena.proxies.native.library import require_library


def products(left_BMK: Tensor, right_BKN: Tensor) -> Tensor:
    """`left @ right` in float32 on one thread, shape `(B, M, N)`."""
    (B, M, K), N = left_BMK.shape, right_BKN.shape[2]
    if right_BKN.shape != (B, K, N) or {left_BMK.dtype, right_BKN.dtype} != {torch.float32}:
        raise ValueError(
            f"products need float32 of (B, M, K) and (B, K, N), got {left_BMK.dtype} "
            f"{tuple(left_BMK.shape)} and {right_BKN.dtype} {tuple(right_BKN.shape)}"
        )
    left, right, found = left_BMK.contiguous(), right_BKN.contiguous(), torch.empty(B, M, N)
    require_library().nasarena_products(
        B, M, N, K, left.data_ptr(), right.data_ptr(), found.data_ptr()
    )
    return found
