"""Fidelity: the share, in (0, 1], of the full training after which a pattern is scored.

A proxy that can stop early declares `has_fidelities`. What it says a training costs and scores is
the whole of it, from the first step to that share, so that its outcomes stay pure; a run pays the
difference to what it has paid for that pattern and replicate already, kept state or not. Scores of
two fidelities measure different things: they are never compared, and a run's best is taken from
its full trainings alone.
"""

from collections.abc import Sequence
from typing import Protocol, cast

from nasarena.search.errors import InvalidPattern, InvalidSetting
from nasarena.search.proxy import Proxy, Split, TrialSeed
from nasarena.search.trial import Cost, Outcome, Trial


class FidelityProxy(Proxy, Protocol):
    """A proxy that also scores a pattern after a share of its training.

    Its `score_range` holds for full trainings. A cost never falls as the fidelity rises.
    """

    has_fidelities: bool

    def cost(self, pattern: str, fidelity: float = 1.0) -> Cost:
        """What the training takes from its first step to this share."""
        ...

    def evaluate(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split = "search",
        fidelities: Sequence[float] | None = None,
    ) -> list[Outcome]:
        """As `Proxy.evaluate`, each pattern after its own share; None: all in full."""
        ...


class ProxyWrapper(FidelityProxy):
    """A proxy around `proxy`, with what that one declares and costs; a subclass evaluates."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.name, self.space, self.version = proxy.name, proxy.space, proxy.version
        self.metric, self.direction = proxy.metric, proxy.direction
        self.score_range = proxy.score_range
        self.has_fidelities, self.abilities = proxy.has_fidelities, proxy.abilities

    def cost(self, pattern: str, fidelity: float = 1.0) -> Cost:
        """What the wrapped proxy says."""
        return cost_at(self.proxy, pattern, fidelity)


def check_fidelity(fidelity: object) -> float:
    """`fidelity` itself if it is a share; raises InvalidPattern otherwise, as for a pattern."""
    if isinstance(fidelity, float | int) and 0 < fidelity <= 1:
        return float(fidelity)
    raise InvalidPattern(f"fidelity must be a number above 0 and at most 1, got {fidelity!r}")


def cost_at(proxy: Proxy, pattern: str, fidelity: float) -> Cost:
    """Cost of a training up to `fidelity`; raises InvalidSetting where there is only the full."""
    return proxy.cost(pattern) if fidelity == 1 else _partial(proxy).cost(pattern, fidelity)


def evaluate_at(
    proxy: Proxy,
    patterns: Sequence[str],
    seeds: Sequence[TrialSeed],
    fidelities: Sequence[float],
    split: Split = "search",
) -> list[Outcome]:
    """Outcomes of trainings up to `fidelities`; any proxy will do where all of them are full."""
    if all(fidelity == 1 for fidelity in fidelities):
        return proxy.evaluate(patterns, seeds, split)
    return _partial(proxy).evaluate(patterns, seeds, split, fidelities)


def has_fidelities(proxy: Proxy) -> bool:
    """Whether a proxy declares that it scores partial trainings."""
    return proxy.has_fidelities


def _partial(proxy: Proxy) -> FidelityProxy:
    if not has_fidelities(proxy):
        raise InvalidSetting(
            f"the searcher asked for a partial training, proxy {proxy.name} has full ones only; "
            f"choose another searcher, or a proxy that is trained or synthetic"
        )
    return cast(FidelityProxy, proxy)


def comparable(trials: Sequence[Trial]) -> list[Trial]:
    """Scored trials of the highest fidelity among them: the full ones unless there is none."""
    scored = [trial for trial in trials if trial.status == "ok" and trial.score is not None]
    highest = max((trial.fidelity for trial in scored), default=1.0)
    return [trial for trial in scored if trial.fidelity == highest]


class Payments:
    """What a run has paid for, by pattern: its latest replicate and how far that one is trained."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, float]] = {}

    def covers(self, pattern: str, fidelity: float) -> bool:
        """Whether the pattern has been paid for up to this fidelity."""
        return pattern in self._latest and fidelity <= self._latest[pattern][1]

    def next(self, pattern: str, fidelity: float) -> tuple[int, float]:
        """The replicate that a training to `fidelity` belongs to, and how far it is paid already.

        A fidelity that is covered begins a new replicate, from nothing.
        """
        replicate, reached = self._latest.get(pattern, (0, 0.0))
        return (replicate + 1, 0.0) if fidelity <= reached else (replicate, reached)

    def pay(self, pattern: str, replicate: int, fidelity: float) -> None:
        """Note that this replicate is paid for up to `fidelity`."""
        self._latest[pattern] = (replicate, fidelity)
