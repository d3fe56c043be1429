"""The options that every searcher with a language model has, whatever its policy."""

from dataclasses import dataclass
from typing import Literal

from nasarena.agents.context.controls import check_control
from nasarena.agents.context.memory import Memory
from nasarena.search.errors import InvalidSetting

# `compact` shows the whole history to `compact.render`, which does its own choosing.
_NO_LIMIT = 1_000_000_000


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """What an agent sees, how it is asked, and how often it is asked again.

    `prompt=full` speaks in words and knows all operators; `compact` is the scored list that the
    embedded model was trained on. A reply that cannot be used is mended in one more turn, then
    sampled again up to `resamples` times; a pattern that was tried before is sampled again up to
    `distinct` times before it is let through as a duplicate. Every `lessons_every` trials Analyze
    writes a lesson (0: never; `prompt=full` only). `noise` is one standard deviation of a score
    over seeds, where it is known (`nasarena audit` measures it).
    """

    memory: str = "combined"
    memory_trials: int = 16
    memory_tokens: int = 1500
    control: str = "none"
    prompt: Literal["full", "compact"] = "full"
    temperature: float = 0.8
    max_tokens: int = 400
    resamples: int = 1
    distinct: int = 3
    lessons_every: int = 0
    noise: float | None = None

    def __post_init__(self) -> None:
        check_control(self.control)
        self.recollection()
        if self.prompt not in ("full", "compact"):
            raise InvalidSetting(f"prompt must be full or compact, got {self.prompt!r}")
        if self.prompt == "compact" and self.lessons_every:
            raise InvalidSetting("lessons_every needs prompt=full, got prompt=compact")
        for name in ("resamples", "distinct", "lessons_every"):
            if getattr(self, name) < 0:
                raise InvalidSetting(f"{name} must not be negative, got {getattr(self, name)}")
        if self.max_tokens < 16:
            raise InvalidSetting(f"max_tokens must be at least 16, got {self.max_tokens}")
        if not 0 <= self.temperature <= 2:
            raise InvalidSetting(f"temperature must be in 0..2, got {self.temperature}")
        if self.noise is not None and not 0 <= self.noise < float("inf"):
            raise InvalidSetting(f"noise must be finite and not negative, got {self.noise}")

    def recollection(self) -> Memory:
        """The memory that these options describe."""
        if self.prompt == "compact":
            return Memory(self.memory, _NO_LIMIT, _NO_LIMIT)
        return Memory(self.memory, self.memory_trials, self.memory_tokens)
