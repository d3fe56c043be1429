"""The axes of an audit: the same patterns, scored by the proxy with one thing changed.

    seeds      nothing changes but the seed
    tasks      nothing is trained: each task's part of a score, against the other tasks
    steps      `train.steps` and `train.warmup_steps`, times a factor
    width      `model.width` and the numbers of heads, times a factor: the width of a head,
               the state size and the learning rate stay
    depth      the pattern: each letter so often in a row, or all of it again and again
    settings   whatever settings of the proxy the user gives

A level is one point on an axis. Its trainings take seeds that the proxy as it is never had, so that
two scorings share the pattern and not the luck of a seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nasarena.experiments.settings.audit_settings import AuditConfig, Axis
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import Proxy
from nasarena.search.space import PatternSpace

Stretch = Literal["repeat", "tile"]


@dataclass(frozen=True, slots=True)
class Level:
    """One point on an axis: how to build its proxy, and which patterns train with which seeds.

    `patterns[i]` is what the i-th pattern of the sample becomes there.
    """

    axis: Axis
    label: str
    proxy: ProxyConfig
    space: PatternSpace
    patterns: tuple[str, ...]
    seeds: tuple[int, ...]


def levels(config: AuditConfig, patterns: Sequence[str]) -> list[Level]:
    """The proxy as it is, and every level of the axes asked for.

    Raises InvalidSetting for an axis on which this proxy cannot be moved.
    """
    own = tuple(range(config.first_seed, config.first_seed + config.seeds))
    found = [Level("seeds", "as it is", config.proxy, config.space, tuple(patterns), own)]
    makers = {"steps": _longer, "width": _wider, "depth": _deeper, "settings": _settings_levels}
    for axis in dict.fromkeys(config.axes or ()):
        if axis in makers:
            made = [_size_level(level, config) for level in makers[axis](config, found[0])]
            if not made:
                raise InvalidSetting(f"axis {axis} needs {_NEEDED[axis]}, got none")
            found += made
    return found


_NEEDED = {
    "steps": "at least one of steps.factors",
    "width": "at least one of width.factors",
    "depth": "at least one of depth.factors and of depth.rules",
    "settings": "settings.changes, such as settings.changes.batch32.train.batch_size=32",
}


def stretch(pattern: str, factor: int, rule: Stretch) -> str:
    """`pattern` times `factor`: AMS becomes AAMMSS (`repeat`) or AMSAMS (`tile`)."""
    return pattern * factor if rule == "tile" else "".join(letter * factor for letter in pattern)


def tasks_to_compare(config: AuditConfig, proxy: Proxy) -> list[str]:
    """Tasks to compare: those of a proxy of several, unless the axes leave them out."""
    names = list(proxy.abilities.task_names)
    if config.axes is not None and "tasks" not in config.axes:
        return []
    if config.axes is not None and len(names) < 2:
        raise InvalidSetting(
            f"axis tasks needs a proxy of several tasks, {proxy.name} has {len(names) or 'none'}; "
            f"leave it out of axes, or choose proxy=mad"
        )
    return names if len(names) > 1 else []


def _size_level(level: Level, config: AuditConfig) -> Level:
    """A level with as many patterns and seeds as its axis asks for; seeds after the proxy's own."""
    sample = getattr(config, level.axis)
    first = config.first_seed + config.seeds
    seeds = tuple(range(first, first + sample.seeds))
    return replace(level, patterns=level.patterns[: sample.patterns], seeds=seeds)


def _longer(config: AuditConfig, start: Level) -> Iterator[Level]:
    own = _trained(config.proxy, "steps").train
    for factor in config.steps.factors:
        longer = {
            "steps": max(1, round(own.steps * factor)),
            "warmup_steps": round(own.warmup_steps * factor),
        }
        changed = config.proxy.with_changes({"train": longer})
        yield replace(start, axis="steps", label=f"{factor:g}x steps", proxy=changed)


def _wider(config: AuditConfig, start: Level) -> Iterator[Level]:
    own = _trained(config.proxy, "width").model
    for factor in config.width.factors:
        names = ("width", "num_heads", "num_kv_heads", "mamba_heads")
        sizes = {name: getattr(own, name) for name in names}
        wider = {name: size * factor for name, size in sizes.items() if size is not None}
        changed = config.proxy.with_changes({"model": wider})
        yield replace(start, axis="width", label=f"{factor:g}x width", proxy=changed)


def _deeper(config: AuditConfig, start: Level) -> Iterator[Level]:
    words = {"repeat": "repeated", "tile": "tiled"}
    for factor in config.depth.factors:
        space = replace(config.space, depth=config.space.depth * factor)
        for rule in config.depth.rules:
            patterns = tuple(stretch(text, factor, rule) for text in start.patterns)
            label = f"{factor:g}x depth, {words[rule]}"
            yield replace(start, axis="depth", label=label, space=space, patterns=patterns)


def _settings_levels(config: AuditConfig, start: Level) -> Iterator[Level]:
    for name, proxy in config.settings.changes.items():
        yield replace(start, axis="settings", label=name, proxy=proxy)


def _trained(proxy: ProxyConfig, axis: Axis) -> TrainedSettings:
    if not isinstance(proxy.settings, TrainedSettings):
        raise InvalidSetting(
            f"axis {axis} needs a proxy that trains, {proxy.name} does not; leave it out of axes, "
            f"or choose a trained proxy"
        )
    return proxy.settings
