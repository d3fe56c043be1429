"""On which data encoders of long sequences are trained, how large they are, and how long."""

from typing import Literal

from pydantic import Field

from nasarena.search.settings import settings


@settings
class EncoderSettings:
    """Encoders of long sequences: on which data, how large, and how long each is trained."""

    variant: Literal["fixed", "configurable"] = Field(
        "fixed",
        description="fixed: sizes and rates are given, and at most 10 % more parameters; "
        "configurable: they are edits too",
    )
    size: Literal["tiny", "cpu", "published"] = Field(
        "cpu",
        description="cpu: short sequences and a small encoder; published: those of the paper; "
        "tiny: few examples, for tests",
    )
    data: str | None = Field(
        None,
        description="folder of the published data, IMDb or AAN; null: lists that are generated, "
        "and text of an installed package",
    )
    clock: Literal["wall", "modelled", "steps"] = Field(
        "modelled",
        description="wall: seconds of this machine; modelled: seconds of a reference core, the "
        "same on every machine; steps: training steps",
    )
    amount: float | None = Field(
        None, gt=0, le=1_000_000, description="seconds or steps of a training; null: the task's"
    )
