"""The six synthetic tasks of MAD (Poli et al. 2024, arXiv 2403.17844) with published settings.

One YAML file per task in this folder: `baseline:` settings, and `changes:` that vary one of them at
a time, 66 settings in all. Defaults are there and nowhere else, and an unknown key is refused. The
generators have one file each (`recall.py`, ...).

A training set has `num_train_examples` examples; a longer training repeats them in a new order each
epoch. Data depend on the run seed alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import yaml

from nasarena.proxies.data.task import Batch, TaskSplit
from nasarena.proxies.mad.compress import Compression
from nasarena.proxies.mad.copying import SelectiveCopying
from nasarena.proxies.mad.fuzzy_recall import FuzzyRecall
from nasarena.proxies.mad.memorization import Memorization
from nasarena.proxies.mad.recall import InContextRecall
from nasarena.search.errors import InvalidSetting, nearest
from nasarena.search.hashes import code_hash, config_hash
from nasarena.search.seeding import stream
from nasarena.search.settings import build


class Generator(Protocol):
    """What the frozen dataclass of each task has in common: settings that can generate."""

    @property
    def vocab_size(self) -> int: ...
    @property
    def num_inputs(self) -> int: ...
    @property
    def num_train_examples(self) -> int: ...

    def generate(
        self,
        num_examples: int,
        split: TaskSplit,
        rng: np.random.Generator,
        run_rng: np.random.Generator,
    ) -> Batch:
        """Examples from `rng`; `run_rng` is the same for all splits and blocks of a run."""
        ...


TaskName = Literal[
    "in-context-recall",
    "fuzzy-recall",
    "noisy-recall",
    "selective-copying",
    "compression",
    "memorization",
]
GENERATORS: dict[str, type[Any]] = {
    "in-context-recall": InContextRecall,
    "fuzzy-recall": FuzzyRecall,
    "noisy-recall": InContextRecall,
    "selective-copying": SelectiveCopying,
    "compression": Compression,
    "memorization": Memorization,
}

_BLOCK = 256  # examples drawn at once, each block from its own stream: a prefix is a prefix


class MadTask:
    """One task at one setting; implements Task. `variant` says what differs from the baseline."""

    def __init__(self, name: str, settings: Generator, variant: str = "baseline") -> None:
        self.name, self.settings, self.variant = name, settings, variant
        self.vocab_size, self.length = settings.vocab_size, settings.num_inputs
        self.num_train = settings.num_train_examples
        self.head: Literal["language_model", "auto_encoder"] = (
            "auto_encoder" if isinstance(settings, Compression) else "language_model"
        )
        code = code_hash(type(settings).__module__, __name__)
        described = {"task": name, "code": code, **_values(settings)}
        self.fingerprint = f"{name}-{config_hash(described)}"

    def sample(self, run_seed: int, split: TaskSplit, num_examples: int) -> Batch:
        """Examples, `(num_examples, length)`; beyond the training set, its next epochs."""
        if split != "train":
            return self._draw(run_seed, split, num_examples)
        size = self.num_train
        drawn = self._draw(run_seed, split, min(num_examples, size))
        if num_examples <= size:
            return drawn
        epochs = [np.arange(size)]
        for epoch in range(1, -(-num_examples // size)):
            epochs.append(stream(run_seed, "data", self.name, "epoch", epoch).permutation(size))
        order = np.concatenate(epochs)[:num_examples]
        return Batch(drawn.inputs[order], drawn.targets[order])

    def _draw(self, run_seed: int, split: TaskSplit, num_examples: int) -> Batch:
        blocks = [
            self.settings.generate(
                _BLOCK,
                split,
                stream(run_seed, "data", self.name, split, block),
                stream(run_seed, "data", self.name, "run"),
            )
            for block in range(max(1, -(-num_examples // _BLOCK)))
        ]
        return Batch(
            np.concatenate([block.inputs for block in blocks])[:num_examples],
            np.concatenate([block.targets for block in blocks])[:num_examples],
        )


def mad_task(name: str, changes: Mapping[str, Any] | None = None) -> MadTask:
    """A task at its published baseline with some settings changed.

    Raises InvalidSetting for an unknown task or setting, or a value out of range.
    """
    _check_name(name)
    changes = dict(changes or {})
    settings: Generator = build(
        GENERATORS[name], {**_load(name)["baseline"], **changes}, f"changes.{name}"
    )
    variant = ", ".join(f"{key}={value}" for key, value in changes.items())
    return MadTask(name, settings, variant or "baseline")


def mad_tasks(
    names: Sequence[str] | None = None, changes: Mapping[Any, Mapping[str, Any]] | None = None
) -> list[MadTask]:
    """The named tasks, by default all six, at their published baseline but for `changes`.

    `changes` are per task name. Raises InvalidSetting for a change of a task that is not there.
    """
    names, changes = list(GENERATORS if names is None else names), changes or {}
    tasks = [mad_task(name, changes.get(name)) for name in names]
    for name in changes:
        _check_name(name)
        if name not in names:
            raise InvalidSetting(f"changes has {name!r}, which data.tasks leaves out")
    if not tasks:
        raise InvalidSetting("tasks must name at least one task, got none")
    return tasks


def mad_sweep(name: str) -> Iterator[MadTask]:
    """The published difficulty sweep of one task: the baseline, then one change at a time."""
    yield mad_task(name)
    for key, values in _load(name)["changes"].items():
        for value in values:
            yield mad_task(name, {key: value})


def _check_name(name: str) -> None:
    if name not in GENERATORS:
        raise InvalidSetting(f"no MAD task is called {name!r}; {nearest(name, GENERATORS)}")


def _load(name: str) -> dict[str, Any]:
    """The YAML file of a task: a mapping with `baseline` and `changes`."""
    file = Path(__file__).parent / f"{name}.yaml"
    loaded: dict[str, Any] = yaml.safe_load(file.read_text())
    return loaded


def _values(settings: Generator) -> dict[str, Any]:
    return asdict(settings)  # type: ignore[call-overload,no-any-return]
