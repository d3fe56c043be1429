"""Published orders of layer patterns at scale, and the trainings that put a proxy to them.

`published.yaml` has the comparisons that ship; a file of the same form may be given. The patterns
of a comparison are trained as they are, which matches their depth, and once more with each training
as long as makes its FLOPs those of the comparison's first pattern.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from nasarena.experiments.audit.axes import Level
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.search.errors import InvalidPattern, InvalidSetting
from nasarena.search.notation import expand
from nasarena.search.settings import build, settings
from nasarena.search.space import PatternSpace

PUBLISHED = Path(__file__).with_name("published.yaml")
Matching = Literal["depth", "FLOPs"]


@settings
class PublishedPattern:
    """A pattern and what was published of it."""

    pattern: str
    value: float
    was: str = Field("", description="what was trained, where it is longer than the pattern here")


@settings
class PublishedComparison:
    """Patterns trained alike at scale; where values differ by `gap` or more there is an order."""

    name: str
    source: str
    size: str
    matched: str
    value: str
    better: Literal["lower", "higher"]
    patterns: dict[str, PublishedPattern]
    gap: float = Field(0.01, gt=0)

    def orders(self) -> list[tuple[str, str]]:
        """Names of the better and the worse pattern of every pair that has an order."""
        sign = 1.0 if self.better == "higher" else -1.0
        values = {name: sign * one.value for name, one in self.patterns.items()}
        pairs = []
        for first, second in combinations(values, 2):
            difference = values[first] - values[second]
            if abs(difference) > self.gap - 1e-9:
                pairs.append((first, second) if difference > 0 else (second, first))
        return pairs


def load_comparisons(file: Path, space: PatternSpace) -> list[PublishedComparison]:
    """The comparisons of a file, with patterns of the space spelled letter by letter.

    Raises InvalidSetting, in one line, for a file of another form or a pattern of another space.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise InvalidSetting(f"{file} must be a file of comparisons: {words}") from error
    listed = content.get("comparisons") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise InvalidSetting(f"{file} must be a file of comparisons: a list under `comparisons`")
    found = [build(PublishedComparison, one, f"{file.name}.comparisons") for one in listed]
    return [_spelled(comparison, space, file) for comparison in found]


def _spelled(
    comparison: PublishedComparison, space: PatternSpace, file: Path
) -> PublishedComparison:
    patterns = {}
    for name, one in comparison.patterns.items():
        try:
            pattern = space.validate(expand(one.pattern.replace(" ", "")))
        except InvalidPattern as error:
            raise InvalidSetting(f"{file}: {comparison.name}, {name}: {error}") from error
        patterns[name] = replace(one, pattern=pattern)
    return replace(comparison, patterns=patterns)


@dataclass(frozen=True, slots=True)
class AnchorLevel:
    """The trainings of a comparison under one matching; `level.patterns` in the order of names."""

    comparison: PublishedComparison
    matching: Matching
    names: tuple[str, ...]
    levels: tuple[Level, ...]


def anchor_levels(
    comparisons: Sequence[PublishedComparison],
    proxy: ProxyConfig,
    space: PatternSpace,
    seeds: Sequence[int],
) -> list[AnchorLevel]:
    """Every comparison matched in depth, and in FLOPs where the proxy trains."""
    found = []
    for comparison in comparisons:
        names = tuple(comparison.patterns)
        patterns = tuple(comparison.patterns[name].pattern for name in names)
        label = f"{comparison.name}, equal depth"
        level = Level("settings", label, proxy, space, patterns, tuple(seeds))
        found.append(AnchorLevel(comparison, "depth", names, (level,)))
        if isinstance(proxy.settings, TrainedSettings):
            levels = tuple(
                replace(level, label=f"{comparison.name}, equal FLOPs", proxy=one, patterns=(own,))
                for own, one in zip(patterns, _equal_flops(proxy, space, patterns), strict=True)
            )
            found.append(AnchorLevel(comparison, "FLOPs", names, levels))
    return found


def _equal_flops(
    proxy: ProxyConfig, space: PatternSpace, patterns: Sequence[str]
) -> list[ProxyConfig]:
    """The proxy for each pattern, trained so long that all cost what the first one costs."""
    built = build_proxy(proxy, space, cache=False)
    wanted = built.cost(patterns[0]).flops
    own: Any = proxy.settings
    scaled = []
    for pattern in patterns:
        factor = wanted / built.cost(pattern).flops
        train = replace(
            own.train,
            steps=max(1, round(own.train.steps * factor)),
            warmup_steps=round(own.train.warmup_steps * factor),
        )
        scaled.append(replace(proxy, settings=replace(own, train=train)))
    return scaled


def scores_of(
    anchor: AnchorLevel, outcomes: Sequence[Sequence[Sequence[Any]]]
) -> Mapping[str, list[float | None]]:
    """Scores by name of the pattern, in the order of seeds, from outcomes of its levels."""
    rows = [by_seed for level in outcomes for by_seed in level]
    return {
        name: [outcome.score for outcome in by_seed]
        for name, by_seed in zip(anchor.names, rows, strict=True)
    }
