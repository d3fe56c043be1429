"""The options that every searcher with a language model has, whatever its policy."""

from typing import Annotated, Any, Literal

from pydantic import Field

from nasarena.agents.context.controls import Control
from nasarena.agents.context.form import Form, Notation, Order, Rationale, Scores
from nasarena.agents.context.memory import Memory, MemoryView
from nasarena.agents.literature.library import Literature, require_library
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings

# `compact` shows the whole history to `compact.render`, which does its own choosing.
_NO_LIMIT = 1_000_000_000
# Options that came after runs had been recorded: a run without one has this value of it.
UNSAID: dict[str, Any] = {
    "literature": "off",
    "order": "section",
    "scores": None,
    "notation": "letters",
    "rationale": None,
    "example": False,
    "lines": None,
}


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
    prompt: Literal["full", "brief", "compact"] = Field(
        "full",
        description="full: in words, knows all operators; brief: the same in few words, for a "
        "model on a CPU; compact: the scored list that the embedded model was trained on, and what "
        "it is given by default",
    )
    order: Order = Field(
        "section",
        description="of the trials in a section of memory: best_last, best_first or time (the "
        "newest last); section: each in its own",
    )
    scores: Scores | None = Field(
        None,
        description="shown as they are (raw), as ranks (rank) or as differences to the best "
        "(difference); null: raw, with prompt=brief rank",
    )
    notation: Notation = Field(
        "letters",
        description="patterns as letters or as run lengths (runs), in prompts and in replies",
    )
    rationale: Rationale | None = Field(
        None,
        description="name, hypothesis and expectation before or after the pattern in a reply, or "
        "none of them (off); null: before, with prompt=brief off",
    )
    example: bool = Field(False, description="whether prompts show an example of a reply")
    lines: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="scored lines of prompt=compact, at most; none: 24, the embedded model 16",
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
        if self.prompt != "full" and self.lessons_every:
            raise InvalidSetting(f"lessons_every needs prompt=full, got prompt={self.prompt}")
        if self.prompt == "compact" and (changed := self._changes_of_form()):
            raise InvalidSetting(f"{changed[0]} needs words, got prompt=compact; give prompt=brief")
        if self.literature != "off":
            if self.control == "anonymous_letters":
                raise InvalidSetting("literature names what control=anonymous_letters hides")
            require_library()

    def recollection(self) -> Memory:
        """The memory that these options describe."""
        if self.prompt == "compact":
            return Memory(self.memory, _NO_LIMIT, _NO_LIMIT)
        return Memory(self.memory, self.memory_trials, self.memory_tokens, self.order)

    def form(self) -> Form:
        """The form of prompts that these options describe."""
        is_brief = self.prompt == "brief"
        scores: Scores = self.scores or ("rank" if is_brief else "raw")
        rationale: Rationale = self.rationale or ("off" if is_brief else "before")
        return Form(is_brief, scores, self.notation, rationale, self.example)

    def _changes_of_form(self) -> list[str]:
        names = ("order", "scores", "notation", "rationale", "example")
        return [name for name in names if getattr(self, name) != UNSAID[name]]
