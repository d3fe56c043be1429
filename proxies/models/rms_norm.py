"""Root-mean-square norm (Zhang & Sennrich 2019, eq. 4) for a population of models at once.

Shapes: P models, B sequences, T positions, D channels.
"""

import torch.nn.functional as F
from torch import Tensor


def rms_norm(x_PBTD: Tensor, weight_PD: Tensor) -> Tensor:
    """`x` over its root mean square over D, times each model's own weight."""
    return F.rms_norm(x_PBTD, x_PBTD.shape[-1:], eps=1e-5) * weight_PD[:, None, None]
