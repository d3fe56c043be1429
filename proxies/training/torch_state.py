"""The state of torch that a training begins from, whatever a process did before.

Defaults of torch belong to the process: a searcher that sets the default dtype to float64, as some
libraries advise, or switches gradients off would change every score after it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def known_torch_state() -> Iterator[None]:
    """Within it new tensors are float32 on the CPU and gradients are computed; restored after."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    torch.set_default_dtype(torch.float32)
    torch.set_default_device("cpu")
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_default_device(device)
