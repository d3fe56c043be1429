"""A comparison over several landscapes: the settings of each one's own comparison.

They lie side by side in `runs/NAME/LANDSCAPE/`, and `suite.json` says which belong together. The
budget is given in average patterns, so that it buys the same number on each.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from nasarena.experiments.comparison.plan import SAME
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.choices import ProxyConfig, choose_proxy
from nasarena.experiments.settings.config import CompareConfig
from nasarena.figures.suite.results import MANIFEST, VERSION
from nasarena.proxies.patternbench.suite import SuiteSettings, is_folder, short_name
from nasarena.proxies.patternbench.truth import WHOLE
from nasarena.search.candidates.protocol import describe_space
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.hashes import config_hash
from nasarena.search.proxy import KnownProxy, Proxy
from nasarena.search.untrusted.drafts import replace_text


def is_over_landscapes(config: CompareConfig) -> bool:
    """Whether these are the settings of a suite, and not of one comparison."""
    return isinstance(config.proxy.settings, SuiteSettings)


def suite_folder(config: CompareConfig) -> Path:
    """Where the comparisons of the landscapes lie: named by the user, or by what they share."""
    shared = {
        "budget": asdict(config.budget),
        "loop": asdict(config.loop),
        "space": describe_space(config.space),
        "final_proxy": config.final_proxy,
    }
    name = config.name or f"{config.proxy.name}-{config_hash(shared)[:8]}"
    return Path(config.folder) / name


def configs_of_landscapes(config: CompareConfig) -> dict[str, CompareConfig]:
    """The settings of the comparison on each landscape, by its name.

    Raises InvalidSetting for a budget that means something else on each of them, and for another
    space than theirs.
    """
    settings = config.proxy.settings
    assert isinstance(settings, SuiteSettings)
    if config.space != WHOLE:
        raise InvalidSetting(
            f"proxy={config.proxy.name} compares over {WHOLE.depth} layers of {WHOLE.alphabet}, "
            f"whose regret is known; for a part of that space give proxy=patternbench"
        )
    if config.budget.amount is not None and config.budget.unit != "trials":
        raise InvalidSetting(
            f"budget.amount={config.budget.amount:g} would buy another number of patterns on each "
            f"landscape; give budget.patterns"
        )
    folder = str(suite_folder(config))
    configs = {}
    for landscape in settings.landscapes:
        name, proxy = short_name(landscape), _proxy(landscape)
        _check(landscape, build_proxy(proxy, config.space, config.cache))
        judge = None if landscape in settings.retrained else SAME
        configs[name] = replace(
            config, proxy=proxy, folder=folder, name=name, final_proxy=config.final_proxy or judge
        )
    return configs


def _proxy(landscape: str) -> ProxyConfig:
    if is_folder(landscape):
        return choose_proxy("patternbench", {"data": landscape})
    return choose_proxy(f"patternbench-{landscape}", {})


def _check(landscape: str, proxy: Proxy) -> None:
    """Refuse a landscape that cannot say what its regret is measured in, or how far to trust its
    best."""
    facts = proxy.difficulty(1) if isinstance(proxy, KnownProxy) else None
    if facts is None:
        raise InvalidSetting(
            f"landscape {landscape} does not say how hard it is; run "
            f"python -m nasarena.experiments.patternbench.difficulty data=FOLDER"
        )
    if facts["elite_icc"] is None:
        raise InvalidSetting(
            f"landscape {landscape} has no elite part, its best patterns trained again with "
            f"several seeds; add it with python -m nasarena.experiments.patternbench.extend"
        )


def write_manifest(folder: Path, landscapes: Sequence[str], command: str) -> None:
    """Note which landscapes belong together; those of an earlier command stay."""
    file = folder / MANIFEST
    try:
        before = json.loads(file.read_text(encoding="utf-8"))["landscapes"]
    except (OSError, ValueError, KeyError, TypeError):
        before = []
    names = list(dict.fromkeys([*before, *landscapes]))
    manifest = {"version": VERSION, "landscapes": names, "command": command}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(file, json.dumps(manifest, indent=1) + "\n")
    except OSError as error:
        raise NasArenaError(f"cannot write to {folder}: {error.strerror}") from error
