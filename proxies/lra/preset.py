"""The settings of the tasks `lra-listops`, `lra-text` and `lra-retrieval`, which build a proxy."""

from typing import TYPE_CHECKING, Any

from nasarena.proxies.lra.settings import EncoderSettings
from nasarena.search.settings import settings

if TYPE_CHECKING:
    from nasarena.proxies.lra.proxy import EncoderProxy


@settings
class LraSettings(EncoderSettings):
    """Encoders of long sequences, as edits of a Transformer."""

    def build(self, space: Any, name: str) -> "EncoderProxy":
        """The proxy; its data are read, or drawn, now."""
        from nasarena.proxies.lra.proxy import EncoderProxy

        return EncoderProxy(name, space, self)
