"""The options that every searcher with a language model has, whatever its policy."""

from typing import Annotated, Literal

from pydantic import Field

from nasarena.agents.context.controls import Control
from nasarena.agents.context.memory import Memory, MemoryView
from nasarena.agents.literature.library import Literature, require_library
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings

# `compact` shows the whole history to `compact.render`, which does its own choosing.
_NO_LIMIT = 1_000_000_000


@settings
class AgentOptions:
    """What an agent sees, how it is asked, and how often it is asked again.

    A reply that cannot be used is mended in one more turn, then sampled again.
    """

    memory: MemoryView = Field("combined", description="what of the record a prompt shows")
    memory_trials: int = Field(16, ge=1, description="trials that a section of it shows, at most")
    memory_tokens: int = Field(1500, ge=1, description="tokens that the memory takes, at most")
    control: Control = Field(
        "none",
        description="a control of the agent: shuffled_scores, anonymous_letters or no_history",
    )
    prompt: Literal["full", "compact"] = Field(
        "full",
        description="full: in words, knows all operators; compact: the scored list that the "
        "embedded model was trained on, and what it is given by default",
    )
    temperature: float = Field(0.8, ge=0, le=2, description="of sampling")
    max_tokens: int = Field(400, ge=16, description="tokens of a reply, at most")
    resamples: int = Field(1, ge=0, description="new samples for an unusable reply, at most")
    distinct: int = Field(
        3, ge=0, description="new samples for a pattern that was tried before, at most"
    )
    lessons_every: int = Field(
        0, ge=0, description="trials between two lessons; 0: none (prompt=full only)"
    )
    noise: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="one standard deviation of a score over seeds, where it is known (nasarena "
        "audit measures it)",
    )

    literature: Literature = Field(
        "off",
        description="code: on: cards about ideas of the field in every prompt; placebo: as many of "
        "other fields",
    )

    def __post_init__(self) -> None:
        if self.prompt == "compact" and self.lessons_every:
            raise InvalidSetting("lessons_every needs prompt=full, got prompt=compact")
        if self.literature != "off":
            if self.control == "anonymous_letters":
                raise InvalidSetting("literature names what control=anonymous_letters hides")
            require_library()

    def recollection(self) -> Memory:
        """The memory that these options describe."""
        if self.prompt == "compact":
            return Memory(self.memory, _NO_LIMIT, _NO_LIMIT)
        return Memory(self.memory, self.memory_trials, self.memory_tokens)
