"""One cell of a grid: a pattern at a size with a seed, trained for one or several token budgets.

    cell = Cell("AMSM", shape, settings, seed=0, task=task)
    for progress in train_cell(cell, [2_000_000, 8_000_000], Path("cells/AMSM-0")):
        print(progress.step.loss, progress.share)
    read_results(Path("cells/AMSM-0"))

The trunk trains to where the smallest budget branches off, that budget decays to its end, the trunk
goes on to the next. It may be stopped, or killed, at any moment: the same call goes on from the
newest checkpoint, on a CPU with the same losses to the last bit (with as many threads as before).
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path

import torch

from nasarena.proxies.data.task import Task
from nasarena.proxies.scaled.cell_folder import (
    TRUNK,
    CellFolder,
    Result,
    StepRecord,
    decay_part,
    open_cell,
)
from nasarena.proxies.scaled.checkpoint import (
    Checkpoint,
    Identity,
    load_checkpoint,
    refuse_another,
    save_checkpoint,
)
from nasarena.proxies.scaled.engine_choice import Engine, begin_state, choose_engine
from nasarena.proxies.scaled.scaled_settings import Budget, ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.proxies.scaled.train_state import TrainState, train_batch
from nasarena.proxies.training.devices import Precision, choose_precision
from nasarena.proxies.training.torch_state import known_torch_state
from nasarena.search.errors import InvalidSetting, ProxyFailed
from nasarena.search.hashes import code_hash

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cell:
    """What is trained. Raises InvalidSetting where the task does not suit the shape.

    `tokenizer` is the JSON of the task's tokens, kept in the folder for exports; None: bytes.
    """

    pattern: str
    shape: ScaledShape
    settings: ScaledSettings
    seed: int
    task: Task
    tokenizer: str | None = None

    def __post_init__(self) -> None:
        if self.task.head != "language_model":
            raise InvalidSetting(f"task must be language modelling, got {self.task.name}")
        if self.task.vocab_size != self.shape.vocab_size:
            raise InvalidSetting(
                f"vocab_size must be that of the tokens, {self.task.vocab_size}, "
                f"got {self.shape.vocab_size}"
            )

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one step trains on."""
        return self.settings.batch_size * self.task.length

    def budgets(self, num_tokens: Sequence[int]) -> list[Budget]:
        """Budgets of so many tokens, smallest first, each once."""
        made = {self.settings.budget(each, self.tokens_per_step) for each in num_tokens}
        return sorted(made, key=lambda budget: budget.steps)

    def identity(self, device: torch.device, precision: Precision, engine: Engine) -> Identity:
        """All that losses depend on, in plain values."""
        return {
            "pattern": self.pattern,
            "shape": asdict(self.shape),
            "settings": asdict(self.settings),
            "seed": self.seed,
            "task": self.task.fingerprint,
            "device": device.type,
            "precision": precision,
            "engine": engine,
            "code": code_hash(__name__),
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """One step that was trained, and how many of all steps of the cell are done."""

    step: StepRecord
    num_done: int
    num_steps: int
    result: Result | None = None  # at the last step of a budget

    @property
    def share(self) -> float:
        """Share of the cell's steps."""
        return self.num_done / self.num_steps


def train_cell(
    cell: Cell,
    num_tokens: Sequence[int],
    folder: Path,
    device: torch.device | None = None,
    precision: Precision | None = None,
    checkpoint_every: int = 200,
    engine: str = "auto",
) -> Iterator[Progress]:
    """Train what is missing of a cell, a step each turn; results stand in `folder`.

    `num_tokens` are the budgets; a later call may name more of them. `engine` is auto, native (the
    proxies' CPU kernels) or torch. Raises InvalidSetting for a
    folder or checkpoint of another cell, other settings or other code; ProxyFailed for a damaged
    checkpoint, a full disk and a loss that diverges; RunFolderRefused while another process trains
    here. Nothing that stands in the folder is lost by any of these.
    """
    device = device or torch.device("cpu")
    precision = precision or choose_precision("auto", device)
    budgets = cell.budgets(num_tokens)
    chosen = choose_engine(engine, cell.pattern, cell.shape, device, precision)
    identity = cell.identity(device, precision, chosen)
    with open_cell(folder, identity, cell.tokenizer) as opened:
        if all(opened.result(budget.steps) for budget in budgets):
            return

        def begin() -> TrainState:
            with known_torch_state():
                return begin_state(
                    cell.pattern, cell.shape, cell.settings, cell.seed, cell.task.length,
                    chosen, device, precision,
                )  # fmt: skip

        yield from _Training(cell, opened, identity, begin, checkpoint_every).run(budgets)


class _Training:
    """One call of `train_cell`; `begin` makes the state before the first step."""

    def __init__(
        self,
        cell: Cell,
        folder: CellFolder,
        identity: Identity,
        begin: Callable[[], TrainState],
        every: int,
    ) -> None:
        self._cell, self._folder, self._identity = cell, folder, identity
        self._begin, self._state, self._every = begin, begin(), every

    def run(self, budgets: Sequence[Budget]) -> Iterator[Progress]:
        """All budgets, smallest first."""
        num_steps = budgets[-1].branch + sum(each.steps - each.branch for each in budgets)
        paid = 0  # steps of the decays before
        for budget in budgets:
            if not self._folder.result(budget.steps):
                for step in self._train(budget):
                    done = step.step + paid
                    result = self._finish(budget) if step.step == budget.steps else None
                    yield Progress(step, done, num_steps, result)
            paid += budget.steps - budget.branch

    def _train(self, budget: Budget) -> Iterator[StepRecord]:
        """The trunk as far as it is missing, and the decay."""
        rate, part = self._cell.settings.learning_rate, decay_part(budget.steps)
        if not self._resume(part, budget.steps):
            if not self._resume(TRUNK, budget.branch) and self._state.step > 0:
                self._state = self._begin()
            if self._state.step < budget.branch:
                yield from self._steps(TRUNK, budget.branch, self._cell.settings.trunk_rate)
                self._save(TRUNK)
        yield from self._steps(part, budget.steps, lambda step: rate * budget.decay(step))

    def _steps(self, part: str, stop: int, rate: Callable[[int], float]) -> Iterator[StepRecord]:
        while self._state.step < stop:
            yield self._step(part, rate(self._state.step))
            if self._state.step % self._every == 0 and self._state.step < stop:
                self._save(part)

    def _step(self, part: str, rate: float) -> StepRecord:
        cell, start = self._cell, time.perf_counter()
        with known_torch_state():
            batch = train_batch(cell.task, cell.seed, self._state.step, cell.settings.batch_size)
            loss, norm = self._state.advance(batch, rate)
        elapsed_s = time.perf_counter() - start
        tokens, step = cell.tokens_per_step, self._state.step
        record = StepRecord(part, step, step * tokens, loss, rate, norm, tokens / elapsed_s)
        self._folder.record(record)
        return record

    def _finish(self, budget: Budget) -> Result:
        """Score the trained model, keep its weights, and then its result."""
        cell, tokens = self._cell, budget.steps * self._cell.tokens_per_step
        num_eval = cell.settings.num_eval
        with known_torch_state():
            loss = self._state.evaluate(cell.task.sample(cell.seed, "held_out", num_eval))
        file = self._folder.checkpoint(f"final-{budget.steps}")
        save_checkpoint(file, Checkpoint(budget.steps, self._state.weights(), self._identity))
        per_token = getattr(cell.task, "bytes_per_token", None)
        bits = loss / log(2) / per_token("held_out", num_eval) if per_token else None
        result = Result(cell.pattern, cell.seed, budget.steps, tokens, loss, bits)
        self._folder.finish(result)
        return result

    def _resume(self, part: str, most: int) -> bool:
        """Whether a checkpoint of `part` of at most so many steps was there to go on from."""
        file = self._folder.checkpoint(part)
        if not file.exists():
            return False
        found = load_checkpoint(file)
        refuse_another(found.identity, self._identity, file)
        if found.step > most:
            _LOG.warning(
                "the trunk in %s is past step %d, where a budget added later branches off: it is "
                "trained anew", self._folder.path, most,
            )  # fmt: skip
            return False
        self._state.restore(found.step, found.tensors)
        return True

    def _save(self, part: str) -> None:
        step, tensors = self._state.step, self._state.tensors()
        if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise ProxyFailed(
                f"weights of {self._cell.pattern} must be numbers, got others after step {step}: "
                f"try a smaller learning_rate; the checkpoint before is kept"
            )
        save_checkpoint(self._folder.checkpoint(part), Checkpoint(step, tensors, self._identity))
