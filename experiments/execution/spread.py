"""The patterns of one ask, trained by all workers of a pool at once.

A run is sequential, so more workers make it no faster, unless its searcher asks for several
patterns before it is told (`loop.parallel`). Those are shared out here. Outcomes come back in the
order in which they were asked for, whichever worker was first, so no event depends on it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import ceil
from typing import Self

from nasarena.experiments.execution.pool import News, Pool, Queue, Report
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.search.candidates.protocol import Space
from nasarena.search.errors import ProxyFailed
from nasarena.search.fidelity import ProxyWrapper, evaluate_at
from nasarena.search.proxy import Proxy, Split, TrialSeed
from nasarena.search.trial import Outcome


@dataclass(frozen=True, slots=True)
class Part:
    """A task: patterns that one worker trains as a population, each up to its fidelity."""

    proxy: ProxyConfig
    space: Space
    cache: bool
    patterns: tuple[str, ...]
    seeds: tuple[TrialSeed, ...]
    fidelities: tuple[float, ...]
    split: Split

    def __call__(self, report: Report) -> list[Outcome]:
        proxy = build_proxy(self.proxy, self.space, self.cache)
        return evaluate_at(proxy, self.patterns, self.seeds, self.fidelities, self.split)


class Spread:
    """Makes proxies whose batches the workers of a pool train, which it keeps until its end."""

    def __init__(self, pool: Pool, attempts: int = 1) -> None:
        """A part whose worker is lost is trained again, until it was begun `attempts` times."""
        self.num_workers, self.attempts = pool.num_workers, attempts
        self._queue = Queue()
        self._news = pool.run_tasks(self._queue)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._news.close()

    def build(self, config: ProxyConfig, space: Space, cache: bool) -> Proxy:
        """As `build_proxy`; what is no training is answered here."""
        proxy = build_proxy(config, space, cache)
        return SpreadProxy(proxy, config, cache, self) if proxy.abilities.trains else proxy

    def do(self, parts: Sequence[Part]) -> list[list[Outcome]]:
        """The outcomes of each part. Raises what one raised, ProxyFailed where workers die."""
        numbers = {self._queue.add(part): place for place, part in enumerate(parts)}
        done: dict[int, list[Outcome]] = {}
        begun: Counter[int] = Counter(numbers.values())
        while len(done) < len(parts):
            news = next(self._news)  # it rests where it is when nothing is left to be done
            place = numbers.get(news.task)
            if place is None:  # of a batch that was given up
                continue
            if news.kind == "done":
                done[place] = news.value
            elif news.kind == "killed" and begun[place] < self.attempts:
                begun[place] += 1
                numbers[self._queue.add(parts[place])] = place
            elif news.kind == "refused":
                raise news.value
            elif news.kind != "working":
                raise ProxyFailed(f"a worker that trained a part of a batch {_how(news)}")
        return [done[place] for place in range(len(parts))]


def _how(news: News) -> str:
    """Its end in words."""
    if news.kind == "killed":
        return f"was ended ({news.value})"
    return f"broke down: {news.value.strip().splitlines()[-1]}"


class SpreadProxy(ProxyWrapper):
    """`proxy`, asked here what a training costs, and elsewhere for its outcomes."""

    def __init__(self, proxy: Proxy, config: ProxyConfig, cache: bool, spread: Spread) -> None:
        super().__init__(proxy)
        self._config, self._cache, self._spread = config, cache, spread

    def evaluate(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split = "search",
        fidelities: Sequence[float] | None = None,
    ) -> list[Outcome]:
        """Outcomes in the order of `patterns`, each with the cost that `cost` says here."""
        if not patterns:
            return []
        shares = [1.0] * len(patterns) if fidelities is None else list(fidelities)
        size = ceil(len(patterns) / self._spread.num_workers)
        parts = [
            Part(
                self._config,
                self.space,
                self._cache,
                tuple(patterns[start : start + size]),
                tuple(seeds[start : start + size]),
                tuple(shares[start : start + size]),
                split,
            )
            for start in range(0, len(patterns), size)
        ]
        outcomes = chain.from_iterable(self._spread.do(parts))
        return [
            replace(outcome, cost=self.cost(pattern, share))
            for outcome, pattern, share in zip(outcomes, patterns, shares, strict=True)
        ]
