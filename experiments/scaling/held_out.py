"""Held-out loss of a trained model, in nats a token and bits a byte.

A cell's folder says the loss that the model had at the end of its budget. Any other text is read
from a file, in windows one after the other.
"""

from collections.abc import Iterator, Mapping
from math import log
from pathlib import Path
from typing import Any

import torch

from nasarena.experiments.scaling.saved_cell import SavedCell
from nasarena.proxies.scaled.model import ScaledModel, next_token_loss
from nasarena.search.errors import InvalidSetting

_BATCH = 8_192  # tokens at once


def held_out_rows(saved: SavedCell, text: str | None, length: int) -> list[Mapping[str, Any]]:
    """A row for what its training held out, where known, and one for the file `text`."""
    rows: list[Mapping[str, Any]] = []
    if saved.result is not None:
        result = saved.result
        rows.append(_row("held out in training", None, result.loss, result.bits_per_byte))
    if text is not None:
        content = _read(text)
        ids = saved.encode(content)
        loss = window_loss(saved.model, ids, length)
        # The first token is given, not predicted; its bytes are counted all the same.
        bits = loss * (len(ids) - 1) / log(2) / len(content.encode())
        rows.append(_row(text, len(ids) - 1, loss, bits))
    return rows


def _row(text: str, tokens: int | None, loss: float, bits: float | None) -> Mapping[str, Any]:
    return {"text": text, "tokens": tokens, "loss": loss, "bits_per_byte": bits}


def _read(text: str) -> str:
    try:
        return Path(text).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InvalidSetting(f"text must be a file of UTF-8, got {text}: {reason}") from error


def window_loss(model: ScaledModel, ids: list[int], length: int) -> float:
    """Mean loss in nats of all tokens but the first, each after at most `length` before it.

    Raises InvalidSetting for less than two tokens.
    """
    if len(ids) < 2:
        raise InvalidSetting(f"text must have at least two tokens, got {len(ids)}")
    total = 0.0
    with torch.inference_mode():
        for inputs, targets in _windows(torch.tensor(ids), length):
            device = model.embedding.weight.device
            loss = next_token_loss(model(inputs.to(device)), targets.to(device))
            total += float(loss) * targets.numel()
    return total / (len(ids) - 1)


def _windows(ids: torch.Tensor, length: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Inputs and targets `(B, length)`, the last ones what is left."""
    count = (len(ids) - 1) // length
    whole = count * length
    inputs, targets = ids[:whole].view(count, length), ids[1 : whole + 1].view(count, length)
    rows = max(1, _BATCH // length)
    for start in range(0, count, rows):
        yield inputs[start : start + rows], targets[start : start + rows]
    if whole < len(ids) - 1:
        yield ids[None, whole:-1], ids[None, whole + 1 :]
