"""Training of a population: every model as if it were alone, all of them in one program.

A model whose loss is not a number or explodes is masked out and reported; the others do not notice.

Shapes: P models, B sequences, T positions, S steps.
"""

import gc
from collections.abc import Iterator, Sequence
from math import log

import torch
from torch import Tensor

from nasarena.proxies.data.task import Task, TaskSplit
from nasarena.proxies.models.population import Population
from nasarena.proxies.native.step import NativeStep
from nasarena.proxies.training.adamw import FlatAdamW
from nasarena.proxies.training.batches import TrainBatches, eval_batches
from nasarena.proxies.training.checkpoints import Part
from nasarena.proxies.training.devices import StepKind
from nasarena.proxies.training.tally import Scored, Tally
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.proxies.training.train_step import CapturedStep, Engine, Step, TrainStep

# How often it is asked whether any model is left: to ask makes a GPU wait.
_ASKED_EVERY = {"cpu": 1, "cuda": 100}


def train_and_score(
    population: Population,
    task: Task,
    run_seeds: Sequence[int],
    settings: TrainSettings,
    split: TaskSplit,
    device: torch.device,
    part: Part | None = None,
    kind: StepKind = "eager",
    by_class: bool = False,
) -> list[Scored]:
    """Train all models of a population on `task`, then score each on `split`.

    `run_seeds` names the data stream of each model. With `part`, only those steps of the training
    are done, at the learning rates that the whole training has there. `kind` says by what;
    `by_class` asks for accuracy averaged over classes too.
    """
    part = part or Part(0, settings.steps)
    deterministic()
    training_batches = TrainBatches(
        task, run_seeds, settings.steps, settings.batch_size, settings.num_train, device
    )
    limit = 4 * log(task.vocab_size)  # a uniform guess has log(vocab_size)
    engine = _engine(population, settings, limit, kind)
    part.restore(population.owner, engine.state(part.start))
    losses_SP = _train(engine, training_batches, settings, part, device, kind)
    failures = _failures(losses_SP, limit, part.start)
    part.keep(population.owner, engine.state(part.stop), failures)
    batches = eval_batches(
        task, run_seeds, split, settings.num_eval, settings.num_scored_together, device
    )
    tally = Tally(len(run_seeds), task.vocab_size, settings.batch_size, by_class, device)
    for inputs, targets in batches:
        tally.add(*engine.score(inputs, targets), targets)
    return tally.scored(failures)


def _engine(
    population: Population, settings: TrainSettings, limit: float, kind: StepKind
) -> Engine:
    betas = (settings.beta1, settings.beta2)
    if kind == "native":
        return NativeStep(population, betas, settings.weight_decay, settings.max_norm, limit)
    optimizer = FlatAdamW(population, betas, settings.weight_decay, settings.max_norm)
    return TrainStep(population, optimizer, limit)


def _train(
    engine: Engine,
    batches: TrainBatches,
    settings: TrainSettings,
    part: Part,
    device: torch.device,
    kind: StepKind,
) -> Tensor:
    """Losses of all models before each step; a graph, and the memory it holds, ends with it."""
    step: Step = CapturedStep(engine, device) if kind == "graph" else engine
    losses_SP = torch.zeros(part.stop - part.start, len(engine.alive_P), device=device)
    for number in _steps(part):
        losses_SP[number - part.start] = step(*batches.at(number), settings.rate(number))
        is_asked = (number + 1) % _ASKED_EVERY[device.type] == 0
        if is_asked and not bool(engine.alive_P.any()):
            break
    return losses_SP


def _steps(part: Part) -> Iterator[int]:
    """Steps of the training, each without Python's search for objects that refer to each other.

    A step leaves none, but makes so many tensors that the search takes a tenth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield from range(part.start, part.stop)
    finally:
        if was_enabled:
            gc.enable()


def deterministic() -> None:
    """Make torch choose deterministic kernels: the same seed, the same score to the last bit."""
    if not torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(True)
        # Filling fresh memory is a safety net of that mode, and slow.
        setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010


def _failures(losses_SP: Tensor, limit: float, start: int) -> list[str]:
    """For each model the first step whose loss was too high or nan, in words, or nothing."""
    failures = [""] * losses_SP.shape[1]
    for row, member in torch.nonzero(~(losses_SP <= limit)).tolist():
        if not failures[member]:
            value = float(losses_SP[row, member])
            failures[member] = f"diverged: training loss {value:.4g} at step {start + row + 1}"
    return failures
