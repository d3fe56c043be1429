"""Proxies made from their settings, and patterns scored by worker processes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.search.candidates.protocol import Space
from nasarena.search.machine import default_to_one_thread
from nasarena.search.proxy import Proxy, Split, TrialSeed
from nasarena.search.trial import Outcome

BuildProxy = Callable[[ProxyConfig, Space, bool], Proxy]


@lru_cache(maxsize=4)
def build_proxy(config: ProxyConfig, space: Space, cache: bool) -> Proxy:
    """The proxy of these settings, made once per process; `cache` puts the evaluation cache before
    one that trains: a table or a formula answers faster than the cache would.

    Raises InvalidSetting for settings that do not fit the space, or what they name.
    """
    # A training takes one thread in whichever process it runs; read when torch is imported.
    default_to_one_thread()
    proxy = config.settings.build(space, config.name)
    if not cache or not proxy.abilities.trains:
        return proxy
    from nasarena.proxies.cache import CachedProxy

    return CachedProxy(proxy)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A task for a worker: one pattern, trained on several seeds."""

    proxy: ProxyConfig
    space: Space
    cache: bool
    pattern: str
    seeds: tuple[int, ...]
    split: Split = "search"

    def __call__(self, report: Callable[[Any], None]) -> list[Outcome]:
        """One outcome per seed."""
        proxy = build_proxy(self.proxy, self.space, self.cache)
        seeds: Sequence[TrialSeed] = [TrialSeed(seed) for seed in self.seeds]
        return proxy.evaluate([self.pattern] * len(seeds), seeds, self.split)
