"""What a training costs, measured on the proxy as it is now: FLOPs, tokens, device seconds.

FLOPs and tokens are counted. Seconds come from the calibration of the trained proxy. Other work on
the machine only ever makes a measurement longer, so it is made several times, and of each stack of
layers the shortest time counts.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.proxies.patternbench.network import DEPTH, LETTERS
from nasarena.proxies.patternbench.surrogate import Costs
from nasarena.search.proxy import Proxy

_NUM_CALIBRATIONS = 7


def measure_costs(header: Mapping[str, Any], num_calibrations: int = _NUM_CALIBRATIONS) -> Costs:
    """Costs of the trained proxy that a file of rows with this header names, as of today."""
    trained_proxy(header, 1)  # finds the kernels that were compiled before
    found = []
    for number in range(num_calibrations):
        with empty_cache():  # each calibration is kept there, and read again
            found.append(costs_of(trained_proxy(header, number + 1)))
    return shortest(found)


def shortest(calibrations: Sequence[Costs]) -> Costs:
    """Of each stack of one letter, and of half a stack, the shortest time; the rest is equal."""
    half, *whole = (
        min(costs.cost(letter * depth).device_seconds for costs in calibrations)
        for letter, depth in [(LETTERS[0], DEPTH // 2), *((letter, DEPTH) for letter in LETTERS)]
    )
    base = max(0.0, 2 * half - whole[0])
    first, second, third = ((seconds - base) / DEPTH for seconds in whole)
    return replace(calibrations[0], seconds_base=base, seconds=(first, second, third))


def trained_proxy(header: Mapping[str, Any], population: int) -> Proxy:
    """The trained proxy of the rows, with their settings, in its present version.

    No cost depends on `population`, but another one makes another proxy, not yet calibrated.
    """
    config = evaluate_settings([f"proxy={header['proxy']}"])
    wanted = config.proxy.with_changes({**header["settings"], "population": population})
    return build_proxy(wanted, config.space, cache=False)


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


@contextmanager
def empty_cache() -> Iterator[None]:
    """Within it nothing that was ever kept in the cache is found."""
    kept = os.environ.get("NASARENA_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NASARENA_CACHE"] = folder
        try:
            yield
        finally:
            del os.environ["NASARENA_CACHE"]
            if kept is not None:
                os.environ["NASARENA_CACHE"] = kept
