"""Root-mean-square norm (Zhang & Sennrich 2019, eq. 4) for a population of models at once.

Shapes: P models, B sequences, T positions, D channels.
"""

import torch.nn.functional as F
from torch import Tensor


def rms_norm(x_PBTD: Tensor, weight_PD: Tensor, num_groups: int = 1) -> Tensor:
    """`x` over its root mean square over D, or each group of D, times each model's own weight."""
    # Of one group the plain call: a further axis would round its gradients in another order.
    grouped = x_PBTD if num_groups == 1 else x_PBTD.view(*x_PBTD.shape[:-1], num_groups, -1)
    normed = F.rms_norm(grouped, grouped.shape[-1:], eps=1e-5)
    return normed.view_as(x_PBTD) * weight_PD[:, None, None]
