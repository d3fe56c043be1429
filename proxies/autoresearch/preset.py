"""The settings of the task `autoresearch`, which build its proxy."""

from typing import TYPE_CHECKING, Any

from nasarena.proxies.autoresearch.settings import ScriptSettings
from nasarena.search.settings import settings

if TYPE_CHECKING:
    from nasarena.proxies.autoresearch.proxy import ScriptProxy


@settings
class AutoresearchSettings(ScriptSettings):
    """Training scripts: edits of the given one, or whole programs."""

    def build(self, space: Any, name: str) -> "ScriptProxy":
        """The proxy; its text is read now."""
        from nasarena.proxies.autoresearch.proxy import ScriptProxy

        return ScriptProxy(name, space, self)
