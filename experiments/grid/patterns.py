"""The patterns of a grid by the names that a table calls them, each pattern once."""

import csv
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from nasarena.baselines.references import reference_patterns
from nasarena.experiments.grid.scores import known_proxy
from nasarena.experiments.scaling.resampling import ALL
from nasarena.experiments.scaling.sizes import refuse_unknown_letters
from nasarena.experiments.settings.scale_settings import ScaleConfig
from nasarena.search.errors import InvalidPattern, InvalidSetting, NasArenaError, nearest
from nasarena.search.notation import expand, run_lengths
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

REFERENCES = "references"
_NUM_DRAWN = 2_000  # random patterns whose deciles are taken


def make_patterns(config: ScaleConfig) -> dict[str, str]:
    """Label -> pattern; of equal patterns the first is kept.

    Raises InvalidSetting for a name or a letter that is unknown, and where there is no pattern.
    """
    found: dict[str, str] = {}
    for label, pattern in _all_patterns(config):
        refuse_unknown_letters(pattern)
        if pattern not in found.values():
            found[_unlike(label, found)] = pattern
    if not found:
        raise InvalidSetting(
            "patterns must hold at least one, such as patterns=[references], got none"
        )
    return found


def _all_patterns(config: ScaleConfig) -> Iterator[tuple[str, str]]:
    for word in config.patterns:
        yield from _patterns_of(word, config.space)
    for folder in config.aggregates:
        yield from read_aggregates(Path(folder))
    drawn = config.space.sample_distinct(config.random, stream(config.draw, "scale", "random"))
    yield from ((f"random {i}", pattern) for i, pattern in enumerate(drawn, start=1))
    if config.deciles:
        yield from draw_deciles(config.landscape, config.space, config.deciles, config.draw)


def _unlike(label: str, others: dict[str, str]) -> str:
    """The label, with a number where other patterns have it, as the rules of two comparisons."""
    count = 2
    unlike = label
    while unlike in others:
        unlike, count = f"{label} ({count})", count + 1
    return unlike


def _patterns_of(word: str, space: PatternSpace) -> Iterator[tuple[str, str]]:
    references = {name: pattern for name, (pattern, _) in reference_patterns(space).items()}
    if word == REFERENCES:
        yield from references.items()
    elif word in references:
        yield word, references[word]
    else:
        try:
            pattern = expand(word)
        except InvalidPattern as error:
            near = nearest(word, [*references, REFERENCES])
            raise InvalidSetting(f"no pattern is called {word!r}; {near}") from error
        if get_close_matches(word, references):
            near = nearest(word, list(references))
            raise InvalidSetting(f"no pattern is called {word!r}; {near}")
        yield run_lengths(pattern), pattern


def read_aggregates(folder: Path) -> Iterator[tuple[str, str]]:
    """The patterns of all rules for all winners together, by rule.

    Raises NasArenaError for a folder where nasarena aggregate has not been.
    """
    file = folder / "aggregate.csv"
    try:
        rows = list(csv.DictReader(file.read_text().splitlines()))
        found = [(row["rule"], row["pattern"]) for row in rows if row["group"] == ALL]
    except OSError as error:
        raise NasArenaError(
            f"cannot read {file}: {error.strerror}; nasarena aggregate {folder} writes it"
        ) from error
    except (UnicodeDecodeError, KeyError, csv.Error) as error:
        raise NasArenaError(f"{file} is no table of nasarena aggregate: {error}") from error
    if not found:
        raise NasArenaError(f"{file} has no rule for all winners together")
    yield from found


def draw_deciles(
    landscape: str, space: PatternSpace, count: int, draw: int
) -> Iterator[tuple[str, str]]:
    """`count` patterns from the best and as many from the worst decile of true scores.

    The deciles are those of 2,000 random patterns, or of the whole space where it is smaller.
    Raises InvalidSetting for a proxy that knows no true scores, and for more than a decile has.
    """
    proxy = known_proxy(landscape, space, "landscape")
    rng = stream(draw, "scale", "deciles")
    drawn = space.sample_distinct(min(_NUM_DRAWN, space.size), rng)
    ranked = sorted(drawn, key=lambda pattern: (-proxy.true_score(pattern), pattern))
    tenth = len(ranked) // 10
    if count > tenth:
        raise InvalidSetting(f"deciles must be at most {tenth} patterns each, got {count}")
    for name, members in (("best decile", ranked[:tenth]), ("worst decile", ranked[-tenth:])):
        chosen = _choose(members, count, rng)
        yield from ((f"{name} {i}", pattern) for i, pattern in enumerate(chosen, start=1))


def _choose(members: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    places = sorted(rng.choice(len(members), size=count, replace=False).tolist())
    return [members[place] for place in places]
