"""What a training costs, measured on the proxy as it is now: FLOPs, tokens, device seconds.

FLOPs and tokens are counted. On a CPU a training takes one thread, and its seconds are those of the
processor: other work on the machine, which only makes them longer, is left out as far as it can be.
On another device they are those of the proxy's own calibration.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.proxies.patternbench.network import DEPTH, LETTERS
from nasarena.proxies.patternbench.surrogate import Costs
from nasarena.search.proxy import Proxy

_NUM_REPEATS = 5


def measure_costs(header: Mapping[str, Any]) -> Costs:
    """Costs of the trained proxy that a file of rows with this header names, as of today."""
    config = evaluate_settings([f"proxy={header['proxy']}"])
    proxy = build_proxy(config.proxy.with_changes(header["settings"]), config.space, cache=False)
    counted = costs_of(proxy)
    if header["settings"]["device"] != "cpu":
        return counted
    return priced(counted, lambda pattern: processor_seconds(proxy, pattern))


def priced(counted: Costs, seconds_of: Callable[[str], float]) -> Costs:
    """Seconds by stacks of one letter, and by half a stack, which tells layers from the rest."""
    half, *whole = (
        seconds_of(letter * depth)
        for letter, depth in [(LETTERS[0], DEPTH // 2), *((letter, DEPTH) for letter in LETTERS)]
    )
    base = max(0.0, 2 * half - whole[0])
    first, second, third = ((seconds - base) / DEPTH for seconds in whole)
    return replace(counted, seconds_base=base, seconds=(first, second, third))


def processor_seconds(proxy: Proxy, pattern: str) -> float:
    """Seconds of the processor for one training of `pattern`, the least of a few."""
    from nasarena.proxies.trained import TrainedProxy

    assert isinstance(proxy, TrainedProxy)
    found = []
    for _ in range(_NUM_REPEATS):
        start = time.process_time()
        for training in proxy.task_trainings:
            training.seconds(pattern, training.settings.steps)
        found.append(time.process_time() - start)
    return min(found)


def costs_of(proxy: Proxy) -> Costs:
    """Base and terms per letter of a trained proxy's costs, which are linear in the letters."""
    base = proxy.cost("")
    letters = [proxy.cost(letter) for letter in LETTERS]
    flops = [cost.flops - base.flops for cost in letters]
    seconds = [cost.device_seconds - base.device_seconds for cost in letters]
    return Costs(
        base.flops,
        (flops[0], flops[1], flops[2]),
        base.tokens,
        base.device_seconds,
        (seconds[0], seconds[1], seconds[2]),
    )
