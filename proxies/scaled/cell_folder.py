"""The folder of one cell of a grid: one pattern at one size with one seed, for all its budgets.

    cell.json                    what is trained; written first
    tokenizer.json               of its tokens, where they are not bytes
    losses.jsonl                 append-only, a line for each step
    trunk.safetensors            newest state of the trunk; trunk.shards/ where several processes
                                 train (distributed/sharded_checkpoint.py), so for decays
    decay-<steps>.safetensors    newest state of a budget's decay, while it runs
    final-<steps>.safetensors    weights at the end of a budget
    result-<steps>.json          what came of it; written last

After a kill the steps since the newest checkpoint are trained again and written again, with the
same losses: `read_losses` takes the last line of each.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from nasarena.proxies.scaled.checkpoint import Identity, refuse_another
from nasarena.proxies.scaled.distributed.sharded_checkpoint import drop_shards
from nasarena.search.errors import ProxyFailed
from nasarena.search.machine import lock_file
from nasarena.search.untrusted.drafts import replace_text

TRUNK = "trunk"
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step: `part` is `trunk` or `decay-<steps>`; `step` counts from 1, the trunk's included.

    `loss` is before the update, in nats; `norm` is the gradient's before clipping, None from the
    CPU's kernels, which do not say it.
    """

    part: str
    step: int
    tokens: int
    loss: float
    rate: float
    norm: float | None
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """One budget: held-out loss in nats a token, and in bits a byte where the text has bytes."""

    pattern: str
    seed: int
    steps: int
    tokens: int
    loss: float
    bits_per_byte: float | None


class CellFolder:
    """The one writer of a cell; opened by `open_cell`."""

    def __init__(self, path: Path, log: IO[bytes]) -> None:
        self.path, self._log = path, log

    def record(self, step: StepRecord) -> None:
        """Append one line, flushed; raises ProxyFailed where that fails."""
        line = json.dumps(asdict(step), separators=(",", ":")).encode() + b"\n"
        try:
            self._log.write(line)
            self._log.flush()
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def checkpoint(self, part: str) -> Path:
        """Where the newest state of a part is."""
        return self.path / f"{part}.safetensors"

    def shards(self, part: str) -> Path:
        """Where it is if several processes train."""
        return self.path / f"{part}.shards"

    def finish(self, result: Result) -> None:
        """Write a budget's result, after which its decay is not needed any more."""
        text = json.dumps(asdict(result), indent=1) + "\n"
        try:
            replace_text(self.path / f"result-{result.steps}.json", text)
            self.checkpoint(decay_part(result.steps)).unlink(missing_ok=True)
            drop_shards(self.shards(decay_part(result.steps)))
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def result(self, steps: int) -> Result | None:
        """What came of a budget, or None where it is not finished."""
        file = self.path / f"result-{steps}.json"
        return _read_result(file) if file.exists() else None


def decay_part(steps: int) -> str:
    """The name of a budget's decay."""
    return f"decay-{steps}"


@contextmanager
def open_cell(path: Path, identity: Identity, tokenizer: str | None = None) -> Iterator[CellFolder]:
    """Make the folder, or open the one in which `identity` was trained before.

    Raises InvalidSetting for a folder of another cell, RunFolderRefused for one in which another
    process trains, ProxyFailed where nothing can be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        log = open(path / "losses.jsonl", "ab+")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        _prepare(path, log, identity, tokenizer)
        yield CellFolder(path, log)
    finally:
        try:
            log.close()
        except OSError:
            pass  # bytes that a full disk refused once are refused again; `record` has said so


def _prepare(path: Path, log: IO[bytes], identity: Identity, tokenizer: str | None) -> None:
    lock_file(log, path)
    try:
        header = path / "cell.json"
        if header.exists():
            refuse_another(_read_json(header), json.loads(json.dumps(identity)), path)
        else:
            if tokenizer is not None:
                replace_text(path / TOKENIZER, tokenizer)
            replace_text(header, json.dumps(identity, indent=1) + "\n")
        for draft in path.glob(".*.draft"):  # of a process that was killed while it wrote
            draft.unlink()
        log.seek(0)
        content = log.read()
        log.truncate(content.rfind(b"\n") + 1)  # a torn last line
    except OSError as error:
        raise _unwritable(path, error) from error


def read_losses(path: Path) -> list[StepRecord]:
    """The steps of a cell as they stand in the end, by part in the order of their beginning."""
    steps: dict[tuple[str, int], StepRecord] = {}
    file = path / "losses.jsonl"
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            try:
                step = StepRecord(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise ProxyFailed(f"{file} has a line that is no step: {error}") from error
            steps[step.part, step.step] = step
    return list(steps.values())


def read_results(path: Path) -> list[Result]:
    """What came of the budgets of a cell so far, smallest first."""
    found = [_read_result(file) for file in path.glob("result-*.json")]
    return sorted(found, key=lambda result: result.steps)


def _read_result(file: Path) -> Result:
    try:
        return Result(**_read_json(file))
    except TypeError as error:
        raise ProxyFailed(f"{file} is no result of a training: {error}; remove it") from error


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ProxyFailed(f"{file} cannot be read: {error}; remove it") from error
    if not isinstance(found, dict):
        raise ProxyFailed(f"{file} must hold names and values, got {type(found).__name__}")
    return found


def _unwritable(path: Path, error: OSError) -> ProxyFailed:
    return ProxyFailed(
        f"cannot write to {path}: {error.strerror}; everything before is kept, run the same "
        f"command again when there is room"
    )
