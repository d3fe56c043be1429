"""What the configuration in `run.json` says: who searched, under which name, and what runs share.

Everybody who plans, refuses, compares or labels runs asks here, so that all mean the same.
"""

from collections.abc import Iterable, Mapping
from typing import Any

REFERENCES = "references"  # the pseudo-searcher whose runs score hand-made patterns
BASELINE = "random"  # the searcher that every other is measured against
BASELINES = (BASELINE, "evolution", "local-search")  # those with comparisons and words of their own

Config = Mapping[str, Any]


def condition(config: Config) -> dict[str, Any]:
    """What has to be equal for the scores of two runs to be comparable, as plain values."""
    loop = {key: value for key, value in config["loop"].items() if key != "seed"}
    shared = {key: config.get(key) for key in ("proxy", "final_proxy", "space", "budget")}
    return {**shared, "loop": loop}


def label(config: Config) -> str:
    """The name that a searcher goes by in its comparison."""
    searcher = config["searcher"]
    return str(searcher.get("label") or searcher["name"])


def is_reference(config: Config) -> bool:
    """Whether the run scores hand-made patterns and searches nothing."""
    return bool(config["searcher"]["name"] == REFERENCES)


def control_of(config: Config) -> str:
    """What the harness changed for the searcher (`permuted_letters`, `seeded`); empty: nothing."""
    return str(config["searcher"].get("control") or "")


def all_options(config: Config) -> list[Config]:
    """The options of a searcher, or of both where one goes on when the other ends."""
    options = config["searcher"]["options"]
    parts = [options.get(part) for part in ("first", "then")]
    found = [part["options"] for part in parts if isinstance(part, Mapping) and "options" in part]
    return found or [options]


def options_apart(options: Config, others: Iterable[Config]) -> list[str]:
    """The options, as `key=value`, in which a searcher differs from others of the same name."""
    others = list(others)
    return [
        f"{key}={value}"
        for key, value in options.items()
        if any(other.get(key) != value for other in others)
    ]


def first_difference(found: Config, wanted: Config) -> tuple[str, Any, Any] | None:
    """The first key, dotted where it lies deeper, in which two mappings differ, with both values.

    None where they are equal.
    """
    for key in sorted({*found, *wanted}):
        left, right = found.get(key), wanted.get(key)
        if left == right:
            continue
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            inner = first_difference(left, right)
            if inner is not None:
                return f"{key}.{inner[0]}", inner[1], inner[2]
        return key, left, right
    return None


def difference(found: Config, wanted: Config) -> str:
    """The first setting in which two configurations differ, as `key is theirs, not ours`."""
    first = first_difference(found, wanted)
    if first is None:
        return "different settings"
    key, left, right = first
    return f"{key} is {left!r}, not {right!r}"
