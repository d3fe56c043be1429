"""The time that a script may train, in three measures.

- `wall`: seconds of this machine; the published form, and what no two runs agree on.
- `modelled`: seconds of a reference core, worked out from the operations that the script runs: a
  launch, its FLOPs and the bytes that it writes. The same on every machine, however busy it is.
- `steps`: how often the script asks whether time is left, which is once a step.

A script asks `seconds_left()` before each step and `progress()` for its schedules.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from math import prod
from typing import Any, Literal, Protocol, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

ClockKind = Literal["wall", "modelled", "steps"]
# A core of a server of 2024, one thread, single precision: what small matrices reach there.
_LAUNCH_S, _FLOPS, _BYTES = 3e-6, 6e10, 8e9
_FIRST, _EVERY = 3, 16  # steps that are metered; the others take what the last metered one took


class Clock(Protocol):
    """What a script is given."""

    def seconds_left(self) -> float:
        """Seconds until the training must end; 0 or less: now."""
        ...

    def progress(self) -> float:
        """The share of the time that is over, 0 to 1 and a little beyond."""
        ...


class _Metered:
    """`used` of `amount`; a subclass says how the first grows."""

    def __init__(self, amount: float) -> None:
        self.amount, self.used = amount, 0.0

    def seconds_left(self) -> float:
        return self.amount - self.used

    def progress(self) -> float:
        return self.used / self.amount

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...


class WallClock(_Metered):
    """Seconds since it was entered."""

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        return self

    def seconds_left(self) -> float:
        self.used = time.monotonic() - self._start
        return self.amount - self.used

    def progress(self) -> float:
        return 1 - self.seconds_left() / self.amount


class StepClock(_Metered):
    """A step is over when the script asks for the time left; the first time none is."""

    def __init__(self, amount: float) -> None:
        super().__init__(amount)
        self.used = -1.0

    def seconds_left(self) -> float:
        self.used += 1
        return self.amount - self.used


class ModelledClock(_Metered):
    """Seconds of the reference core. Meters the first steps and then one in 16."""

    def __init__(self, amount: float) -> None:
        super().__init__(amount)
        self._num_steps, self._last = -1, 0.0
        self._meter: _Meter | None = None
        self._open = ExitStack()

    def seconds_left(self) -> float:
        if self._num_steps >= 0:
            if self._meter is not None:
                self._open.close()
                self._last, self._meter = self._meter.seconds, None
            self.used += self._last
        self._num_steps += 1
        if self._num_steps < _FIRST or self._num_steps % _EVERY == 0:
            self._meter = self._open.enter_context(_Meter())
        return self.amount - self.used

    def __exit__(self, *error: object) -> None:
        self._open.close()


class _Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what the operations inside it would take on the reference core."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        out = func(*args, **(kwargs or {}))
        self.seconds += _LAUNCH_S
        if func.is_view:
            return out
        outputs = out if isinstance(out, tuple | list) else (out,)
        tensors = [one for one in outputs if isinstance(one, torch.Tensor)]
        self.seconds += sum(one.numel() * one.element_size() for one in tensors) / _BYTES
        self.seconds += _flops(func, args, kwargs or {}, out) / _FLOPS
        return out


def _flops(func: Any, args: Any, kwargs: Any, out: Any) -> float:
    """FLOPs of matrix products and of attention; what else there is, its bytes stand for."""
    count: Callable[..., Any] | None = flop_registry.get(func.overloadpacket)
    if count is not None:
        return float(count(*args, **kwargs, out_val=out))
    if "scaled_dot_product" in str(func):
        is_backward = "backward" in str(func)
        query, key = args[1:3] if is_backward else args[:2]
        products = 5 if is_backward else 2
        return float(2 * products * prod(query.shape) * key.shape[-2])
    return 0.0


CLOCKS: dict[ClockKind, type[_Metered]] = {
    "wall": WallClock,
    "modelled": ModelledClock,
    "steps": StepClock,
}


def make_clock(kind: ClockKind, amount: float) -> AbstractContextManager[Any]:
    """A clock of this kind; enter it when the training begins."""
    return CLOCKS[kind](amount)
