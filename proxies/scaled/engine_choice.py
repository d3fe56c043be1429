"""What trains a model: the proxies' kernels for small ones on a CPU, torch for all others."""

import logging
from typing import Literal, cast, get_args

import torch

from nasarena.proxies.models.kinds import has_native
from nasarena.proxies.native.library import native_library
from nasarena.proxies.scaled.distributed.ranks import ALONE, Ranks
from nasarena.proxies.scaled.distributed.sharded_engine import build_shards
from nasarena.proxies.scaled.mamba2 import scan_words
from nasarena.proxies.scaled.model import build_model, empty_model
from nasarena.proxies.scaled.native_engine import NativeState, proxy_shape
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.proxies.scaled.torch_engine import TorchState
from nasarena.proxies.scaled.train_state import TrainState
from nasarena.proxies.training.devices import Precision
from nasarena.search.errors import InvalidSetting

Engine = Literal["native", "torch"]
_LOG = logging.getLogger(__name__)
# Parameters. The kernels use one core for a model: larger ones want all of a machine's.
_NATIVE_UP_TO = 20_000_000


def choose_engine(
    name: str,
    pattern: str,
    shape: ScaledShape,
    device: torch.device,
    precision: Precision,
    ranks: Ranks = ALONE,
) -> Engine:
    """The engine of `auto`, `native` or `torch`; raises InvalidSetting where it cannot train this.

    `auto` depends on sizes and machine alone, so that a training goes on with what it began with.
    """
    if name not in ("auto", *get_args(Engine)):
        raise InvalidSetting(f"engine must be auto, native or torch, got {name!r}")
    if ranks.is_joined:
        return choose_joint_engine(name)
    on_cpu = device.type == "cpu" and precision == "float32"
    can = on_cpu and proxy_shape(shape) is not None and has_native(pattern)
    if name == "native" and not can:
        raise InvalidSetting(
            "engine=native trains in float32 on a CPU, with sizes that a proxy can have: use "
            "engine=torch"
        )
    if name == "native" and native_library() is None:
        raise InvalidSetting("engine=native needs a C++ compiler: see nasarena doctor")
    if name != "auto":
        return cast(Engine, name)
    is_small = empty_model(pattern, shape).num_parameters <= _NATIVE_UP_TO
    return "native" if can and is_small and native_library() is not None else "torch"


def choose_joint_engine(name: str) -> Engine:
    """The engine of processes that train one model together; raises InvalidSetting for native."""
    if name == "native":
        raise InvalidSetting("engine=native trains in one process: use engine=torch with torchrun")
    return "torch"


def begin_state(
    pattern: str,
    shape: ScaledShape,
    settings: ScaledSettings,
    seed: int,
    length: int,
    engine: Engine,
    device: torch.device,
    precision: Precision,
    ranks: Ranks = ALONE,
) -> TrainState:
    """A model before its first step, on sequences of `length`; what computes it is logged."""
    if ranks.is_joined:
        _LOG.info("%s: trained by torch in %s, %d processes", pattern, precision, ranks.size)
        return build_shards(pattern, shape, settings, seed, ranks, device, precision)
    model = build_model(pattern, shape, seed, device)
    if engine == "native":
        _LOG.info("%s: trained by the CPU's kernels", pattern)
        return NativeState(model, settings, length)
    _LOG.info("%s: trained by torch in %s, scan by %s", pattern, precision, scan_words(device))
    return TorchState(model, settings, device, precision)
