"""Stand-ins that are known by heart, and the one way to run them through the real loop.

    from fakes import FakeProxy, Listing, run_search

`tests/` is on the path of pytest (pyproject.toml), so that every test file can import this one.
"""

import json
import re
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nasarena.experiments.settings.registry import SEARCHERS, load_searcher
from nasarena.search.budget import Budget, Unit
from nasarena.search.loop import LoopSettings, run_to_end
from nasarena.search.proxy import Direction, Proxy, Split, TrialSeed
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import Searcher, SearcherSpec, build_searcher, spec_of
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome, Proposal, Trial

Score = Callable[[str, TrialSeed, Split], float]
NEVER = "(?!)"

CLASSICAL = [name for name, place in SEARCHERS.items() if place.startswith("nasarena.baselines.")]
SEARCHING = [name for name in CLASSICAL if name != "references"]
MODELS = ["sequence-gp", "botorch", "composer", "composer-end", "composer-middle"]
# Small enough that a short run reaches what the searcher does after its random start.
SHORT: dict[str, dict[str, Any]] = {
    "evolution": {"population": 6, "tournament": 3},
    "genetic": {"population": 5},
    "tpe": {"num_startup": 5},
    "ngram-thompson": {"num_startup": 5},
    "gp-optuna": {"num_startup": 8},
    "smac": {"num_startup": 6, "retrain_after": 3},
    **{name: {"num_startup": 6} for name in MODELS},
}


class Training(NamedTuple):
    pattern: str
    seed: TrialSeed
    split: Split


class FakeProxy(Proxy):
    """Scores by `score`; patterns in which the regular expression `fails` is found diverge.

    `calls` are the evaluations that it was asked for, each with its trainings.
    """

    metric = "accuracy"
    direction: Direction = "max"
    score_range = (-10.0, 20.0)

    def __init__(
        self,
        space: PatternSpace,
        score: Score,
        *,
        fails: str = NEVER,
        cost: Callable[[str], Cost] = lambda pattern: Cost(flops=1),
        name: str = "letters",
        version: str = "7",
    ) -> None:
        self.space, self.name, self.version = space, name, version
        self._score, self._fails, self._cost = score, fails, cost
        self.calls: list[list[Training]] = []

    @property
    def trained(self) -> list[Training]:
        return [training for call in self.calls for training in call]

    def cost(self, pattern: str) -> Cost:
        return self._cost(pattern)

    def evaluate(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], split: Split = "search"
    ) -> list[Outcome]:
        call = [Training(p, seed, split) for p, seed in zip(patterns, seeds, strict=True)]
        self.calls.append(call)
        return [self._outcome(training) for training in call]

    def _outcome(self, training: Training) -> Outcome:
        cost = self.cost(training.pattern)
        if re.search(self._fails, training.pattern):
            return Outcome("failed", None, cost, note="loss became nan at step 3", measured_s=0.1)
        score = float(self._score(*training))
        return Outcome("ok", score, cost, {"accuracy": score}, measured_s=0.2)


def frozen_noise(pattern: str, seed: TrialSeed, split: Split, scale: float) -> float:
    """The same for the same training, whoever asks."""
    return float(stream(seed.run, pattern, seed.replicate, split).normal(scale=scale))


def agreement(hidden: str, noise: float = 0.0) -> Score:
    """The share of letters that agree with a hidden pattern."""

    def score(pattern: str, seed: TrialSeed, split: Split) -> float:
        agreeing = np.mean([a == b for a, b in zip(pattern, hidden, strict=True)])
        return float(agreeing + (frozen_noise(pattern, seed, split, noise) if noise else 0.0))

    return score


class Listing:
    """Asks given things in turn and stops; `told` is every trial it was told."""

    def __init__(self, asks: Sequence[Any]) -> None:
        self.left, self.told = list(asks), list[Trial]()

    def ask(self, n: int) -> list[Any]:
        asked, self.left = self.left[:n], self.left[n:]
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        self.told += trials


