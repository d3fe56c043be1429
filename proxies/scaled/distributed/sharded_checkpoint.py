"""Checkpoints of a model that several processes hold: `torch.distributed.checkpoint` in a folder.

    trunk.shards/step-200/    checkpoint.json (step, what was trained, digests), .metadata and a
                              file of each process

A folder gets its name when all of it is on the disk; then the one before is removed. Any number of
processes reads it, one without `torchrun` too. The file system must be one for all processes.
"""

import hashlib
import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from nasarena.proxies.scaled.checkpoint import Identity
from nasarena.proxies.scaled.distributed.ranks import Ranks
from nasarena.search.errors import ProxyFailed
from nasarena.search.untrusted.drafts import replace_text

_HEADER = "checkpoint.json"
_DRAFT = ".draft"


def save_shards(
    folder: Path, step: int, tensors: Mapping[str, Tensor], identity: Identity, ranks: Ranks
) -> None:
    """Write the checkpoint of `step`, or leave what was there; all ranks call it.

    Raises ProxyFailed on every rank where one of them fails, for example on a full disk.
    """
    draft = folder / _DRAFT
    ranks.agree(lambda: _clear(draft))
    try:
        save(dict(tensors), storage_writer=FileSystemWriter(draft), no_dist=not ranks.is_joined)
    except CheckpointException as error:
        raise _unwritable(folder, _reason(error)) from None
    digests = ranks.gather(lambda: _digests(draft, f"__{ranks.rank}_*"))
    header = {
        "step": step,
        "identity": identity,
        "digests": {name: digest for each in digests for name, digest in each.items()},
    }
    ranks.agree(lambda: _settle(folder, header))


def read_header(folder: Path) -> tuple[int, Identity] | None:
    """The step and what was trained of the newest checkpoint; None where there is none.

    Raises ProxyFailed for one that cannot be read.
    """
    newest = _newest(folder)
    if newest is None:
        return None
    header = _read(newest)
    return header["step"], header["identity"]


def load_shards(folder: Path, tensors: Mapping[str, Tensor], ranks: Ranks) -> None:
    """Fill `tensors`, whole or parts of this process, with those of the newest checkpoint.

    Raises ProxyFailed on every rank for a torn or damaged one; `tensors` may be changed then.
    """
    place = ranks.agree(lambda: _newest(folder))
    if place is None:
        raise ProxyFailed(f"{folder} holds no checkpoint")
    ranks.gather(lambda: _check(place, ranks))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is")  # one process: as meant
            reader = FileSystemReader(place)
            load(dict(tensors), storage_reader=reader, no_dist=not ranks.is_joined)
    except CheckpointException as error:
        raise _damage(place, _reason(error)) from None


def drop_shards(folder: Path) -> None:
    """Remove a part's checkpoints, if it has any."""
    shutil.rmtree(folder, ignore_errors=True)


def _clear(draft: Path) -> None:
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
    except OSError as error:
        raise _unwritable(draft.parent, _reason(error)) from error


def _settle(folder: Path, header: Mapping[str, Any]) -> None:
    draft, place = folder / _DRAFT, folder / f"step-{header['step']}"
    try:
        digests = {**header["digests"], **_digests(draft, ".metadata")}
        replace_text(draft / _HEADER, json.dumps({**header, "digests": digests}) + "\n")
        drop_shards(place)  # one that was trained anew
        draft.rename(place)
    except OSError as error:
        raise _unwritable(folder, _reason(error)) from error
    for other in folder.glob("step-*"):
        if other != place:
            drop_shards(other)


def _newest(folder: Path) -> Path | None:
    found = [(int(one.name.removeprefix("step-")), one) for one in folder.glob("step-*")]
    return max(found)[1] if found else None


def _read(place: Path) -> dict[str, Any]:
    try:
        header = json.loads((place / _HEADER).read_bytes())
        return {key: header[key] for key in ("step", "identity", "digests")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damage(place, _reason(error)) from error


def _check(place: Path, ranks: Ranks) -> None:
    """Whether the files are those that were written, each read by one rank."""
    digests = sorted(_read(place)["digests"].items())
    for name, digest in digests[ranks.rank :: ranks.size]:
        try:
            if _digest(place / name) != digest:
                raise _damage(place, f"{name} is not what was written")
        except OSError as error:
            raise _damage(place, f"{name}: {_reason(error)}") from error


def _digests(folder: Path, names: str) -> dict[str, str]:
    try:
        return {file.name: _digest(file) for file in folder.glob(names)}
    except OSError as error:
        raise _unwritable(folder.parent, _reason(error)) from error


def _digest(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _damage(place: Path, reason: str) -> ProxyFailed:
    return ProxyFailed(
        f"{place} is no whole checkpoint: {reason}; remove it, and its steps are trained again"
    )


def _unwritable(folder: Path, reason: str) -> ProxyFailed:
    return ProxyFailed(
        f"cannot write {folder}: {reason}; the checkpoint before is kept, run the same command "
        f"again when there is room"
    )


def _reason(error: BaseException) -> str:
    """In one line; of several processes' errors the first."""
    if isinstance(error, CheckpointException) and error.failures:
        return _reason(next(iter(error.failures.values()))[0])
    return " ".join((getattr(error, "strerror", None) or str(error)).split())[:200]
