"""The settings of the tasks `lra-listops`, `lra-text` and `lra-retrieval`, which build a proxy."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from nasarena.search.settings import settings

if TYPE_CHECKING:
    from nasarena.proxies.lra.proxy import EncoderProxy


@settings
class LraSettings:
    """Encoders of long sequences: on which data, how large, and how long each is trained."""

    variant: Literal["fixed", "configurable"] = Field(
        "fixed",
        description="fixed: sizes and rates are given, and at most 10 % more parameters; "
        "configurable: they are edits too",
    )
    size: Literal["cpu", "published"] = Field(
        "cpu", description="cpu: short sequences and a small encoder; published: those of the paper"
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

    def build(self, space: Any, name: str) -> "EncoderProxy":
        """The proxy; its data are read, or drawn, now."""
        from nasarena.proxies.lra.proxy import EncoderProxy

        return EncoderProxy(name, space, self)