class Sampling:
    """Asks random patterns, as many as it may."""

    def __init__(self, space: PatternSpace, rng: np.random.Generator) -> None:
        self.space, self.rng = space, rng

    def ask(self, n: int) -> list[str]:
        return [self.space.sample(self.rng) for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        pass


class Climbing:
    """Changes one letter of the best so far with probability `greed`, else samples."""

    def __init__(self, space: PatternSpace, rng: np.random.Generator, greed: float = 1.0) -> None:
        self._space, self._rng, self._greed = space, rng, greed
        self._best: Trial | None = None

    def ask(self, n: int) -> list[str]:
        if self._best is None or self._rng.random() >= self._greed:
            return [self._space.sample(self._rng)]
        return [self._space.mutate(self._best.pattern, self._rng)]

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            if trial.score is not None and trial.score >= (
                -1.0 if self._best is None else self._best.score or 0.0
            ):
                self._best = trial


class Raising:
    """Breaks down at its first ask."""

    def __init__(self, space: PatternSpace, rng: np.random.Generator) -> None:
        pass

    def ask(self, n: int) -> list[str]:
        raise RuntimeError("out of ideas")

    def tell(self, trials: Sequence[Trial]) -> None:
        pass


def asking(*asked: tuple[str, float]) -> list[Proposal]:
    """Proposals of (pattern, fidelity)."""
    return [Proposal(pattern, fidelity=fidelity) for pattern, fidelity in asked]


def run_search(
    folder: Path,
    target: Any,
    proxy: Proxy,
    *,
    amount: float = 20,
    unit: Unit = "trials",
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    llm: object = None,
    config: Mapping[str, Any] | None = None,
    **settings: Any,
) -> list[Trial]:
    """One run of the real loop in `folder`; the same folder again is a resumed run.

    `target` is a searcher's name, a declared function or class, a searcher that is built already,
    or the list of what is asked in turn. `settings` are those of the loop.
    """
    spec: SearcherSpec | None = None
    if isinstance(target, str) or callable(target):
        spec = load_searcher(target) if isinstance(target, str) else spec_of(target)

    def make(rng: np.random.Generator) -> Searcher:
        if spec is None:
            return Listing(target) if isinstance(target, list) else target
        return build_searcher(spec, proxy.space, rng, options, num_trials=int(amount), llm=llm)

    loop = LoopSettings(seed, Budget(unit, amount), **settings)
    header = {"commit": "abc1234", "packages": {"numpy": "2"}}
    with RunFolder(folder, {"seed": seed} if config is None else config, header) as run:
        return run_to_end(run, make, proxy, loop, max_parallel=spec and spec.max_parallel)


def run_short(
    folder: Path, name: str, proxy: Proxy, amount: int = 12, **settings: Any
) -> list[Trial]:
    """Everything that a searcher with short options asked, in order."""
    settings = {"finalists": 0, "max_duplicates": 20, **settings}
    return run_search(folder, name, proxy, amount=amount, options=SHORT.get(name), **settings)


def cut_copy(whole: Path, folder: Path, kept: int) -> Path:
    """A copy of a run that was killed after `kept` lines of its record, writing the next one."""
    lines = (whole / "events.jsonl").read_bytes().splitlines(keepends=True)
    torn = lines[kept][: len(lines[kept]) // 2] if kept < len(lines) else b""
    folder.mkdir()
    (folder / "run.json").write_bytes((whole / "run.json").read_bytes())
    (folder / "events.jsonl").write_bytes(b"".join(lines[:kept]) + torn)
    return folder


def edit_events(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Apply `change` to every event on record, in place."""
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    for event in events:
        change(event)
    (run / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


@contextmanager
def full_disk(num_bytes: int) -> Iterator[None]:
    """No file may become larger than that, as if the disk had no more room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
