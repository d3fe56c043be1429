"""Programs as a proxy: what all tasks share whose candidates are trained as code."""

from collections.abc import Sequence
from typing import Any

from nasarena.proxies.programs.clocks import ClockKind
from nasarena.proxies.programs.fork_trial import ForkVerdict
from nasarena.proxies.programs.script_task import Verdict
from nasarena.search.proxy import Abilities, Proxy, Split, TrialSeed
from nasarena.search.seeding import stream_seed
from nasarena.search.trial import Cost, Outcome

# Started as files, so no import leads to them.
CHILDREN = tuple(
    f"nasarena.proxies.programs.{name}" for name in ("train_child", "score_child", "flax_child")
)


class ProgramProxy(Proxy):
    """Trains programs, one after the other; a subclass says how one is judged.

    The seed of a training is that of the run, the candidate and the replicate; what is scored is
    that of the run.
    """

    # Any: it is no space of patterns, which is all that `Proxy` names.
    space: Any
    abilities = Abilities(trains=True, population=1)

    def __init__(self, name: str, space: Any, clock: ClockKind, amount: float) -> None:
        self.name, self.space = name, space
        self._seconds = amount if clock != "steps" else 0.0

    def cost(self, pattern: str) -> Cost:
        """The time that a training is given, whatever the program makes of it."""
        return Cost(device_seconds=self._seconds)

    def evaluate(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], split: Split = "search"
    ) -> list[Outcome]:
        """As `Proxy.evaluate`."""
        return [self._one(*each, split) for each in zip(patterns, seeds, strict=True)]

    def judge(self, candidate: str, seed: int, run: int, split: Split) -> ForkVerdict | Verdict:
        """Train and score one candidate; whatever it does, there is a verdict."""
        raise NotImplementedError

    def _one(self, candidate: str, seed: TrialSeed, split: Split) -> Outcome:
        name = self.space.identity(candidate)
        # Torch takes seeds of 63 bits.
        torch_seed = stream_seed(seed.run, "script", name, seed.replicate)
        found = self.judge(candidate, torch_seed, seed.run, split)
        cost = self.cost(candidate)
        return Outcome(found.status, found.score, cost, found.metrics, found.seconds, found.note)
