"""Checkpoints on disk: tensors, the step, and what was trained, in one file or not at all.

The format is safetensors, readable everywhere, with a digest of all tensors in its header: a file
that is torn or damaged is refused, never trained on. A checkpoint of another cell, of other
settings or of other code is refused too.

A step depends on weights, moments and the step's number alone: windows of data are drawn from
streams named by (seed, step), and nothing is random after the initial weights. So no state of a
generator is stored.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nasarena.search.errors import InvalidSetting, ProxyFailed
from nasarena.search.untrusted.drafts import draft_of

FORMAT = "1"
Identity = Mapping[str, Any]  # plain values by name: what was trained, on what, by which code


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors by name after `step` steps of what `identity` says; loaded ones are on the CPU."""

    step: int
    tensors: Mapping[str, Tensor]
    identity: Identity


def save_checkpoint(file: Path, checkpoint: Checkpoint) -> None:
    """Write `file` whole, or leave what was there.

    Raises ProxyFailed where that fails, for example on a full disk.
    """
    tensors = {name: tensor.cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    metadata = {
        "format": FORMAT,
        "step": str(checkpoint.step),
        "identity": json.dumps(checkpoint.identity, sort_keys=True),
        "digest": _digest(tensors),
    }
    try:
        with draft_of(file) as draft:
            save_file(tensors, draft, metadata)
            _flush(draft)
    except (OSError, SafetensorError) as error:
        num_bytes = sum(tensor.nbytes for tensor in tensors.values())
        raise ProxyFailed(
            f"cannot write {file}, {num_bytes / 1e6:.0f} MB: {_reason(error)}; the checkpoint "
            f"before is kept, run the same command again when there is room"
        ) from error


def load_checkpoint(file: Path) -> Checkpoint:
    """Read a whole checkpoint; raises ProxyFailed for one that is torn, damaged or unreadable."""
    return _load(file, with_tensors=True)


def read_checkpoint_header(file: Path) -> Checkpoint:
    """A checkpoint without its tensors, which are not looked at."""
    return _load(file, with_tensors=False)


def _load(file: Path, with_tensors: bool) -> Checkpoint:
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = dict(opened.metadata() or {})
            names = opened.keys() if with_tensors else []
            tensors = {name: opened.get_tensor(name) for name in names}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"format {metadata.get('format')!r}, expected {FORMAT!r}")
        if with_tensors and metadata["digest"] != _digest(tensors):
            raise ValueError("its tensors are not those that were written")
        return Checkpoint(int(metadata["step"]), tensors, json.loads(metadata["identity"]))
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise ProxyFailed(
            f"{file} is no whole checkpoint: {_reason(error)}; remove it, and its steps are "
            f"trained again"
        ) from error


def refuse_another(found: Identity, expected: Identity, place: Path) -> None:
    """Raise InvalidSetting, naming what differs, where `found` is not what is to be trained."""
    if found == expected:
        return
    before, now = _flat(found), _flat(expected)
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            raise InvalidSetting(
                f"{name} must be that of {place}, {before.get(name)}, got {now.get(name)}; "
                f"name another folder"
            )


def _flat(identity: Identity) -> dict[str, Any]:
    """Settings within settings by names with dots."""
    flat: dict[str, Any] = {}
    for name, value in identity.items():
        inner = _flat(value) if isinstance(value, Mapping) else None
        flat |= {name: value} if inner is None else {f"{name}.{key}": inner[key] for key in inner}
    return flat


def _digest(tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _flush(file: Path) -> None:
    """Down to the disk, before it takes the place of the one before."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    words = getattr(error, "strerror", None) or str(error)
    return " ".join(words.split())
