"""One cell of a grid: a pattern at a size with a seed, trained for one or several token budgets.

    cell = Cell("AMSM", shape, settings, seed=0, task=task)
    for progress in train_cell(cell, [2_000_000, 8_000_000], Path("cells/AMSM-0")):
        print(progress.step.loss, progress.share)
    read_results(Path("cells/AMSM-0"))

The trunk trains to where the smallest budget branches off, that budget decays to its end, the trunk
goes on to the next. It may be stopped, or killed, at any moment: the same call goes on from the
newest checkpoint, on a CPU with the same losses to the last bit (with as many threads as before).
"""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
from nasarena.proxies.scaled.checkpoint import Identity
from nasarena.proxies.scaled.distributed.ranks import ALONE, Ranks
from nasarena.proxies.scaled.engine_choice import Engine, begin_state, choose_engine
from nasarena.proxies.scaled.kept_state import KeptState
from nasarena.proxies.scaled.scaled_settings import Budget, ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.proxies.scaled.train_state import TrainState, train_batch
from nasarena.proxies.training.devices import Precision, choose_precision
from nasarena.proxies.training.torch_state import known_torch_state
from nasarena.search.errors import InvalidSetting
from nasarena.search.hashes import code_hash


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
    ranks: Ranks = ALONE,
) -> Iterator[Progress]:
    """Train what is missing of a cell, a step each turn; results stand in `folder`.

    `num_tokens` are the budgets; a later call may name more of them. `engine` is auto, native (the
    proxies' CPU kernels) or torch. All `ranks` call this together, and go on together; the first
    alone writes records and results. Raises InvalidSetting for a
    folder or checkpoint of another cell, other settings or other code; ProxyFailed for a damaged
    checkpoint, a full disk and a loss that diverges; RunFolderRefused while another process trains
    here. Nothing that stands in the folder is lost by any of these.
    """
    device = device or torch.device("cpu")
    precision = precision or choose_precision("auto", device)
    budgets = cell.budgets(num_tokens)
    chosen = choose_engine(engine, cell.pattern, cell.shape, device, precision, ranks)
    identity = cell.identity(device, precision, chosen)
    with _open(folder, identity, cell.tokenizer, ranks) as opened:
        if ranks.agree(lambda: all(opened.result(budget.steps) for budget in budgets)):
            return

        def begin() -> TrainState:
            with known_torch_state():
                return begin_state(
                    cell.pattern, cell.shape, cell.settings, cell.seed, cell.task.length,
                    chosen, device, precision, ranks,
                )  # fmt: skip

        kept = KeptState(opened, identity, ranks)
        yield from _Training(cell, kept, begin, checkpoint_every).run(budgets)


@contextmanager
def _open(
    folder: Path, identity: Identity, tokenizer: str | None, ranks: Ranks
) -> Iterator[CellFolder]:
    """`open_cell` by the first rank; what it finds wrong, all raise."""
    with ExitStack() as stack:
        opened = CellFolder(folder, io.BytesIO())

        def enter() -> None:
            nonlocal opened
            opened = stack.enter_context(open_cell(folder, identity, tokenizer))

        ranks.agree(enter)
        yield opened


class _Training:
    """One call of `train_cell`; `begin` makes the state before the first step."""

    def __init__(
        self,
        cell: Cell,
        kept: KeptState,
        begin: Callable[[], TrainState],
        every: int,
    ) -> None:
        self._cell, self._kept, self._folder, self._ranks = cell, kept, kept.folder, kept.ranks
        self._begin, self._state, self._every = begin, begin(), every

    def run(self, budgets: Sequence[Budget]) -> Iterator[Progress]:
        """All budgets, smallest first."""
        num_steps = budgets[-1].branch + sum(each.steps - each.branch for each in budgets)
        paid = 0  # steps of the decays before
        for budget in budgets:
            if not self._result(budget.steps):
                for step in self._train(budget):
                    done = step.step + paid
                    result = self._finish(budget) if step.step == budget.steps else None
                    yield Progress(step, done, num_steps, result)
            paid += budget.steps - budget.branch

    def _train(self, budget: Budget) -> Iterator[StepRecord]:
        """The trunk as far as it is missing, and the decay."""
        rate, part = self._cell.settings.learning_rate, decay_part(budget.steps)
        if not self._kept.resume(part, budget.steps, self._state):
            if not self._kept.resume(TRUNK, budget.branch, self._state) and self._state.step > 0:
                self._state = self._begin()
            if self._state.step < budget.branch:
                yield from self._steps(TRUNK, budget.branch, self._cell.settings.trunk_rate)
                self._kept.save(TRUNK, self._state)
        yield from self._steps(part, budget.steps, lambda step: rate * budget.decay(step))

    def _steps(self, part: str, stop: int, rate: Callable[[int], float]) -> Iterator[StepRecord]:
        while self._state.step < stop:
            yield self._step(part, rate(self._state.step))
            if self._state.step % self._every == 0 and self._state.step < stop:
                self._kept.save(part, self._state)

    def _step(self, part: str, rate: float) -> StepRecord:
        cell, start = self._cell, time.perf_counter()
        with known_torch_state():
            batch = train_batch(cell.task, cell.seed, self._state.step, cell.settings.batch_size)
            loss, norm = self._state.advance(batch, rate)
        elapsed_s = time.perf_counter() - start
        tokens, step = cell.tokens_per_step, self._state.step
        record = StepRecord(part, step, step * tokens, loss, rate, norm, tokens / elapsed_s)
        self._ranks.agree(lambda: self._folder.record(record))
        return record

    def _finish(self, budget: Budget) -> Result:
        """Score the trained model, keep its weights, and then its result."""
        cell, tokens = self._cell, budget.steps * self._cell.tokens_per_step
        num_eval = cell.settings.num_eval
        with known_torch_state():
            loss = self._state.evaluate(cell.task.sample(cell.seed, "held_out", num_eval))
        self._kept.save_weights(f"final-{budget.steps}", self._state)
        per_token = getattr(cell.task, "bytes_per_token", None)
        bits = loss / log(2) / per_token("held_out", num_eval) if per_token else None
        result = Result(cell.pattern, cell.seed, budget.steps, tokens, loss, bits)
        self._ranks.agree(lambda: self._folder.finish(result))
        return result

    def _result(self, steps: int) -> Result | None:
        return self._ranks.agree(lambda: self._folder.result(steps))
