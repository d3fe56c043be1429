"""Proxies made from their settings, and patterns scored by worker processes."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nasarena.experiments.settings.config import ProxyConfig
from nasarena.experiments.settings.overrides import nearest
from nasarena.experiments.settings.registry import load_proxy
from nasarena.experiments.settings.typed import coerce, hints_of
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import Proxy, Split, TrialSeed
from nasarena.search.space import PatternSpace
from nasarena.search.threads import default_to_one_thread
from nasarena.search.trial import Outcome

_ENOUGH = 16  # evaluations of a table or a formula at once; more are no faster


def build_proxy(config: ProxyConfig, space: PatternSpace, cache: bool) -> Proxy:
    """The proxy of these settings, made once per process; `cache` puts the evaluation cache before.

    Raises InvalidSetting for an unknown setting or one of the wrong type.
    """
    return _build(config.name, json.dumps(config.options, sort_keys=True), space, cache)


@lru_cache(maxsize=4)
def _build(name: str, options: str, space: PatternSpace, cache: bool) -> Proxy:
    # A training takes one thread in whichever process it runs; read when torch is imported.
    default_to_one_thread()
    factory = load_proxy(name)
    keywords = _check_options(name, factory, json.loads(options))
    proxy: Proxy = factory(space, **keywords)
    if not cache or not _is_trained(keywords):
        return proxy
    from nasarena.proxies.cache import CachedProxy

    return CachedProxy(proxy)


def _is_trained(keywords: Mapping[str, Any]) -> bool:
    """A synthetic landscape answers faster than the cache would."""
    return "train" in keywords


def num_together(config: ProxyConfig) -> int:
    """How many patterns are worth evaluating at once: where models train, a whole population."""
    if not _is_trained(config.options):
        return _ENOUGH
    from nasarena.proxies.training.devices import choose_device, choose_population

    device = choose_device(config.options["device"])
    return choose_population(int(config.options["population"]), device)


def on_gpu(config: ProxyConfig) -> bool:
    """Whether this proxy trains, and on a GPU."""
    if not _is_trained(config.options):
        return False
    from nasarena.proxies.training.devices import choose_device

    return choose_device(config.options["device"]).type == "cuda"


def _check_options(
    name: str, factory: Callable[..., Proxy], options: dict[str, Any]
) -> dict[str, Any]:
    parameters = inspect.signature(factory).parameters
    known = [parameter for parameter in parameters if parameter != "space"]
    hints = hints_of(factory)
    for option in options:
        if option not in known:
            raise InvalidSetting(
                f"proxy {name} has no setting {option!r}; {nearest(option, known)}"
            )
    keywords = {
        option: coerce(value, hints.get(option, Any), f"proxy.{option}")
        for option, value in options.items()
    }
    return {"name": name, **keywords} if "name" in known else keywords


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A task for a worker: one pattern, trained on several seeds."""

    proxy: ProxyConfig
    space: PatternSpace
    cache: bool
    pattern: str
    seeds: tuple[int, ...]
    split: Split = "search"

    def __call__(self, report: Callable[[Any], None]) -> list[Outcome]:
        """One outcome per seed."""
        proxy = build_proxy(self.proxy, self.space, self.cache)
        seeds: Sequence[TrialSeed] = [TrialSeed(seed) for seed in self.seeds]
        return proxy.evaluate([self.pattern] * len(seeds), seeds, self.split)
