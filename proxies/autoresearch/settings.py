"""How long a script may train, by which clock, and on what it is scored."""

from typing import Literal

from pydantic import Field

from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings


@settings
class ScriptSettings:
    """Training scripts: how long each may train, by which clock, and on what it is scored."""

    clock: Literal["wall", "modelled", "steps"] = Field(
        "modelled",
        description="wall: seconds of this machine; modelled: seconds of a reference core, worked "
        "out from the operations, the same on every machine; steps: training steps",
    )
    isolation: Literal["fork", "sandbox"] = Field(
        "fork",
        description="fork: for edits alone, whose code is ours; sandbox: for every program, with "
        "the clocks wall and steps, at some seconds more a trial",
    )
    amount: float = Field(1.0, gt=0, le=100_000, description="seconds or steps of a training")
    text: Literal["prose", "code"] = Field("prose", description="which of the shipped texts")
    length: int = Field(64, ge=64, le=1024, description="bytes that a prediction may look back on")
    windows: int = Field(128, ge=8, description="sequences of that length that are scored")

    def __post_init__(self) -> None:
        if self.isolation == "sandbox" and self.clock == "modelled":
            raise InvalidSetting(
                "clock must be wall or steps in a sandbox, got modelled; give proxy.clock=wall"
            )
