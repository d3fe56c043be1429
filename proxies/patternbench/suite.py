"""The landscapes of PatternBench that a comparison runs over, and which of them are trained on.

A suite is no proxy: nothing can be scored on several landscapes at once. `nasarena compare` runs a
comparison on each and concludes from all of them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pydantic import Field

from nasarena.proxies.patternbench.benchmark import LANDSCAPES
from nasarena.search.errors import InvalidSetting, nearest
from nasarena.search.settings import settings
from nasarena.search.space import PatternSpace

# Each separates evolution from random search: docs/patternbench.md.
SUITE = ("quick", "long", "prose", "recall", "copying", "memorization")


def known_landscapes() -> list[str]:
    """Names of the landscapes that come with the package."""
    return sorted(folder.name for folder in LANDSCAPES.iterdir() if folder.is_dir())


def short_name(landscape: str) -> str:
    """What a landscape is called: its name, or that of its folder."""
    return Path(landscape).name


def is_folder(landscape: str) -> bool:
    """Whether a landscape is given as the folder of its files, as `my/landscape`."""
    return "/" in landscape


@settings
class SuiteSettings:
    """Several landscapes of PatternBench, for `nasarena compare`."""

    landscapes: tuple[str, ...] = Field(
        SUITE,
        min_length=1,
        description="landscapes to compare on: names, or folders that "
        "experiments.patternbench.fit wrote",
    )
    retrained: tuple[str, ...] = Field(
        ("quick",),
        description="landscapes whose finalists are trained again for real; on the others, whose "
        "trainings take longer, the benchmark answers",
    )

    def __post_init__(self) -> None:
        check_landscapes(self.landscapes)
        check_landscapes(self.retrained)

    def build(self, space: PatternSpace, name: str) -> NoReturn:
        """Never a proxy: raises InvalidSetting, which says what to take."""
        choices = ", ".join(f"patternbench-{one}" for one in self.landscapes if not is_folder(one))
        raise InvalidSetting(
            f"proxy={name} is several landscapes, which only nasarena compare takes; "
            f"choose one of {choices}"
        )


def check_landscapes(landscapes: Sequence[str]) -> None:
    """Raises InvalidSetting for a landscape that there is not, and for two of one name."""
    known = known_landscapes()
    for one in landscapes:
        if is_folder(one) and not Path(one).expanduser().is_dir():
            raise InvalidSetting(f"there is no folder {one!r} of a landscape")
        if not is_folder(one) and one not in known:
            raise InvalidSetting(
                f"no landscape is called {one!r}; {nearest(one, known)}; or give its folder, "
                f"with a slash"
            )
    names = [short_name(one) for one in landscapes]
    if len(set(names)) < len(names):
        raise InvalidSetting(f"two landscapes have the same name in {', '.join(names)}")
